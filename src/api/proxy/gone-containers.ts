// `docker logs` of a task's container that is gone, while its log is kept: the client inspects the container first, so what is still known of it is shown, as
// that of a dead one. Whatever else is asked of such a container the engine refuses: there is none.
import type { LogChunk } from '#control/control.ts';
import type { Task } from '#domain/objects.ts';
import { taskName } from '#domain/task-name.ts';
import type { EngineLink } from '#engine-link/connection.ts';
import type { OwnResult } from '../respond.ts';
import type { RouteContext, RouteRequest } from '../route.ts';
import { logOptions, requireStream, sinceOf, streamOf, viewOf } from '../routes/logs.ts';

const path = /^\/containers\/([^/]+)\/(json|logs)$/;
/** The id of a container or the most of it, a task's id, or a name that ends with one. Nobody else's container can be a task's, so nobody is asked for it. */
const taskContainer = /^(?:[0-9a-f]{12,64}|(?:.+\.)?[0-9a-z]{25})$/;
/** Says of a container that it is one of these. */
const KEPT_LOG_LABEL = 'com.docker.skep.kept-log';

/** Undefined when the engine has to answer: it has the container, or nobody kept anything of it. */
export async function answerForGone(request: Omit<RouteRequest, 'params' | 'body'>, context: RouteContext, engine: EngineLink): Promise<OwnResult | undefined> {
  const [, name = '', what] = (request.method === 'GET' && path.exec(request.path)) || [];
  if (!taskContainer.test(decoded(name)) || (await exists(engine, name, request.signal))) return undefined;
  const task = await context.membership.goneContainer(decoded(name), request.signal);
  if (task === undefined) return undefined;
  return what === 'json' ? { kind: 'json', status: 200, value: inspected(task) } : logsOf(task, request, context);
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

/** What `docker container inspect` prints of it: what was kept beside its log. */
function inspected(task: Task): unknown {
  const { status, spec, serviceId = '', serviceName, nodeId = '' } = task;
  const image = spec.runtime.kind === 'container' ? spec.runtime.container.image : '';
  const name = taskName(task);
  return {
    Id: status.container?.containerId ?? '',
    Created: new Date(task.createdAt).toISOString(),
    Path: '',
    Args: [],
    State: {
      Status: 'dead',
      Running: false,
      Paused: false,
      Restarting: false,
      OOMKilled: false,
      Dead: true,
      Pid: 0,
      ExitCode: status.container?.exitCode ?? 0,
      Error: 'the container is gone; its log is kept',
      StartedAt: new Date(task.createdAt).toISOString(),
      FinishedAt: new Date(status.timestamp).toISOString(),
    },
    Image: image,
    Name: `/${name}`,
    RestartCount: 0,
    Mounts: [],
    HostConfig: {},
    Config: {
      Image: image,
      Tty: spec.runtime.kind === 'container' && spec.runtime.container.tty === true,
      Env: null,
      Cmd: null,
      Labels: {
        [KEPT_LOG_LABEL]: 'true',
        'com.docker.swarm.node.id': nodeId,
        'com.docker.swarm.service.id': serviceId,
        'com.docker.swarm.service.name': serviceName,
        'com.docker.swarm.task': '',
        'com.docker.swarm.task.id': task.id,
        'com.docker.swarm.task.name': name,
      },
    },
    NetworkSettings: { Networks: {} },
  };
}
