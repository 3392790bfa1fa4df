// The restart policy: whether a task that ended (or must leave its node) is replaced, when the replacement may start, and how often that may
// happen. The history is carried from task to replacement in the store, so no leader has to remember it.
import { restartPolicyOf } from '#domain/defaults.ts';
import { dependenciesOf } from '#domain/depends-on.ts';
import { isTaskDirty } from '#domain/dirty.ts';
import type { RestartRecord, Service, Task } from '#domain/objects.ts';
import { waitsFor } from '#domain/waiting.ts';
import { compareStates, isTerminal } from '#domain/task-state.ts';
import type { Draft, Slot, SlotKey } from './draft.ts';
import { isJob, isLive, mustLeave, isStopping, milliseconds, nodeOf, onManagerClock, startedState, stopWaitMs, unlessImpossible } from './task.ts';

/**
 * Whether the policy of `task` allows a replacement, were it over now. A job's task that completed is done, whatever the policy. Attempts are counted per
 * slot and spec version; with a window only those within it before the task's end count.
 */
export function shouldRestart(service: Service, task: Task): boolean {
  const policy = restartPolicyOf(task.spec);
  if (policy.condition === 'none') return false;
  if (task.status.state === 'complete' && (policy.condition === 'on-failure' || isJob(service))) return false;
  if (policy.maxAttempts === 0 || task.restart === undefined) return true;
  if (policy.windowNs === 0) return task.restart.attempts < policy.maxAttempts;
  const since = onManagerClock(task, task.status.timestamp) - milliseconds(policy.windowNs);
  return task.restart.restartedAt.filter((at) => at > since).length < policy.maxAttempts;
}

/**
 * Replaces every wanted task of the slot that ended or may not stay where it is, as far as the policy allows. A task that ended before its own delay was over
 * is replaced when it is, so that a task which cannot even be prepared does not spin.
 */
export function restartEnded(draft: Draft, slot: Slot): void {
  const { view, now, service } = draft;
  // Newest first: when a replacement takes over the slot, older tasks need none of their own.
  for (const task of slot.tasks.toReversed()) {
    const ended = isTerminal(task.status.state);
    if (!isLive(task) || !(ended || mustLeave(view, task))) continue;
    if (isJob(service) && task.status.state === 'complete') continue;
    if (draft.isFull()) return;
    const startsAt = task.desiredState === 'ready' ? startTimeOf(draft, slot, task) : now;
    if (ended && startsAt > now) {
      draft.wakeAt(startsAt);
      continue;
    }
    draft.setDesired(slot, task, 'shutdown');
    if (needsReplacement(draft, slot, task) && shouldRestart(service, task)) draft.addTask(slot.key, restartRecord(draft, slot, task));
  }
}

/** Somebody else in the slot may do the work already: its task of the present spec, or, for an outdated task, any that runs until the updater comes. */
function needsReplacement({ view, service }: Draft, slot: Slot, task: Task): boolean {
  const outdated = isTaskDirty(service, task, nodeOf(view, task));
  return !slot.tasks.some(
    (other) => other.id !== task.id && isLive(other) && !isTerminal(other.status.state) && (outdated || !isTaskDirty(service, other, nodeOf(view, other))),
  );
}

function restartRecord(draft: Draft, slot: Slot, task: Task): RestartRecord {
  const { now, service } = draft;
  const policy = restartPolicyOf(service.spec.task);
  const history = task.specVersion === service.specVersion ? task.restart : undefined;
  const delayMs = restartDelayMs(draft, task);
  const keepsTimes = policy.maxAttempts > 0 && policy.windowNs > 0;
  return {
    ...waitRecord(draft, slot),
    attempts: (history?.attempts ?? 0) + 1,
    restartedAt: keepsTimes ? [...(history?.restartedAt ?? []), now].slice(-policy.maxAttempts) : [],
    notBefore: Math.max(now + delayMs, unlessImpossible(task.restart?.notBefore ?? 0, now, delayMs)),
  };
}

/** The delay keeps a task that ends by itself from spinning. One that loses its node did nothing wrong, so its replacement need not wait. */
function restartDelayMs({ view }: Draft, task: Task): number {
  const isDrained = nodeOf(view, task)?.spec.availability === 'drain';
  if (isDrained || task.status.state === 'orphaned' || !isTerminal(task.status.state)) return 0;
  return milliseconds(restartPolicyOf(task.spec).delayNs);
}

/** The record of a task that waits for nothing but for what still stops in its slot. */
export function waitRecord({ view, now }: Draft, slot: Slot | undefined): RestartRecord {
  const stopping = (slot?.tasks ?? []).filter((task) => isStopping(view, task)).sort((a, b) => compareStates(b.status.state, a.status.state));
  const record = { attempts: 0, restartedAt: [], notBefore: now };
  const [last] = stopping;
  if (last === undefined) return record;
  return { ...record, waitForTaskId: last.id, waitUntil: now + Math.max(...stopping.map(stopWaitMs)) };
}

/**
 * A task for a slot that nothing holds. It waits for an older one there that still stops, and takes over the count of restarts under the same spec;
 * only a rollback begins that anew.
 */
export function addFirstTask(draft: Draft, key: SlotKey, slot: Slot | undefined): void {
  const { service } = draft;
  const newest = slot?.tasks.at(-1);
  const isSameRun = newest?.specVersion === service.specVersion && (newest.jobIteration ?? 0) === (service.job?.iteration ?? 0);
  const history = isSameRun && service.updateStatus?.state !== 'rollback_started' ? newest.restart : undefined;
  const record = { ...waitRecord(draft, slot), attempts: history?.attempts ?? 0, restartedAt: history?.restartedAt ?? [] };
  const isFresh = record.waitForTaskId === undefined && record.attempts === 0 && dependenciesOf(service).length === 0;
  draft.addTask(key, isFresh ? undefined : record);
}

/** When a task that is held back may start: its delay is over, and whatever stopped in its slot when it was made has stopped, or was waited for long enough. */
function startTimeOf({ view, now }: Draft, slot: Slot, { restart, spec }: Task): number {
  if (restart === undefined) return 0;
  const stopping = restart.waitForTaskId === undefined ? [] : slot.tasks.filter((task) => isStopping(view, task));
  const delayOver = unlessImpossible(restart.notBefore, now, milliseconds(restartPolicyOf(spec).delayNs));
  const stopOver = unlessImpossible(restart.waitUntil ?? 0, now, Math.max(0, ...stopping.map(stopWaitMs)));
  return stopping.length > 0 ? Math.max(delayOver, stopOver) : delayOver;
}

/** Starts what is held back and may start now, and asks to be called when the next may. While the service waits for others nothing starts; events of theirs call. */
export function startDue(draft: Draft, slots: readonly Slot[]): void {
  let isWaiting: boolean | undefined;
  for (const slot of slots) {
    for (const task of slot.tasks) {
      if (task.desiredState !== 'ready' || isTerminal(task.status.state)) continue;
      const startsAt = startTimeOf(draft, slot, task);
      if (startsAt > draft.now) draft.wakeAt(startsAt);
      else {
        isWaiting ??= waitsFor(draft.view, draft.service).length > 0;
        if (!isWaiting) draft.setDesired(slot, task, startedState(draft.service));
      }
    }
  }
}
