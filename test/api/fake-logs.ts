// The part of an engine that log readers ask: a container's TTY and its lines, over a real socket.
import { once } from 'node:events';
import { createServer } from 'node:http';

export interface FakeLogs {
  /** `unix://…` */
  readonly address: string;
  close(): Promise<void>;
}

/** The containers are those of `fake-executor.ts`: `container-<task id>`. */
export async function startFakeLogs(socketPath: string, linesOf: (taskId: string) => readonly string[]): Promise<FakeLogs> {
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://engine');
    const [, taskId, what] = /^(?:\/v1\.\d+)?\/containers\/container-([^/]+)\/(json|logs)$/.exec(url.pathname) ?? [];
    if (taskId === undefined) return void response.writeHead(404, { 'Content-Type': 'application/json' }).end('{"message":"page not found"}');
    if (what === 'json') return void response.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify({ Config: { Tty: false } }));
    const lines = linesOf(taskId);
    const tail = url.searchParams.get('tail') ?? 'all';
    response.writeHead(200, { 'Content-Type': 'application/vnd.docker.raw-stream' });
    for (const line of tail === 'all' ? lines : lines.slice(lines.length - Number(tail))) response.write(frameOf(`2026-11-20T11:51:00.12Z  ${line}\n`));
    response.end();
  });
  server.listen(socketPath);
  await once(server, 'listening');
  return {
    address: `unix://${socketPath}`,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

function frameOf(text: string): Buffer {
  const payload = Buffer.from(text);
  const header = Buffer.from([1, 0, 0, 0, 0, 0, 0, 0]);
  header.writeUInt32BE(payload.length, 4);
  return Buffer.concat([header, payload]);
}
