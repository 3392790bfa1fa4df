// The states of a task, in order. Observed and desired state only ever grow.

/** Numbers are SwarmKit's (api/types.proto), spaced so that states can be inserted. */
export const taskStateRank = {
  new: 0,
  pending: 64,
  assigned: 192,
  accepted: 256,
  preparing: 320,
  ready: 384,
  starting: 448,
  running: 512,
  complete: 576,
  shutdown: 640,
  failed: 704,
  rejected: 768,
  remove: 800,
  orphaned: 832,
} as const;

export type TaskState = keyof typeof taskStateRank;

/** What a manager may ask of a task. `complete` is what jobs ask for. */
export type DesiredState = 'ready' | 'running' | 'complete' | 'shutdown' | 'remove';

/** Negative when `a` comes before `b`, zero when equal. */
export function compareStates(a: TaskState, b: TaskState): number {
  return taskStateRank[a] - taskStateRank[b];
}

/** A task that will not run again: complete, shutdown, failed, rejected, orphaned (and the desired-only remove). */
export function isTerminal(state: TaskState): boolean {
  return taskStateRank[state] > taskStateRank.running;
}
