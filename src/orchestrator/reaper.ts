// The reaper: deletes tasks that are history, and nothing else. A task that a node may still run is never deleted, nor is the newest of a slot:
// it says whether the slot is finished and how often it was restarted.
import { restartPolicyOf, taskHistoryLimitOf } from '#domain/defaults.ts';
import type { Service, Task } from '#domain/objects.ts';
import { isTerminal, taskStateRank } from '#domain/task-state.ts';
import type { Change, StoreEvent, View } from '#domain/view.ts';
import { MAX_CHANGES_PER_DECISION } from './draft.ts';
import { compareAge, isJob, isLive, onManagerClock } from './task.ts';

/** A service's id, or a task without a service. */
const TASK_KEY_PREFIX = 'task/';

export interface ReaperDecision {
  readonly changes: readonly Change[];
  /** Keys for which there is more to delete. */
  readonly postponed: readonly string[];
}

/** Deletes what of these keys is over, at most one commit full. */
export function reapTasks(view: View, keys: Iterable<string>): ReaperDecision {
  const changes: Change[] = [];
  const postponed: string[] = [];
  for (const key of [...keys].sort()) {
    if (changes.length >= MAX_CHANGES_PER_DECISION) {
      postponed.push(key);
      continue;
    }
    const tasks = key.startsWith(TASK_KEY_PREFIX) ? reapableTask(view, key.slice(TASK_KEY_PREFIX.length)) : reapableOfService(view, key);
    if (tasks.length > MAX_CHANGES_PER_DECISION) postponed.push(key);
    for (const task of tasks.slice(0, MAX_CHANGES_PER_DECISION)) changes.push({ action: 'remove', object: task });
  }
  return { changes, postponed };
}

/** Only news that can make a task superfluous: a new one in its slot, its end, the wish to remove it, its node's end, a new limit. */
export function reaperKeysOfEvent(event: StoreEvent, view: View): Iterable<string> {
  const { action, object } = event;
  if (object.kind === 'cluster') return action === 'update' && hasNewLimit(event) ? allReaperKeys(view) : [];
  if (object.kind === 'node') return action === 'remove' ? new Set([...view.tasksOfNode(object.id)].map(keyOf)) : [];
  if (object.kind !== 'task' || action === 'remove') return [];
  return action === 'create' || !isLive(object) || isTerminal(object.status.state) ? [keyOf(object)] : [];
}

export function allReaperKeys(view: View): Iterable<string> {
  return new Set([...view.list('task')].map(keyOf));
}

function hasNewLimit({ object, ...event }: StoreEvent): boolean {
  if (object.kind !== 'cluster' || event.action !== 'update' || event.previous.kind !== 'cluster') return true;
  return taskHistoryLimitOf(object.spec) !== taskHistoryLimitOf(event.previous.spec);
}

function keyOf(task: Task): string {
  return task.serviceId ?? `${TASK_KEY_PREFIX}${task.id}`;
}

/** A task without a service goes as soon as it is over: nobody looks at its history. */
function reapableTask(view: View, id: string): readonly Task[] {
  const task = view.get('task', id);
  if (task === undefined) return [];
  const isOver = task.status.state === 'orphaned' || (task.desiredState === 'remove' && hasStopped(view, task));
  return isOver ? [task] : [];
}

function reapableOfService(view: View, serviceId: string): readonly Task[] {
  const service = view.get('service', serviceId);
  const [cluster] = view.list('cluster');
  const limit = service === undefined || cluster === undefined ? -1 : historyLimitOf(service, taskHistoryLimitOf(cluster.spec));
  const reapable: Task[] = [];
  const slots = new Map<string, Task[]>();
  for (const task of view.tasksOfService(serviceId)) {
    if (task.desiredState === 'remove' && hasStopped(view, task)) reapable.push(task);
    else if (limit >= 0) {
      const slot = `${task.slot ?? task.nodeId}`;
      const others = slots.get(slot);
      if (others) others.push(task);
      else slots.set(slot, [task]);
    }
  }
  for (const tasks of slots.values()) if (tasks.length > limit) reapable.push(...surplusOf(service, tasks.sort(compareAge), limit));
  return reapable;
}

/** SwarmKit keeps one more task than a slot may have restarts, so that they can all be seen. */
function historyLimitOf({ spec }: Service, limit: number): number {
  const { maxAttempts } = restartPolicyOf(spec.task);
  return limit >= 0 && maxAttempts > 0 ? maxAttempts + 1 : limit;
}

/** The tasks of a slot that are over, in the order in which they ended, until the limit is met. A job's completed tasks of this iteration are its result, not its history. */
function surplusOf(service: Service | undefined, tasks: readonly Task[], limit: number): readonly Task[] {
  const isResult = (task: Task) =>
    service !== undefined && isJob(service) && task.status.state === 'complete' && (task.jobIteration ?? 0) === (service.job?.iteration ?? 0);
  const over = tasks.slice(0, -1).filter((task) => isHistory(service, task) && !isResult(task));
  over.sort((a, b) => endedAt(a) - endedAt(b) || compareAge(a, b));
  return over.slice(0, tasks.length - limit);
}

function endedAt(task: Task): number {
  return onManagerClock(task, task.status.timestamp);
}

/** Over, or never begun and not wanted. A job's completed task is over although `complete` still is what is asked of it. */
function isHistory(service: Service | undefined, task: Task): boolean {
  if (isLive(task)) return service !== undefined && isJob(service) && task.status.state === 'complete';
  return isTerminal(task.status.state) || taskStateRank[task.status.state] < taskStateRank.assigned;
}

/** Nothing of the task is left on any node that is still a member. */
function hasStopped(view: View, { status, nodeId }: Task): boolean {
  if (isTerminal(status.state) || taskStateRank[status.state] < taskStateRank.assigned) return true;
  return nodeId !== undefined && view.get('node', nodeId) === undefined;
}
