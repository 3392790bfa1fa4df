// Questions that are not the swarm's, asked of the host's resolvers. Each goes out from its own socket, so with a random port beside its
// random id, and only an answer to the very question from the very resolver counts.
import { randomInt } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { connect, isIP } from 'node:net';
import { isAnswerTo, isTruncated, type Query, rcodeOf, ResponseCode } from './message.ts';

export interface Upstream {
  readonly address: string;
  readonly port: number;
}

export interface Forwarder {
  /**
   * The answer of the first resolver that has one, with its own id; undefined when none answers within three times `timeoutMs`, which is
   * below the 5 s after which clients give up. `overTcp`: the client takes answers of any size.
   */
  forward(query: Query, upstreams: readonly Upstream[], overTcp: boolean): Promise<Buffer | undefined>;
  /** Whether a query that came in is one that went out from here. */
  isOwn(query: Query): boolean;
  close(): void;
}

/** resolv.conf knows three resolvers; with fewer the same are asked again, because UDP may lose a packet. */
const MAX_TRIES = 3;
/** Each holds a socket. Beyond this the resolvers do not answer anyway. */
const MAX_IN_FLIGHT = 512;

export function createForwarder({ timeoutMs }: { readonly timeoutMs: number }): Forwarder {
  const outstanding = new Map<number, Buffer>();
  const closing = new AbortController();
  return {
    async forward(query, upstreams, overTcp) {
      if (upstreams.length === 0 || outstanding.size >= MAX_IN_FLIGHT || closing.signal.aborted) return undefined;
      let id = randomInt(0x10000);
      while (outstanding.has(id)) id = randomInt(0x10000);
      outstanding.set(id, query.question);
      const bytes = Buffer.from(query.bytes);
      bytes.writeUInt16BE(id, 0);
      try {
        return await race({ id, bytes, question: query.question, overTcp }, upstreams, timeoutMs, closing.signal);
      } finally {
        outstanding.delete(id);
      }
    },
    isOwn: ({ id, question }) => outstanding.get(id)?.equals(question) ?? false,
    close: () => closing.abort(),
  };
}

interface Outgoing {
  readonly id: number;
  readonly bytes: Buffer;
  readonly question: Buffer;
  readonly overTcp: boolean;
}

/** Asks one resolver after the other without forgetting the earlier: each gets until the end to answer. */
async function race(outgoing: Outgoing, upstreams: readonly Upstream[], timeoutMs: number, closing: AbortSignal): Promise<Buffer | undefined> {
  const done = new AbortController();
  const signal = AbortSignal.any([done.signal, closing]);
  return await new Promise<Buffer | undefined>((resolve) => {
    let tries = 0;
    let pending = 0;
    let failure: Buffer | undefined;
    let timer: NodeJS.Timeout | undefined;
    const finish = (answer: Buffer | undefined) => {
      clearTimeout(timer);
      done.abort();
      resolve(answer);
    };
    const next = () => {
      clearTimeout(timer);
      timer = setTimeout(next, timeoutMs);
      const upstream = tries < MAX_TRIES ? upstreams[tries++ % upstreams.length] : undefined;
      if (!upstream) return finish(failure);
      pending++;
      ask(outgoing, upstream, signal).then(
        (answer) => {
          pending--;
          if (!isFailure(answer)) return finish(answer);
          failure = answer;
          moveOn();
        },
        () => {
          pending--;
          moveOn();
        },
      );
    };
    // A resolver that refuses has had its say: go on at once with those not asked yet, and do not ask it again.
    const moveOn = () => {
      if (signal.aborted) return;
      if (tries < Math.min(upstreams.length, MAX_TRIES)) next();
      else if (pending === 0) finish(failure);
    };
    closing.addEventListener('abort', () => finish(undefined), { once: true, signal: done.signal });
    next();
  });
}

function isFailure(answer: Buffer): boolean {
  const rcode = rcodeOf(answer);
  return rcode === ResponseCode.serverFailure || rcode === ResponseCode.refused || rcode === ResponseCode.notImplemented;
}

async function ask(outgoing: Outgoing, upstream: Upstream, signal: AbortSignal): Promise<Buffer> {
  const answer = await askOverUdp(outgoing, upstream, signal);
  return isTruncated(answer) && outgoing.overTcp ? await askOverTcp(outgoing, upstream, signal) : answer;
}

function askOverUdp({ id, bytes, question }: Outgoing, { address, port }: Upstream, signal: AbortSignal): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const socket = createSocket(isIP(address) === 6 ? 'udp6' : 'udp4');
    let isOver = false;
    // Twice when it fails right after it was given up: a socket that is closed cannot be closed.
    const end = () => {
      signal.removeEventListener('abort', onAbort);
      if (!isOver) socket.close();
      isOver = true;
    };
    const onAbort = () => {
      end();
      reject(new Error('aborted'));
    };
    signal.addEventListener('abort', onAbort, { once: true });
    socket.on('error', (error) => {
      end();
      reject(error);
    });
    socket.on('message', (message) => {
      // Anything else may be forged or late: keep waiting for the true answer.
      if (!isAnswerTo(message, id, question)) return;
      end();
      resolve(message);
    });
    socket.on('connect', () => {
      if (!signal.aborted) socket.send(bytes);
    });
    // Connected: only packets of this resolver are received, and "port unreachable" is reported. Without a callback, which would be called for
    // an address that no route leads to as well: that is an 'error' then, like any other.
    socket.connect(port, address);
  });
}

function askOverTcp({ id, bytes, question }: Outgoing, { address, port }: Upstream, signal: AbortSignal): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: address, port, signal });
    let received = Buffer.alloc(0);
    socket.on('error', reject);
    socket.on('close', () => reject(new Error(`${address} closed the connection`)));
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk]);
      if (received.length < 2 || received.length < 2 + received.readUInt16BE(0)) return;
      const message = received.subarray(2, 2 + received.readUInt16BE(0));
      if (isAnswerTo(message, id, question)) resolve(message);
      socket.destroy();
    });
    const length = Buffer.alloc(2);
    length.writeUInt16BE(bytes.length, 0);
    socket.write(Buffer.concat([length, bytes]));
  });
}
