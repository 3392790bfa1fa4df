// The name server of a node: UDP and TCP on one address. Names of the asker's zone are answered from it, everything else is asked of the
// host's resolvers. It keeps nothing: each query asks the zone anew.
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { isIP } from 'node:net';
import { AppError, errorMessage } from '#lib/errors.ts';
import { formatIp, parseIp } from '#lib/ip.ts';
import { answerFrom, couldBeOurs, refusalOf } from './answer.ts';
import { createForwarder, type Forwarder } from './forward.ts';
import { encodeReply, MAX_TCP_BYTES, parseQuery, type Query, relabel, ResponseCode, truncate, udpLimit } from './message.ts';
import { listenTcp, type TcpListener } from './tcp.ts';
import { parseUpstream } from './upstream.ts';
import type { DnsServer, DnsServerOptions, Zone } from './zone.ts';

const DEFAULT_UPSTREAM_TIMEOUT_MS = 1_500;
/** Port 0 takes a free UDP port whose TCP twin may be taken: then another. */
const MAX_BIND_TRIES = 10;

/** Resolves once both sockets listen. Rejects with AppError `unavailable` when the address cannot be had. */
export async function createDnsServer(options: DnsServerOptions): Promise<DnsServer> {
  const forwarder = createForwarder({ timeoutMs: options.upstreamTimeoutMs ?? DEFAULT_UPSTREAM_TIMEOUT_MS });
  const own = { address: options.address, port: 0 };
  const respond = createResponder(options, forwarder, own);
  const { udp, tcp } = await listen(options, respond);
  own.port = udp.address().port;
  let isClosed = false;
  udp.on('message', (message: Buffer, from: RemoteInfo) => {
    // Nobody can be answered at port 0, which raw packets may come from.
    if (from.port === 0) return;
    void respond(message, from.address, false).then((response) => {
      if (response === undefined || isClosed) return;
      udp.send(response, from.port, from.address, (error) => error && options.log('debug', 'answer not sent', { to: from.address, error: error.message }));
    });
  });
  return {
    address: options.address,
    port: own.port,
    async close() {
      if (isClosed) return;
      isClosed = true;
      forwarder.close();
      const closed = once(udp, 'close');
      udp.close();
      await Promise.all([closed, tcp.close()]);
    },
  };
}

type Respond = (message: Buffer, sourceAddress: string, overTcp: boolean) => Promise<Buffer | undefined>;

/** The answer to a packet; undefined for one that must not be answered. Never rejects. */
function createResponder(options: DnsServerOptions, forwarder: Forwarder, own: { readonly address: string; readonly port: number }): Respond {
  return async function respond(message, sourceAddress, overTcp) {
    const parsed = parseQuery(message);
    if (parsed.kind === 'drop') return undefined;
    if (parsed.kind === 'error') return parsed.response;
    const { query } = parsed;
    const limit = overTcp ? MAX_TCP_BYTES : udpLimit(query);
    const failWith = (rcode: number) => encodeReply(query, { rcode, records: [], authoritative: false }, limit);
    try {
      const refusal = refusalOf(query);
      if (refusal !== undefined) return failWith(refusal);
      // A query of ours that comes back would go round until the sockets are used up.
      if (forwarder.isOwn(query)) return failWith(ResponseCode.serverFailure);
      const zone = await zoneOf(options, bareAddress(sourceAddress));
      const reply = zone && answerFrom(zone, query, shuffle);
      if (reply) return encodeReply(query, reply, limit);
      if (!zone && couldBeOurs(query.name)) return failWith(ResponseCode.serverFailure);
      return await askUpstream(query);
    } catch (error) {
      options.log('error', 'DNS query failed', { name: query.name, error: errorMessage(error) });
      return failWith(ResponseCode.serverFailure);
    }

    async function askUpstream(asked: Query): Promise<Buffer> {
      const upstreams = options.upstreams().flatMap((text) => parseUpstream(text, own) ?? []);
      // Without any resolver nobody else can know a name without a dot; names of the world may just be out of reach.
      if (upstreams.length === 0) return failWith(asked.name.includes('.') ? ResponseCode.serverFailure : ResponseCode.nameError);
      const answer = await forwarder.forward(asked, upstreams, overTcp);
      if (!answer) return failWith(ResponseCode.serverFailure);
      const response = relabel(answer, asked);
      return response.length > limit ? truncate(response, asked) : response;
    }
  };
}

async function zoneOf({ zoneFor, log }: DnsServerOptions, sourceAddress: string): Promise<Zone | undefined> {
  try {
    return await zoneFor(sourceAddress);
  } catch (error) {
    log('warn', 'no zone for a client', { client: sourceAddress, error: errorMessage(error) });
    return undefined;
  }
}

/** Without the scope of a link-local address, and IPv4 in IPv4 form. */
function bareAddress(address: string): string {
  const ip = parseIp(address.split('%')[0] ?? '');
  return ip ? formatIp(ip) : address;
}

/** In random order, so that clients that take the first spread evenly; a fixed turn would fall into step with clients that ask for two names in turn. */
function shuffle(addresses: readonly string[]): readonly string[] {
  const shuffled = [...addresses];
  for (let last = shuffled.length - 1; last > 0; last--) {
    const other = Math.floor(Math.random() * (last + 1));
    [shuffled[last], shuffled[other]] = [shuffled[other] as string, shuffled[last] as string];
  }
  return shuffled;
}

async function listen(options: DnsServerOptions, respond: Respond): Promise<{ readonly udp: Socket; readonly tcp: TcpListener }> {
  for (let tries = 1; ; tries++) {
    const udp = createSocket({ type: isIP(options.address) === 6 ? 'udp6' : 'udp4' });
    try {
      const listening = once(udp, 'listening');
      udp.bind({ address: options.address, port: options.port, exclusive: true });
      await listening;
      // An ICMP error of one client is no reason to stop serving the others.
      udp.on('error', (error) => options.log('warn', 'DNS socket', { error: error.message }));
      const tcp = await listenTcp(options.address, udp.address().port, (message, from) => respond(message, from, true));
      return { udp, tcp };
    } catch (error) {
      udp.close();
      if (options.port === 0 && tries < MAX_BIND_TRIES) continue;
      throw new AppError('unavailable', `cannot serve DNS on ${options.address} port ${options.port}: ${errorMessage(error)}`, { cause: error });
    }
  }
}
