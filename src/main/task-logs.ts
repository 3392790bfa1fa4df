// Logs of tasks wherever they run or ran, as one stream in order of time: of tasks that are in the store, and of those whose logs some node kept.
import type { LogChunk, LogOptions, LogsWanted } from '#control/control.ts';
import { timeKey } from '#engine/log-codec.ts';
import type { Task } from '#domain/objects.ts';
import { taskStateRank } from '#domain/task-state.ts';
import type { Clock } from '#lib/clock.ts';
import { AppError, errorMessage } from '#lib/errors.ts';
import type { Logger } from '#lib/log.ts';
import type { Store } from '#store/store.ts';
import type { GoneTasks } from './gone-tasks.ts';
import { mergeByTime } from '#lib/merge-by-time.ts';
import type { NodeEngines } from './node-engines.ts';
import { chunkOf, keptLines, keptTasks, type ReadContext, readTaskLog, watchSilence } from './read-task-log.ts';

export interface LogRequest {
  readonly wanted: LogsWanted;
  readonly options: LogOptions;
  readonly signal: AbortSignal;
}

export interface LogSources {
  readonly store: Store;
  readonly engines: NodeEngines;
  readonly gone: GoneTasks;
  readonly clock: Clock;
  readonly log: Logger;
}

/** With follow: lines of different tasks are put in order as far as they come within this time. */
const FOLLOW_PATIENCE_MS = 100;
/** A node that does not say within this time what it kept, or then gives nothing for so long, is not waited for. */
const KEPT_TIMEOUT_MS = 5_000;

/** Ends when every task's log ended; with `follow`, with the signal. Then, in Docker's words, it throws what could not be read. */
export async function* logsOfTasks(sources: LogSources, { wanted, options, signal }: LogRequest): AsyncGenerator<LogChunk> {
  const { store, clock } = sources;
  const stop = new AbortController();
  const missing = new Set<string>();
  const news = createNews();
  const context: ReadContext = {
    ...sources,
    options,
    signal: AbortSignal.any([signal, stop.signal]),
    missing: (reason) => missing.add(reason),
    changed: news.next,
  };
  const started = new Set<string>();
  const startNew = (startOptions: LogOptions) =>
    wanted.taskIds().flatMap((id) => {
      const task = store.view.get('task', id);
      if (task === undefined || !mayHaveLog(task) || started.has(id)) return [];
      started.add(id);
      return [readTaskLog(task, { ...context, options: startOptions })];
    });
  const first = startNew(options);
  const unwatch = store.watch((_revision, events) => events.some(({ object }) => object.kind === 'task' || object.kind === 'node') && news.tell());
  try {
    yield* mergeByTime<LogChunk>({
      sources: [...first, ...keptOfNodes(sources, { wanted, started, context })],
      keyOf: ({ timestamp }) => timeKey(timestamp),
      ...(options.follow ? { patienceMs: FOLLOW_PATIENCE_MS, onReady: (add) => void takeUp(add, { startNew, news, context }) } : {}),
      clock,
      signal: context.signal,
    });
    if (missing.size > 0 && !signal.aborted) throw new AppError('unknown', incompleteText([...missing]));
  } finally {
    unwatch();
    stop.abort();
    news.tell();
  }
}

/** Engines end the log of a container that was not started at once, whoever follows it. */
function mayHaveLog({ status }: Task): boolean {
  return status.container !== undefined && taskStateRank[status.state] > taskStateRank.starting;
}

function incompleteText(reasons: readonly string[]): string {
  return `warning: incomplete log stream. some logs could not be retrieved for the following reasons: ${reasons.join(', ')}`;
}

interface TakingUp {
  readonly startNew: (options: LogOptions) => readonly AsyncIterable<LogChunk>[];
  readonly news: News;
  readonly context: ReadContext;
}

/** Tasks that appear while logs are followed. All that they say is new, so that nothing is cut off. */
async function takeUp(add: (source: AsyncIterable<LogChunk>) => void, { startNew, news, context }: TakingUp): Promise<void> {
  const { tail: _tail, ...options } = context.options;
  try {
    while (!context.signal.aborted) {
      const next = news.next();
      for (const source of startNew(options)) add(source);
      await next;
    }
  } catch (error) {
    // What goes wrong here concerns nobody but the reader of this stream.
    add(failing(error));
  }
}

async function* failing(error: unknown): AsyncGenerator<LogChunk> {
  yield* [];
  throw error;
}

interface KeptRequest {
  readonly wanted: LogsWanted;
  /** Tasks whose logs are read as theirs: what is kept of them comes with that. */
  readonly started: ReadonlySet<string>;
  readonly context: ReadContext;
}

function keptOfNodes(sources: LogSources, { wanted: { kept }, started, context }: KeptRequest): readonly AsyncIterable<LogChunk>[] {
  if (kept === undefined) return [];
  const { store, engines, gone, clock, log } = sources;
  const nodes = [...store.view.list('node')].filter(({ status }) => status.state === 'ready');
  return nodes.map(async function* ({ id: nodeId }): AsyncGenerator<LogChunk> {
    const late = new AbortController();
    const cancel = clock.schedule(KEPT_TIMEOUT_MS, () => late.abort());
    const watch = watchSilence(clock, KEPT_TIMEOUT_MS, AbortSignal.any([context.signal, late.signal]));
    try {
      const link = await engines.linkTo(nodeId, 'kept-logs');
      const tasks = (await keptTasks(link, kept, watch.signal)).filter(({ taskId }) => !started.has(taskId));
      cancel();
      gone.note(tasks);
      const services = new Map(tasks.map(({ taskId, serviceId }) => [taskId, serviceId]));
      if (services.size === 0) return;
      for await (const { taskId, line } of watch.over(keptLines(link, kept, context.options, watch.signal))) {
        const serviceId = services.get(taskId);
        if (serviceId !== undefined) yield chunkOf({ id: taskId, nodeId, serviceId }, line);
      }
      if (watch.isOver()) throw new AppError('unavailable', 'it fell silent');
    } catch (error) {
      if (context.signal.aborted) return;
      log.debug({ node: nodeId, error: errorMessage(error) }, 'what a node kept of logs could not be read');
      context.missing(`node ${nodeId} is not available`);
    } finally {
      cancel();
      watch.end();
    }
  });
}

interface News {
  readonly next: () => Promise<void>;
  readonly tell: () => void;
}

function createNews(): News {
  let waiting = Promise.withResolvers<void>();
  return {
    next: () => waiting.promise,
    tell() {
      const told = waiting;
      waiting = Promise.withResolvers<void>();
      told.resolve();
    },
  };
}
