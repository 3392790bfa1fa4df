// Logs of tasks wherever they run, as one stream.
import type { LogChunk, LogOptions } from '#control/control.ts';
import type { Task } from '#domain/objects.ts';
import { present } from '#lib/assert.ts';
import type { Store } from '#store/store.ts';
import { followLogs } from './follow-logs.ts';
import type { NodeEngines } from './node-engines.ts';
import { containerLog, type Worker } from './worker.ts';

export interface LogRequest {
  readonly taskIds: () => readonly string[];
  readonly options: LogOptions;
  readonly signal: AbortSignal;
}

export interface LogSources {
  readonly store: Store;
  readonly worker: Worker;
  readonly engines: NodeEngines;
  readonly selfId: string;
}

export function logsOfTasks(sources: LogSources, { taskIds, options, signal }: LogRequest): AsyncIterable<LogChunk> {
  const { store } = sources;
  return followLogs<LogChunk>({
    taskIds: () => taskIds().filter((id) => isReadable(store, id)),
    open: (taskId, readSignal) => logOf(present(store.view.get('task', taskId), `task ${taskId}`), sources, options, readSignal),
    follow: options.follow,
    onChange: (listener) => store.watch((_revision, events) => events.some(({ object }) => object.kind === 'task' || object.kind === 'node') && listener()),
    signal,
  });
}

/** A log is with its container, on a node that is there. */
function isReadable({ view }: Store, taskId: string): boolean {
  const task = view.get('task', taskId);
  return task?.status.container !== undefined && view.get('node', task.nodeId ?? '')?.status.state === 'ready';
}

async function* logOf(task: Task, { worker, engines, selfId }: LogSources, options: LogOptions, signal: AbortSignal): AsyncGenerator<LogChunk> {
  const { nodeId = '' } = task;
  if (nodeId === selfId) yield* worker.logs(task, options, signal);
  else yield* containerLog(await engines.linkTo(nodeId), task, options, signal);
}
