// The log of one task as its node has it: with the container, or kept when that is gone. When the log is followed, reading goes on where it was after the
// way to the node was lost, and no line comes twice.
import type { LogChunk, LogOptions } from '#control/control.ts';
import type { Task } from '#domain/objects.ts';
import { createEngineClient, isNotFound } from '#engine/engine-client.ts';
import type { KeptTask } from '#engine/kept-logs.ts';
import { timeKey } from '#engine/log-codec.ts';
import { framedMessages, joinLines, type TaskLogLine, taskLogs } from '#engine/logs.ts';
import type { EngineLink } from '#engine-link/connection.ts';
import type { Clock } from '#lib/clock.ts';
import { AppError, errorMessage } from '#lib/errors.ts';
import type { Store } from '#store/store.ts';
import { TASK_ATTRIBUTE } from './kept-logs-server.ts';
import type { NodeEngines } from './node-engines.ts';

export interface ReadContext {
  readonly store: Store;
  readonly engines: NodeEngines;
  readonly clock: Clock;
  readonly options: LogOptions;
  readonly signal: AbortSignal;
  /** What could not be read, and why, in Docker's words. */
  readonly missing: (reason: string) => void;
  /** Resolves when a task or node has changed. */
  readonly changed: () => Promise<void>;
}

/** Without follow: a node that gives nothing for so long is not waited for. */
const SILENCE_LIMIT_MS = 10_000;
/** With follow: between tries to get on with a log whose node is there but does not answer. */
const RETRY_MS = 1_000;
/** A change of leader is over by then: nothing was missing, and nothing is said. */
const WARN_AFTER_MS = 3_000;
/** Some engines leave out the lines of the very moment that is asked from. */
const RESUME_MARGIN_MS = 1_000;

type Failure = { readonly kind: 'unavailable' | 'disconnected'; readonly reason: string } | { readonly kind: 'final'; readonly reason: string };

/** Never throws: what cannot be read is told to `missing` or, when the log is followed, said in a line of standard error. */
export async function* readTaskLog(first: Task, context: ReadContext): AsyncGenerator<LogChunk> {
  const { store, clock, options, signal } = context;
  const place = createPlace();
  let task = first;
  let failedSince: number | undefined;
  let warned = false;
  let ended = false;
  while (!signal.aborted) {
    const stored = store.view.get('task', task.id);
    task = stored ?? task;
    let failure: Failure | undefined;
    try {
      const wanted = ended ? { ...options, follow: false } : options;
      for await (const line of linesOfTask(task, place.optionsFrom(wanted), context)) {
        failedSince = undefined;
        warned = false;
        if (place.isNew(line)) yield chunkOf(task, line);
      }
      if (ended || !options.follow) return;
      // Podman ends the log of a container that is removed before all of its lines are told: the rest is with the container still, or kept.
      ended = true;
      continue;
    } catch (error) {
      failure = failureOf(error, task, place.hasRead());
    }
    if (signal.aborted) return;
    if (!options.follow) return context.missing(failure.reason);
    failedSince ??= clock.elapsed();
    // Of a task that is gone, or whose log the engine refuses, nothing more will come.
    const isOver = failure.kind === 'final' || stored === undefined || store.view.get('node', task.nodeId ?? '') === undefined;
    if (!warned && options.stderr && (isOver || clock.elapsed() - failedSince >= WARN_AFTER_MS)) {
      yield chunkOf(task, warning(failure.reason, clock.now()));
      warned = true;
    }
    if (isOver) return;
    await Promise.race([context.changed(), clock.sleep(RETRY_MS, signal).catch(() => {})]);
  }
}

async function* linesOfTask(task: Task, options: LogOptions, { store, engines, clock, signal }: ReadContext): AsyncGenerator<TaskLogLine> {
  const { nodeId = '', status } = task;
  if (store.view.get('node', nodeId)?.status.state !== 'ready') throw notAvailable(nodeId);
  const watch = watchSilence(clock, options.follow ? undefined : SILENCE_LIMIT_MS, signal);
  try {
    const link = await engines.linkTo(nodeId);
    const containerId = status.container?.containerId ?? '';
    try {
      yield* watch.over(taskLogs({ link, containerId, options, signal: watch.signal }));
      if (watch.isOver()) throw notAvailable(nodeId);
      return;
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
    for await (const { line } of watch.over(keptLines(await engines.linkTo(nodeId, 'kept-logs'), { task: task.id }, options, watch.signal))) yield line;
    if (watch.isOver()) throw notAvailable(nodeId);
  } finally {
    watch.end();
  }
}

export interface KeptQuery {
  readonly service?: string;
  readonly task?: string;
  /** The container's id, a beginning of it, or its name. */
  readonly container?: string;
}

/** The tasks whose logs a node kept. None of a node that knows of no such thing. */
export async function keptTasks(link: EngineLink, query: KeptQuery, signal: AbortSignal): Promise<readonly KeptTask[]> {
  const client = createEngineClient({ link });
  return (await client.find<readonly KeptTask[]>({ method: 'GET', path: '/kept', query: { ...query }, signal })) ?? [];
}

/** The lines that a node kept, in order of time. */
export async function* keptLines(
  link: EngineLink,
  query: KeptQuery,
  { stdout, stderr, tail, since }: LogOptions,
  signal: AbortSignal,
): AsyncGenerator<{ readonly taskId: string; readonly line: TaskLogLine }> {
  const client = createEngineClient({ link });
  const asked = { ...query, stdout: stdout ? 1 : 0, stderr: stderr ? 1 : 0, tail, since };
  const stream = await client.stream({ method: 'GET', path: '/kept/logs', query: asked, signal }).catch((error: unknown) => {
    if (isNotFound(error)) return undefined;
    throw error;
  });
  if (stream === undefined) return;
  try {
    for await (const line of joinLines(framedMessages(stream))) {
      const { [TASK_ATTRIBUTE]: taskId = '', ...attributes } = line.attributes;
      yield { taskId, line: { ...line, attributes } };
    }
  } finally {
    stream.destroy();
  }
}

export function chunkOf({ id: taskId, nodeId = '', serviceId = '' }: Pick<Task, 'id' | 'nodeId' | 'serviceId'>, line: TaskLogLine): LogChunk {
  return { taskId, nodeId, serviceId, ...line };
}

function notAvailable(nodeId: string): AppError {
  return new AppError('unavailable', `node ${nodeId} is not available`);
}

/** The words are SwarmKit's (manager/logbroker). */
function failureOf(error: unknown, { nodeId = '' }: Task, hasRead: boolean): Failure {
  if (error instanceof AppError && error.code !== 'unavailable') return { kind: 'final', reason: errorMessage(error) };
  if (hasRead || !(error instanceof AppError)) return { kind: 'disconnected', reason: `node ${nodeId} disconnected unexpectedly` };
  return { kind: 'unavailable', reason: `node ${nodeId} is not available` };
}

function warning(reason: string, now: number): TaskLogLine {
  const line = Buffer.from(`warning: incomplete log stream. some logs could not be retrieved for the following reasons: ${reason}\n`);
  return { stream: 'stderr', timestamp: new Date(now).toISOString().replace('Z', '000000Z'), attributes: {}, line };
}

interface Place {
  readonly isNew: (line: TaskLogLine) => boolean;
  readonly hasRead: () => boolean;
  /** What to ask for, to go on from here. */
  readonly optionsFrom: (options: LogOptions) => LogOptions;
}

/** The last lines of a moment, by which it is found again. */
const RECENT_LINES = 8;

/** How far a log has been read: up to the last line's time, and to the lines that had it. Some engines tell whole seconds, so they are many. */
function createPlace(): Place {
  let last = '';
  let ofLast = 0;
  let recent: readonly string[] = [];
  /** Lines of the last line's time that were given again, when reading goes on. */
  let again: readonly string[] = [];
  let countAgain = 0;
  let resuming = false;

  /** Whether the line is one that was read before; ends with the last of these. */
  function isKnown(key: string, text: string): boolean {
    if (key > last) return false;
    if (key < last) return true;
    again = [...again, text].slice(-recent.length);
    countAgain += 1;
    if (countAgain >= ofLast && recent.every((line, index) => line === again[index])) resuming = false;
    return true;
  }

  return {
    hasRead: () => last !== '',
    isNew({ timestamp, stream, line }) {
      const key = timeKey(timestamp);
      const text = `${stream} ${Buffer.from(line).toString('latin1')}`;
      if (resuming && isKnown(key, text)) return false;
      resuming = false;
      ofLast = key === last ? ofLast + 1 : 1;
      recent = key === last ? [...recent, text].slice(-RECENT_LINES) : [text];
      last = key;
      return true;
    },
    optionsFrom(options) {
      if (last === '') return options;
      resuming = true;
      countAgain = 0;
      again = [];
      const { tail: _tail, ...others } = options;
      return { ...others, since: Date.parse(`${last.slice(0, 23)}Z`) - RESUME_MARGIN_MS };
    },
  };
}

/** Ends a reading that gives nothing for too long. While its reader is busy no time passes. */
export function watchSilence(clock: Clock, limitMs: number | undefined, signal: AbortSignal) {
  const silent = new AbortController();
  let cancel = () => {};
  const wait = () => {
    cancel();
    if (limitMs !== undefined) cancel = clock.schedule(limitMs, () => silent.abort());
  };
  return {
    signal: AbortSignal.any([signal, silent.signal]),
    isOver: () => silent.signal.aborted,
    async *over<T>(items: AsyncIterable<T>): AsyncGenerator<T> {
      wait();
      for await (const item of items) {
        cancel();
        yield item;
        wait();
      }
      cancel();
    },
    end: () => cancel(),
  };
}
