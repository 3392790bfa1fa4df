// What this node kept of the logs of tasks that are gone, over HTTP on a socket in its state directory: for managers, through a tunnel, as they reach the
// engine. `GET /kept` lists tasks, `GET /kept/logs` gives their lines, as frames like the engine's; both take `service`, `task` or `container`.
import { rmSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { createServer } from '#lib/node-http.ts';
import { once } from 'node:events';
import { createEngineConnection } from '#engine-link/link.ts';
import type { EngineLink } from '#engine-link/connection.ts';
import type { KeptLogs, KeptTask } from '#engine/kept-logs.ts';
import { encodeLine, timeKey } from '#engine/log-codec.ts';
import type { TaskLogLine } from '#engine/logs.ts';
import { taskName } from '#domain/task-name.ts';
import type { Clock } from '#lib/clock.ts';
import { errorMessage } from '#lib/errors.ts';
import { listening } from '#lib/listen.ts';
import type { Logger } from '#lib/log.ts';
import { mergeByTime } from '#lib/merge-by-time.ts';

/** Among a line's attributes: whose it is. */
export const TASK_ATTRIBUTE = 'com.docker.swarm.task.id';

export interface KeptLogsServer {
  readonly link: EngineLink;
  close(): Promise<void>;
}

export interface KeptLogsServerOptions {
  readonly kept: KeptLogs;
  /** The socket's; the folder is the daemon's alone. */
  readonly path: string;
  readonly clock: Clock;
  readonly log: Logger;
}

export async function startKeptLogsServer({ kept, path, clock, log }: KeptLogsServerOptions): Promise<KeptLogsServer> {
  rmSync(path, { force: true });
  const server = createServer((request, response) => {
    answer(kept, clock, request.url ?? '/', response).catch((error: unknown) => {
      log.warn({ error: errorMessage(error) }, 'kept logs could not be sent');
      response.destroy();
    });
  });
  await listening(server, (done) => server.listen(path, done));
  const link = createEngineConnection({ address: `unix://${path}`, clock });
  return {
    link,
    async close() {
      link.close();
      server.close();
      server.closeAllConnections();
      rmSync(path, { force: true });
    },
  };
}

async function answer(kept: KeptLogs, clock: Clock, target: string, response: ServerResponse): Promise<void> {
  const { pathname, searchParams: query } = new URL(target, 'http://node');
  if (pathname !== '/kept' && pathname !== '/kept/logs') return void response.writeHead(404).end();
  const container = query.get('container');
  const tasks = (await kept.list()).filter(
    (task) => task.serviceId === query.get('service') || task.taskId === query.get('task') || (container !== null && hadContainer(task, container)),
  );
  if (pathname === '/kept') return void response.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify(tasks));
  response.writeHead(200, { 'Content-Type': 'application/octet-stream' });
  response.flushHeaders();
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  const lines = mergeByTime<TaskLogLine>({
    sources: tasks.map((task) => linesOf(kept, task, query)),
    keyOf: ({ timestamp }) => timeKey(timestamp),
    clock,
    signal: gone.signal,
  });
  for await (const line of lines) {
    if (!response.write(encodeLine(line))) await once(response, 'drain', { signal: gone.signal }).catch(() => {});
    if (gone.signal.aborted) return;
  }
  response.end();
}

function hadContainer(task: KeptTask, ref: string): boolean {
  return ref !== '' && (task.containerId.startsWith(ref) || task.taskId === ref || taskName({ ...task, id: task.taskId }) === ref);
}

async function* linesOf(kept: KeptLogs, { taskId }: KeptTask, query: URLSearchParams): AsyncGenerator<TaskLogLine> {
  const number = (name: string) => (query.has(name) ? { [name]: Number(query.get(name)) } : {});
  const options = { stdout: query.get('stdout') === '1', stderr: query.get('stderr') === '1', ...number('tail'), ...number('since') };
  for await (const line of kept.read(taskId, options)) yield { ...line, attributes: { ...line.attributes, [TASK_ATTRIBUTE]: taskId } };
}
