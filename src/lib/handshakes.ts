// Connections of a TLS server whose other end has not shown who it is yet. There is room for so many, shared by where they come from, so that nobody who
// opens many and says nothing keeps others out.
import type { Socket } from 'node:net';
import type { Server } from 'node:tls';
import { createFairRoom, type FairRoomLimits, placeOfAddress } from './fair-room.ts';

/** `onFull` hears of a connection that is closed to make room. The server's own handshake timeout ends those that stay. */
export function limitHandshakes(server: Server, limits: FairRoomLimits, onFull: (socket: Socket) => void = () => {}): void {
  const room = createFairRoom<Socket>(limits);
  // The socket before the handshake and the one after it are two: they are told by where they call from.
  const shaking = new Map<string, Socket>();
  server.on('connection', (socket: Socket) => {
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
    const before = shaking.get(nameOf(socket));
    if (before !== undefined) room.leave(before);
  });
  // One that took too long is still open.
  server.on('tlsClientError', (_error, socket) => socket.destroy());
}

function nameOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress}:${remotePort}`;
}
