// DNS over TCP: messages with their length before them, several per connection.
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { listening } from '#lib/listen.ts';

export interface TcpListener {
  close(): Promise<void>;
}

const MAX_CONNECTIONS = 256;
/** A connection that asks nothing gives its place to another. */
const IDLE_TIMEOUT_MS = 10_000;
/** Questions of one connection that are answered at the same time; beyond, the connection is not read. */
const MAX_PIPELINED = 32;

/** Resolves once it listens. `respond` must not reject; without a response the connection is closed. */
export async function listenTcp(address: string, port: number, respond: (message: Buffer, from: string) => Promise<Buffer | undefined>): Promise<TcpListener> {
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    serve(socket, respond);
  });
  server.maxConnections = MAX_CONNECTIONS;
  await listening(server, (done) => server.listen({ host: address, port, exclusive: true }, done));
  return {
    async close() {
      const closed = once(server, 'close');
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

function serve(socket: Socket, respond: (message: Buffer, from: string) => Promise<Buffer | undefined>): void {
  const from = socket.remoteAddress ?? '';
  let received = Buffer.alloc(0);
  let pending = 0;
  let hasEnded = false;
  const takeMessages = () => {
    while (pending < MAX_PIPELINED && received.length >= 2) {
      const end = 2 + received.readUInt16BE(0);
      if (received.length < end) return;
      const message = received.subarray(2, end);
      received = received.subarray(end);
      pending++;
      void respond(message, from).then((response) => {
        pending--;
        if (!response || socket.destroyed) return void socket.destroy();
        const length = Buffer.alloc(2);
        length.writeUInt16BE(response.length, 0);
        socket.write(Buffer.concat([length, response]));
        takeMessages();
        if (hasEnded && pending === 0) socket.end();
        else socket.resume();
      });
    }
    if (pending >= MAX_PIPELINED) socket.pause();
  };
  socket.setTimeout(IDLE_TIMEOUT_MS, () => socket.destroy());
  socket.on('error', () => socket.destroy());
  // A client may close its side right after its question.
  socket.on('end', () => {
    hasEnded = true;
    if (pending === 0) socket.end();
  });
  socket.on('data', (chunk) => {
    received = Buffer.concat([received, chunk]);
    takeMessages();
  });
}
