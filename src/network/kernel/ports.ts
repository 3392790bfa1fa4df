// Holds published ports open, so that no other program takes them, and finds out when another program has them already: then the port is not ours
// to serve (publishing port 22 must not lock the administrator out). Traffic does not reach these sockets, because the host's rules translate it before;
// but for ::1, which the kernel lets no rule lead to a device: what comes there over TCP is relayed to 127.0.0.1.
import dgram from 'node:dgram';
import net from 'node:net';
import { listening } from '#lib/listen.ts';
import type { Logger } from '#lib/log.ts';
import type { PublishedPort } from '../desired-host.ts';

export interface PortHolder {
  /** Holds exactly these ports, over IPv6 too if `six`; resolves with the keys (`portKey`) of those that somebody else has. */
  hold(ports: readonly PublishedPort[], six: boolean): Promise<{ readonly refused: ReadonlySet<string>; readonly refused6: ReadonlySet<string> }>;
  /** The keys of those that somebody else had last time, sorted; `tcp6/80` where that is so over IPv6 only. */
  inUse(): readonly string[];
  close(): Promise<void>;
}

type Holding = { readonly close: () => Promise<void> };

export function portKey({ protocol, publishedPort }: Pick<PublishedPort, 'protocol' | 'publishedPort'>): string {
  return `${protocol}/${publishedPort}`;
}

export interface PortHolderOptions {
  readonly log: Logger;
  /** Ports that our own resolver listens on: they cannot be held and need not be. */
  readonly isOwn: (port: number) => boolean;
  /** A connection has reached a held port: the rules that should have caught it are gone. */
  readonly onStray: () => void;
  /** `inUse` has changed. */
  readonly onInUse: () => void;
}

/** What is held of one family. */
interface Holdings {
  readonly refused: ReadonlySet<string>;
  hold(ports: readonly PublishedPort[]): Promise<void>;
  close(): Promise<void>;
}

export function createPortHolder({ log, isOwn, onStray, onInUse }: PortHolderOptions): PortHolder {
  const four = createHoldings((port) => (port.protocol === 'tcp' ? holdTcp(port.publishedPort, '0.0.0.0', onStray) : holdUdp(port.publishedPort, 'udp4')), log);
  const all6 = createHoldings((port) => (port.protocol === 'tcp' ? holdTcp(port.publishedPort, '::', onStray) : holdUdp(port.publishedPort, 'udp6')), log);
  // Where IPv6 is not served, a connection from outside must be refused, so that clients go on to IPv4.
  const loopback6 = createHoldings((port) => holdTcp(port.publishedPort, '::1', onStray), undefined);
  const inUse = () => [...four.refused, ...[...all6.refused].map((key) => key.replace('/', '6/'))].sort();
  return {
    inUse,
    async hold(ports, six) {
      const before = inUse().join();
      const wanted = ports.filter(({ protocol, publishedPort }) => protocol !== 'sctp' && !isOwn(publishedPort));
      await four.hold(wanted);
      const ours = wanted.filter((port) => !four.refused.has(portKey(port)));
      // The one is in the other's way.
      await (six ? loopback6 : all6).hold([]);
      if (six) await all6.hold(ours);
      else await loopback6.hold(ours.filter(({ protocol }) => protocol === 'tcp'));
      if (inUse().join() !== before) onInUse();
      return { refused: new Set(four.refused), refused6: new Set(all6.refused) };
    },
    async close() {
      await Promise.all([four.close(), all6.close(), loopback6.close()]);
    },
  };
}

function createHoldings(take: (port: PublishedPort) => Promise<Holding>, log: Logger | undefined): Holdings {
  const held = new Map<string, Holding>();
  const refused = new Set<string>();
  return {
    refused,
    async hold(ports) {
      const wanted = new Map(ports.map((port) => [portKey(port), port]));
      for (const [key, holding] of held) {
        if (wanted.has(key)) continue;
        await holding.close();
        held.delete(key);
      }
      for (const key of refused) if (!wanted.has(key)) refused.delete(key);
      for (const [key, port] of wanted) {
        if (held.has(key)) continue;
        try {
          held.set(key, await take(port));
          if (refused.delete(key)) log?.info({ port: key }, 'published port is free now and is served');
        } catch (error) {
          if (!refused.has(key))
            log?.warn({ port: key, error: String(error) }, 'published port is used by another program on this node; it is not served here');
          refused.add(key);
        }
      }
    },
    async close() {
      for (const holding of held.values()) await holding.close();
      held.clear();
    },
  };
}

/** Relays at a time, per port: programs of this machine that ask for ::1. */
const MAX_RELAYS = 500;

async function holdTcp(port: number, host: '0.0.0.0' | '::' | '::1', onStray: () => void): Promise<Holding> {
  const relays = new Set<net.Socket>();
  const server = net.createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => {});
    if (host !== '0.0.0.0' && socket.localAddress === '::1') return relay(socket, port, relays);
    socket.resetAndDestroy();
    onStray();
  });
  // Relayed connections may come many at once.
  await listening(server, (done) => server.listen({ port, host, backlog: host === '0.0.0.0' ? 1 : 128, exclusive: true, ipv6Only: true }, done));
  return {
    close() {
      for (const socket of relays) socket.destroy();
      return new Promise<void>((done) => server.close(() => done()));
    },
  };
}

/** Bytes both ways, ends passed on; a connection that is refused or reset there is reset here. */
function relay(client: net.Socket, port: number, relays: Set<net.Socket>): void {
  if (relays.size >= MAX_RELAYS) return void client.resetAndDestroy();
  const server = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  relays.add(client);
  client.once('close', () => {
    relays.delete(client);
    server.destroy();
  });
  client.on('error', () => server.resetAndDestroy());
  server.on('error', () => client.resetAndDestroy());
  client.pipe(server).pipe(client);
}

function holdUdp(port: number, type: 'udp4' | 'udp6'): Promise<Holding> {
  return new Promise((resolve, reject) => {
    const socket = dgram.createSocket({ type, ipv6Only: type === 'udp6' });
    socket.on('error', reject);
    socket.bind({ port, address: type === 'udp4' ? '0.0.0.0' : '::', exclusive: true }, () => {
      // What arrives is not for us; leaving it unread in a tiny buffer is cheaper than waking up for it.
      socket.setRecvBufferSize(1);
      resolve({ close: () => new Promise((done) => socket.close(() => done())) });
    });
  });
}
