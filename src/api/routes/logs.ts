// /services/{id}/logs and /tasks/{id}/logs: the lines of many tasks in one stream.
// How lines are framed is log-frames.ts; where they come from is the membership's business.
import type { LogChunk, LogOptions } from '#control/control.ts';
import type { Task } from '#domain/objects.ts';
import type { TaskSpec } from '#domain/spec.ts';
import { AppError } from '#lib/errors.ts';
import type { OwnResult } from '../respond.ts';
import { MULTIPLEXED_STREAM, RAW_STREAM, type RouteContext, type RouteRequest, type RouteResult } from '../route.ts';
import { framesOf, type LogView } from './log-frames.ts';
import { param } from './params.ts';
import { flag } from './parse.ts';

/** First API version whose clients are told that a stream is multiplexed. */
const API_WITH_MULTIPLEXED_TYPE = 42;

export function serviceLogs(request: RouteRequest, context: RouteContext): RouteResult {
  requireStream(request.query);
  const { services } = context.membership.control();
  const service = services.get(param(request, 'id'));
  const options = logOptions(request.query);
  // Of a service that is removed while its log is followed, nothing more comes.
  const taskIds = () => tasksWithNode(exists(context, service.id) ? context.membership.control().tasks.list({ service: [service.id] }) : []);
  return streamOf(
    request,
    viewOf(request.query, service.spec.task),
    context.membership.logs({ taskIds, kept: { service: service.id } }, options, request.signal),
  );
}

export function taskLogs(request: RouteRequest, context: RouteContext): RouteResult {
  requireStream(request.query);
  const task = storedOrGone(context, param(request, 'id'));
  const options = logOptions(request.query);
  // A task that is in no store any more has no version.
  const wanted = { taskIds: () => [task.id], ...(task.version === 0 ? { kept: { task: task.id } } : {}) };
  const chunks = task.nodeId === undefined && !options.follow ? unscheduled(task) : context.membership.logs(wanted, options, request.signal);
  return streamOf(request, viewOf(request.query, task.spec), chunks);
}

/** A task that is in no store any more is known for a while after its log was read. */
export function storedOrGone({ membership }: RouteContext, ref: string): Task {
  try {
    return membership.control().tasks.get(ref);
  } catch (error) {
    const gone = error instanceof AppError && error.code === 'notFound' ? membership.goneTask(ref) : undefined;
    if (gone === undefined) throw error;
    return gone;
  }
}

function exists({ membership }: RouteContext, serviceId: string): boolean {
  return membership.control().services.list({ id: [serviceId] }).length > 0;
}

function tasksWithNode(tasks: readonly Task[]): readonly string[] {
  return tasks.filter((task) => task.nodeId !== undefined).map((task) => task.id);
}

/** What a stream ends with when a task has no node that could have its log. */
async function* unscheduled(task: Task): AsyncGenerator<LogChunk> {
  yield* [];
  const reasons = `task ${task.id} has not been scheduled`;
  throw new AppError('unknown', `warning: incomplete log stream. some logs could not be retrieved for the following reasons: ${reasons}`);
}

export function requireStream(query: URLSearchParams): void {
  if (flag(query, 'stdout') || flag(query, 'stderr')) return;
  throw new AppError('unknown', 'Bad parameters: you must choose at least one stream');
}

export function logOptions(query: URLSearchParams): LogOptions {
  const tail = tailOf(query.get('tail') ?? '');
  const since = sinceOf(query.get('since') ?? '');
  return {
    follow: flag(query, 'follow'),
    stdout: flag(query, 'stdout'),
    stderr: flag(query, 'stderr'),
    ...(tail === undefined ? {} : { tail }),
    ...(since === undefined ? {} : { since }),
  };
}

function tailOf(text: string): number | undefined {
  if (text === '' || text === 'all') return undefined;
  if (!/^[+-]?\d+$/.test(text)) throw new AppError('unknown', 'tail value must be a positive integer or "all"');
  if (text.startsWith('-') && Number(text) !== 0) throw new AppError('unknown', 'negative tail values not supported');
  return Math.abs(Number(text));
}

/** Seconds since the epoch with up to nine digits after the point → milliseconds. */
export function sinceOf(text: string): number | undefined {
  if (text === '') return undefined;
  const [seconds = '', fraction = ''] = text.split('.', 2);
  for (const part of fraction === '' ? [seconds] : [seconds, fraction]) {
    if (/^-?\d+$/.test(part)) continue;
    throw new AppError('unknown', `could not parse since timestamp: strconv.ParseInt: parsing ${JSON.stringify(part)}: invalid syntax`);
  }
  return Number(`${seconds}.${fraction || '0'}`) * 1_000;
}

export function viewOf(query: URLSearchParams, spec: TaskSpec): LogView {
  return {
    tty: spec.runtime.kind === 'container' && spec.runtime.container.tty === true,
    details: flag(query, 'details'),
    timestamps: flag(query, 'timestamps'),
  };
}

export function streamOf({ apiVersion }: Pick<RouteRequest, 'apiVersion'>, view: LogView, chunks: AsyncIterable<LogChunk>): OwnResult {
  const contentType = !view.tty && apiVersion >= API_WITH_MULTIPLEXED_TYPE ? MULTIPLEXED_STREAM : RAW_STREAM;
  return { kind: 'stream', status: 200, contentType, body: framesOf(chunks, view) };
}
