// Holds published ports open, so that no other program takes them, and finds out when another program has them already: then the port is not ours
// to serve (publishing port 22 must not lock the administrator out). Traffic does not reach these sockets: the host's rules translate it before.
import dgram from 'node:dgram';
import net from 'node:net';
import type { Logger } from '#lib/log.ts';
import type { PublishedPort } from '../desired.ts';

export interface PortHolder {
  /** Holds exactly these ports; resolves with the keys (`portKey`) of those that somebody else has. */
  hold(ports: readonly PublishedPort[]): Promise<ReadonlySet<string>>;
  close(): Promise<void>;
}

type Holding = { readonly close: () => Promise<void> };

export function portKey({ protocol, publishedPort }: PublishedPort): string {
  return `${protocol}/${publishedPort}`;
}

/**
 * `isOwn` tells of ports that our own resolver listens on: they cannot be held and need not be. `onStray` is called when a connection
 * reaches a held port: the rules that should have caught it are gone.
 */
export function createPortHolder({
  log,
  isOwn,
  onStray,
}: {
  readonly log: Logger;
  readonly isOwn: (port: number) => boolean;
  readonly onStray: () => void;
}): PortHolder {
  const held = new Map<string, Holding>();
  const refused = new Set<string>();
  return {
    async hold(ports) {
      const wanted = new Map(ports.filter(({ protocol, publishedPort }) => protocol !== 'sctp' && !isOwn(publishedPort)).map((port) => [portKey(port), port]));
      for (const [key, holding] of held) {
        if (wanted.has(key)) continue;
        await holding.close();
        held.delete(key);
      }
      for (const key of refused) if (!wanted.has(key)) refused.delete(key);
      for (const [key, { protocol, publishedPort }] of wanted) {
        if (held.has(key)) continue;
        try {
          held.set(key, protocol === 'tcp' ? await holdTcp(publishedPort, onStray) : await holdUdp(publishedPort));
          if (refused.delete(key)) log.info({ port: key }, 'published port is free now and is served');
        } catch (error) {
          if (!refused.has(key)) log.warn({ port: key, error: String(error) }, 'published port is used by another program on this node; it is not served here');
          refused.add(key);
        }
      }
      return new Set(refused);
    },
    async close() {
      for (const holding of held.values()) await holding.close();
      held.clear();
    },
  };
}

/** IPv4 only: an IPv6 connection must be refused, so that a client that tries ::1 first goes on to 127.0.0.1. */
function holdTcp(port: number, onStray: () => void): Promise<Holding> {
  return new Promise((resolve, reject) => {
    const server = net.createServer((socket) => {
      socket.on('error', () => {});
      socket.resetAndDestroy();
      onStray();
    });
    server.once('error', reject);
    server.listen({ port, host: '0.0.0.0', backlog: 1, exclusive: true }, () => resolve({ close: () => new Promise((done) => server.close(() => done())) }));
  });
}

function holdUdp(port: number): Promise<Holding> {
  return new Promise((resolve, reject) => {
    const socket = dgram.createSocket('udp4');
    socket.once('error', reject);
    socket.bind({ port, address: '0.0.0.0', exclusive: true }, () => {
      // What arrives is not for us; leaving it unread in a tiny buffer is cheaper than waking up for it.
      socket.on('error', () => {});
      socket.setRecvBufferSize(1);
      resolve({ close: () => new Promise((done) => socket.close(() => done())) });
    });
  });
}
