// A byte stream between a manager and a node's engine, in a gRPC call that the node opens because the manager asked for it: nodes need not be reachable.
// A frame is one byte that says what it is, and then its bytes; so either direction can end while the other goes on, which a gRPC call cannot say.
import type { Socket } from 'node:net';
import { type ClientDuplexStream, type ServerDuplexStream, status } from '@grpc/grpc-js';

/** Either end of the call. */
export type TunnelCall = ClientDuplexStream<Buffer, Buffer> | ServerDuplexStream<Buffer, Buffer>;

const DATA = 0;
const END = 1;

/** Ends the call at once for both ends. To destroy the server's end is not enough: the client would never hear of it. */
export function cancelTunnel(call: TunnelCall): void {
  if ('cancel' in call) call.cancel();
  else call.emit('error', { code: status.UNAVAILABLE, details: 'the other end of the tunnel is gone' });
}

/** Joins the call with a socket until both directions have ended or one of the two is gone. */
export function joinTunnel(call: TunnelCall, socket: Socket): void {
  // It has ended while the way to the socket was made: nobody would say so again.
  if (call.destroyed) return void socket.destroy();
  const cancel = () => cancelTunnel(call);
  let ended = 0;
  const oneEnded = () => {
    ended++;
    if (ended === 2) call.end();
  };
  socket.on('data', (chunk: Buffer) => {
    if (!call.write(Buffer.concat([Buffer.from([DATA]), chunk]))) socket.pause();
  });
  call.on('drain', () => socket.resume());
  socket.on('end', () => {
    call.write(Buffer.from([END]));
    oneEnded();
  });
  call.on('data', (frame: Buffer) => {
    if (frame[0] === END) {
      socket.end();
      oneEnded();
    } else if (!socket.write(frame.subarray(1))) call.pause();
  });
  socket.on('drain', () => call.resume());
  socket.on('error', cancel);
  // Closed before both ends were said: the other side must not wait.
  socket.on('close', () => {
    if (ended < 2) cancel();
  });
  call.on('error', () => socket.destroy());
  call.on('close', () => socket.destroySoon());
  call.on('end', () => socket.end());
}
