// An engine made of a unix socket, for tests of the proxy: it sees the bytes of each request and answers with bytes. It knows the two questions
// that the proxy asks on its own, /version and /_ping, like a dockerd of API 1.41; the rest is a test's script.
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseHead } from './http-head.ts';

export interface EngineCall {
  /** `POST /v1.41/containers/create HTTP/1.1` */
  readonly firstLine: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Flat name-value list, as it came. */
  readonly rawHeaders: readonly string[];
  /** What had come after the head with the same packet. */
  readonly rest: Buffer;
  readonly socket: Socket;
  /** Waits for the next request on the connection. */
  readonly again: () => void;
}

export interface FakeEngine {
  readonly address: string;
  /** Calls of the script so far. */
  readonly calls: EngineCall[];
  /** Open connections. */
  connections(): number;
  /** Connections that are open now are cut as soon as anything comes on them: closed by the engine, but not yet noticed. Returns how many. */
  forsakeConnections(): number;
  /** Ends every connection and stops listening, as a daemon that stops. */
  down(): Promise<void>;
  up(): Promise<void>;
  stop(): Promise<void>;
}

export type Script = (call: EngineCall) => void | Promise<void>;

export async function startFakeEngine(script: Script): Promise<FakeEngine> {
  const folder = await mkdtemp(join(tmpdir(), 'skep-fake-engine-'));
  const path = join(folder, 'engine.sock');
  const sockets = new Set<Socket>();
  const calls: EngineCall[] = [];
  const serve = (socket: Socket): void =>
    awaitRequest(socket, (request) => {
      const call = { ...request, again: () => serve(socket) };
      calls.push(call);
      void script(call);
    });
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
    serve(socket);
  });
  const up = () => new Promise<void>((resolve) => server.listen(path, resolve));
  const down = async () => {
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    for (const socket of sockets) socket.destroy();
    await closed;
  };
  await up();
  return {
    address: `unix://${path}`,
    calls,
    connections: () => sockets.size,
    forsakeConnections() {
      for (const socket of sockets) {
        socket.removeAllListeners('data');
        socket.once('data', () => socket.destroy());
      }
      return sockets.size;
    },
    up,
    down,
    async stop() {
      if (server.listening) await down();
      await rm(folder, { recursive: true });
    },
  };
}

/** Answers with a whole body and waits for the next request on the connection. */
export function answer(call: EngineCall, status: string, body: string, headers: readonly string[] = ['Content-Type: application/json']): void {
  call.socket.write([`HTTP/1.1 ${status}`, ...headers, `Content-Length: ${Buffer.byteLength(body)}`, '', body].join('\r\n'));
  call.again();
}

/** Reads the next request's head; answers the proxy's own questions by itself. */
function awaitRequest(socket: Socket, onCall: (call: Omit<EngineCall, 'again'>) => void): void {
  let seen: Buffer = Buffer.alloc(0);
  const onData = (chunk: Buffer) => {
    seen = Buffer.concat([seen, chunk]);
    const head = parseHead(seen);
    if (!head) return;
    const rest = seen.subarray(head.length);
    seen = Buffer.alloc(0);
    const own = ownAnswer(head.firstLine);
    if (own !== undefined) return void socket.write(own);
    socket.off('data', onData);
    const headers: Record<string, string> = {};
    for (let index = 0; index + 1 < head.rawHeaders.length; index += 2)
      headers[(head.rawHeaders[index] ?? '').toLowerCase()] = head.rawHeaders[index + 1] ?? '';
    onCall({ firstLine: head.firstLine, headers, rawHeaders: head.rawHeaders, rest, socket });
  };
  socket.on('data', onData);
}

function ownAnswer(firstLine: string): string | undefined {
  const version = JSON.stringify({ ApiVersion: '1.41', MinAPIVersion: '1.12', Version: '20.10.24', Components: [{ Name: 'Engine', Version: '20.10.24' }] });
  if (/^GET (\/v1\.41)?\/version /.test(firstLine))
    return `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ${version.length}\r\n\r\n${version}`;
  if (firstLine.startsWith('GET /_ping '))
    return 'HTTP/1.1 200 OK\r\nApi-Version: 1.41\r\nDocker-Experimental: false\r\nOstype: linux\r\nContent-Length: 2\r\n\r\nOK';
  return undefined;
}
