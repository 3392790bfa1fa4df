// /services/{id}/logs and /tasks/{id}/logs: the lines of many tasks in one stream.
// Framing is here; where the lines come from is the membership's business.
import type { LogChunk, LogOptions } from '#control/control.ts';
import type { Task } from '#domain/objects.ts';
import type { TaskSpec } from '#domain/spec.ts';
import { AppError, errorMessage } from '#lib/errors.ts';
import { MULTIPLEXED_STREAM, RAW_STREAM, type RouteContext, type RouteRequest, type RouteResult } from '../route.ts';
import { param } from './params.ts';
import { flag } from './parse.ts';

/** First API version whose clients are told that a stream is multiplexed. */
const API_WITH_MULTIPLEXED_TYPE = 42;

const frameType = { stdout: 1, stderr: 2, systemError: 3 } as const;

interface LogView {
  readonly tty: boolean;
  readonly details: boolean;
  readonly timestamps: boolean;
}

export function serviceLogs(request: RouteRequest, context: RouteContext): RouteResult {
  requireStream(request.query);
  const { services } = context.membership.control();
  const service = services.get(param(request, 'id'));
  const options = logOptions(request.query);
  const taskIds = () => tasksWithNode(context.membership.control().tasks.list({ service: [service.id] }));
  return streamOf(request, viewOf(request.query, service.spec.task), context.membership.logs(taskIds, options, request.signal));
}

export function taskLogs(request: RouteRequest, context: RouteContext): RouteResult {
  requireStream(request.query);
  const task = context.membership.control().tasks.get(param(request, 'id'));
  const options = logOptions(request.query);
  const chunks = task.nodeId === undefined && !options.follow ? unscheduled(task) : context.membership.logs(() => [task.id], options, request.signal);
  return streamOf(request, viewOf(request.query, task.spec), chunks);
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

function requireStream(query: URLSearchParams): void {
  if (flag(query, 'stdout') || flag(query, 'stderr')) return;
  throw new AppError('unknown', 'Bad parameters: you must choose at least one stream');
}

function logOptions(query: URLSearchParams): LogOptions {
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
function sinceOf(text: string): number | undefined {
  if (text === '') return undefined;
  const [seconds = '', fraction = ''] = text.split('.', 2);
  for (const part of fraction === '' ? [seconds] : [seconds, fraction]) {
    if (/^-?\d+$/.test(part)) continue;
    throw new AppError('unknown', `could not parse since timestamp: strconv.ParseInt: parsing ${JSON.stringify(part)}: invalid syntax`);
  }
  return Number(`${seconds}.${fraction || '0'}`) * 1_000;
}

function viewOf(query: URLSearchParams, spec: TaskSpec): LogView {
  return {
    tty: spec.runtime.kind === 'container' && spec.runtime.container.tty === true,
    details: flag(query, 'details'),
    timestamps: flag(query, 'timestamps'),
  };
}

function streamOf({ apiVersion }: RouteRequest, view: LogView, chunks: AsyncIterable<LogChunk>): RouteResult {
  const contentType = !view.tty && apiVersion >= API_WITH_MULTIPLEXED_TYPE ? MULTIPLEXED_STREAM : RAW_STREAM;
  return { kind: 'stream', status: 200, contentType, body: framesOf(chunks, view) };
}

/** Once a stream has begun, a failure can only be told inside it. */
async function* framesOf(chunks: AsyncIterable<LogChunk>, view: LogView): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of chunks) yield frame(chunk.stream, lineOf(chunk, view), view.tty);
  } catch (error) {
    yield frame('systemError', Buffer.from(`Error grabbing logs: ${errorMessage(error)}\n`), view.tty);
  }
}

/** A header of eight bytes (stream, three zeros, length in network order) and the payload; a terminal's output has no header. */
function frame(stream: keyof typeof frameType, payload: Uint8Array, tty: boolean): Uint8Array {
  if (tty) return payload;
  const framed = Buffer.alloc(8 + payload.byteLength);
  framed.writeUInt8(frameType[stream], 0);
  framed.writeUInt32BE(payload.byteLength, 4);
  framed.set(payload, 8);
  return framed;
}

function lineOf(chunk: LogChunk, { details, timestamps }: LogView): Uint8Array {
  const prefix = `${timestamps ? `${fixedTimestamp(chunk.timestamp)} ` : ''}${details ? `${attributesOf(chunk)} ` : ''}`;
  return prefix === '' ? chunk.line : Buffer.concat([Buffer.from(prefix), chunk.line]);
}

/** Nine digits after the second, always, so that lines align. */
function fixedTimestamp(timestamp: string): string {
  const match = /^(.*?)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)$/.exec(timestamp);
  return match ? `${match[1]}.${(match[2] ?? '').padEnd(9, '0').slice(0, 9)}${match[3]}` : timestamp;
}

/** `k=v` in order of key, escaped as in a query. The CLI finds the first three by name. */
function attributesOf(chunk: LogChunk): string {
  const all = {
    ...chunk.attributes,
    'com.docker.swarm.node.id': chunk.nodeId,
    'com.docker.swarm.service.id': chunk.serviceId,
    'com.docker.swarm.task.id': chunk.taskId,
  };
  return Object.entries(all)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${queryEscape(key)}=${queryEscape(value)}`)
    .join(',');
}

/** Go's url.QueryEscape: a space is "+", and only letters, digits, "-", "_", "." and "~" stay. */
function queryEscape(text: string): string {
  return encodeURIComponent(text)
    .replaceAll(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`)
    .replaceAll('%20', '+');
}
