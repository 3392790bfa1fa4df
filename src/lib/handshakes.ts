// Connections of a TLS server whose other end has not shown who it is yet. There is room for so many, shared by where they come from, so that nobody who
// opens many and says nothing keeps others out.
import { createFairRoom, type FairRoomLimits, placeOfAddress } from './fair-room.ts';

/** What is needed of a socket. */
interface Connection {
  readonly remoteAddress?: string | undefined;
  readonly remotePort?: number | undefined;
  once(event: 'close', listener: () => void): unknown;
  on(event: 'error', listener: () => void): unknown;
  destroy(): unknown;
}

/** And of a TLS server. */
interface Shaking {
  on(event: 'connection' | 'secureConnection', listener: (socket: Connection) => void): unknown;
  on(event: 'tlsClientError', listener: (error: Error, socket: Connection) => void): unknown;
}

export interface Handshakes {
  /** Closes the connections that are in their handshake: a server that closes knows only those that are past it. */
  end(): void;
}

/** `onFull` hears of a connection that is closed to make room. The server's own handshake timeout ends those that stay. */
export function limitHandshakes(server: Shaking, limits: FairRoomLimits, onFull: (socket: Connection) => void = () => {}): Handshakes {
  const room = createFairRoom<Connection>(limits);
  // The socket before the handshake and the one after it are two: they are told by where they call from.
  const shaking = new Map<string, Connection>();
  server.on('connection', (socket) => {
    const name = nameOf(socket);
    shaking.set(name, socket);
    socket.once('close', () => {
      if (shaking.get(name) === socket) shaking.delete(name);
      room.leave(socket);
    });
    // An end within the handshake would be nobody's otherwise.
    socket.on('error', () => {});
    const evicted = room.enter(socket, placeOfAddress(socket.remoteAddress ?? ''));
    if (evicted === undefined) return;
    onFull(evicted);
    evicted.destroy();
  });
  server.on('secureConnection', (socket) => {
    const name = nameOf(socket);
    const before = shaking.get(name);
    if (before === undefined) return;
    shaking.delete(name);
    room.leave(before);
  });
  // One that took too long is still open.
  server.on('tlsClientError', (_error, socket) => socket.destroy());
  return {
    end() {
      for (const socket of shaking.values()) socket.destroy();
    },
  };
}

function nameOf({ remoteAddress, remotePort }: Connection): string {
  return `${remoteAddress}:${remotePort}`;
}
