// The log of a task's container that is gone, while it is kept. Whatever else is asked of such a container the engine refuses: there is none. So does
// `inspect`, which the docker CLI's `logs` asks first: many a script waits for it to fail.
import type { LogChunk } from '#control/control.ts';
import type { Task } from '#domain/objects.ts';
import type { EngineLink } from '#engine-link/connection.ts';
import type { OwnResult } from '../respond.ts';
import type { RouteContext, RouteRequest } from '../route.ts';
import { logOptions, requireStream, sinceOf, streamOf, viewOf } from '../routes/logs.ts';

const path = /^\/containers\/([^/]+)\/logs$/;
/** The id of a container or the most of it, a task's id, or a name that ends with one. Nobody else's container can be a task's, so nobody is asked for it. */
const taskContainer = /^(?:[0-9a-f]{12,64}|(?:.+\.)?[0-9a-z]{25})$/;

/** Undefined when the engine has to answer: it has the container, or nobody kept anything of it. */
export async function answerForGone(request: Omit<RouteRequest, 'params' | 'body'>, context: RouteContext, engine: EngineLink): Promise<OwnResult | undefined> {
  const [, name = ''] = (request.method === 'GET' && path.exec(request.path)) || [];
  if (!taskContainer.test(decoded(name)) || (await exists(engine, name, request.signal))) return undefined;
  const task = await context.membership.goneContainer(decoded(name), request.signal);
  if (task === undefined) return undefined;
  return logsOf(task, request, context);
}

async function exists(engine: EngineLink, name: string, signal: AbortSignal): Promise<boolean> {
  const { status } = await engine.request({ method: 'GET', path: `/containers/${name}/json`, signal });
  return status !== 404;
}

function decoded(name: string): string {
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}

function logsOf(task: Task, request: Omit<RouteRequest, 'params' | 'body'>, context: RouteContext): OwnResult {
  const { query, signal } = request;
  requireStream(query);
  const until = sinceOf(query.get('until') ?? '');
  // Nothing more comes, so there is nothing to follow.
  const chunks = context.membership.logs({ taskIds: () => [], kept: { task: task.id } }, { ...logOptions(query), follow: false }, signal);
  return streamOf(request, { ...viewOf(query, task.spec), details: false }, until === undefined || until <= 0 ? chunks : before(until, chunks));
}

async function* before(until: number, chunks: AsyncIterable<LogChunk>): AsyncGenerator<LogChunk> {
  for await (const chunk of chunks) if (Date.parse(chunk.timestamp) <= until) yield chunk;
}
