// The updater: brings slots to the present spec, a few at a time. What it must know between two decisions is in Service.rollout, in
// Service.updateStatus and in the tasks. Its failure actions are in rollout-failure.ts, the end of a slot's update in handover.ts.
import { rollbackConfigOf, updateConfigOf } from '#domain/defaults.ts';
import type { Service, Task, UpdateStatus } from '#domain/objects.ts';
import type { UpdateConfig } from '#domain/spec.ts';
import { isTerminal } from '#domain/task-state.ts';
import { waitingText, waitsFor } from '#domain/waiting.ts';
import type { Draft, Slot } from './draft.ts';
import { isReady, mostAdvanced } from './handover.ts';
import { shouldRestart, waitRecord } from './restart.ts';
import { contentOf, isDirty, shutDown } from './slots.ts';
import { isLive, milliseconds, readyAtOf, unlessImpossible } from './task.ts';

const SECOND_MS = 1_000;
/** SwarmKit's words. */
const UPDATING = 'update in progress';

/** Whether an update or rollback is under way (and not paused). */
export function isRollingOut({ updateStatus }: Service): boolean {
  return updateStatus?.state === 'updating' || updateStatus?.state === 'rollback_started';
}

export function isPaused({ updateStatus }: Service): boolean {
  return updateStatus?.state === 'paused' || updateStatus?.state === 'rollback_paused';
}

/** The settings of the roll-out that goes on: a rollback has its own. */
export function rolloutConfigOf({ spec, updateStatus }: Service): Required<UpdateConfig> {
  return updateStatus?.state === 'rollback_started' ? rollbackConfigOf(spec) : updateConfigOf(spec);
}

/** How long after its start a new task's end counts as a failure of the roll-out. It must outlast the delay between slots (moby does the same). */
export function monitorMsOf(config: Required<UpdateConfig>): number {
  return config.delayNs >= config.monitorNs ? milliseconds(config.delayNs) + SECOND_MS : milliseconds(config.monitorNs);
}

/** A task that the updater made for the roll-out that goes on. Replacements that the restart policy made are not the updater's. */
export function isOfRollout({ specVersion, rollout }: Service, task: Task): boolean {
  if (rollout === undefined || rollout.specVersion !== specVersion) return false;
  return task.specVersion === specVersion && task.restart?.ofUpdate === true && task.createdAt >= rollout.startedAt;
}

/**
 * Notes that a roll-out begins, when slots are outdated or control asked for a rollback. Status and roll-out of an older spec are void.
 * A service whose update is completed gets no new status when a slot turns out to be outdated later: the slot is just updated.
 */
export function beginRollout(draft: Draft, slots: readonly Slot[]): void {
  const { service, now } = draft;
  const isCurrent = service.rollout?.specVersion === service.specVersion;
  const isRequestedRollback = service.updateStatus?.state === 'rollback_started' && !isCurrent;
  const isVoid = service.updateStatus === undefined || (service.rollout !== undefined && !isCurrent);
  if (!isRequestedRollback && !isVoid) return;
  const totalSlots = slots.filter((slot) => isUnfinished(draft, contentOf(draft, slot))).length;
  if (totalSlots === 0 && !isRequestedRollback && service.updateStatus === undefined) return;
  const rollout = { specVersion: service.specVersion, startedAt: now, totalSlots, failedTaskIds: [] };
  if (isRequestedRollback) draft.setService({ ...service, rollout });
  else if (totalSlots > 0) draft.setService({ ...service, rollout, updateStatus: { state: 'updating', startedAt: now, message: UPDATING } });
  else {
    const { updateStatus: _ofOlderSpec, rollout: _older, ...rest } = service;
    draft.setService(rest);
  }
}

/** Something is left to do: also where a task that fits the spec already is there, and others that do not are not gone yet. */
function isUnfinished(draft: Draft, content: readonly Task[]): boolean {
  return content.length > 1 || isOutdated(draft, content);
}

function isOutdated(draft: Draft, content: readonly Task[]): boolean {
  return content.length > 0 && content.every((task) => isDirty(draft, task));
}

/**
 * Starts the update of as many outdated slots among `slots` as the settings allow, and completes the roll-out when all is done and was watched long enough.
 * Updates that go on elsewhere (on a node that was paused meanwhile) count as well.
 */
export function advanceRollout(draft: Draft, slots: readonly Slot[]): void {
  if (isPaused(draft.service)) return;
  const config = rolloutConfigOf(draft.service);
  const waiting = slots.filter((slot) => isWaitingForUpdate(draft, slot));
  const isHeld = waiting.length > 0 && holdForDependencies(draft);
  const until = draft.slots().map((slot) => [slot, busyUntil(draft, slot, milliseconds(config.delayNs))] as const);
  const busy = new Map(until.filter(([, at]) => at > draft.now));
  const limit = isHeld ? 0 : config.parallelism === 0 ? Number.POSITIVE_INFINITY : config.parallelism;
  // A slot whose new task ended, or was given up for the spec before, has its place until the delay is over, and does not take a second one.
  const next = limit === Number.POSITIVE_INFINITY ? waiting : waiting.filter((slot) => !busy.has(slot)).slice(0, Math.max(0, limit - busy.size));
  let started = 0;
  for (const slot of next) {
    if (draft.isFull()) break;
    startSlotUpdate(draft, slot, config.order);
    started++;
  }
  if (started < waiting.length) for (const at of busy.values()) if (at !== Number.POSITIVE_INFINITY) draft.wakeAt(at);
  const idle = waiting.length === 0 && ![...busy.values()].includes(Number.POSITIVE_INFINITY);
  if (isRollingOut(draft.service)) finishRollout(draft, idle, monitorMsOf(config));
}

/**
 * While the service waits for others its running tasks stay: their successors could not start. The status says so. A rollback does not wait, because what runs is
 * what somebody wants to be rid of.
 */
function holdForDependencies(draft: Draft): boolean {
  const { updateStatus } = draft.service;
  if (updateStatus?.state !== 'updating') return false;
  const reasons = waitsFor(draft.view, draft.service);
  const message = reasons.length === 0 ? UPDATING : `${UPDATING}: ${waitingText(reasons)}`;
  if (message !== updateStatus.message) draft.setService({ ...draft.service, updateStatus: { ...updateStatus, message } });
  return reasons.length > 0;
}

/** Outdated, not yet begun, and not given up: a slot whose new task used up its restarts keeps its old task. */
function isWaitingForUpdate(draft: Draft, slot: Slot): boolean {
  if (!isOutdated(draft, contentOf(draft, slot))) return false;
  const newest = slot.tasks.at(-1);
  return newest === undefined || isLive(newest) || isDirty(draft, newest) || shouldRestart(draft.service, newest);
}

/** Until when the slot occupies one of the parallel updates: forever while its new task is not ready, then for the delay. Zero: it does not. */
function busyUntil(draft: Draft, slot: Slot, delayMs: number): number {
  const task = slot.tasks.findLast((candidate) => candidate.restart?.ofUpdate === true && !isDirty(draft, candidate));
  if (task === undefined) return 0;
  const isOver = isTerminal(task.status.state) || !isLive(task);
  if (!isOver && !isReady(draft, task)) return Number.POSITIVE_INFINITY;
  if (!isOfRollout(draft.service, task)) return 0;
  return unlessImpossible((readyAtOf(task) ?? 0) + delayMs, draft.now, delayMs);
}

function startSlotUpdate(draft: Draft, slot: Slot, order: 'stop-first' | 'start-first'): void {
  const running = slot.tasks.filter((task) => isLive(task) && task.status.state === 'running');
  // Of several outdated tasks one is enough to serve until the new one does; one that does not even run is no use.
  shutDown(draft, slot, order === 'start-first' ? mostAdvanced(running) : undefined);
  draft.addTask(slot.key, { ...waitRecord(draft, slot), ofUpdate: true });
}

function finishRollout(draft: Draft, idle: boolean, monitorMs: number): void {
  const { service, now } = draft;
  const { rollout, updateStatus } = service;
  if (rollout === undefined || updateStatus === undefined) return;
  const { lastStepAt, ...running } = rollout;
  if (!idle) {
    if (lastStepAt !== undefined) draft.setService({ ...service, rollout: running });
    return;
  }
  const since = lastStepAt ?? now;
  const watchedUntil = rollout.totalSlots === 0 ? now : unlessImpossible(since + monitorMs, now, monitorMs);
  // What begins in a decision ends in a later one, or nobody would see that it began.
  const completeAt = Math.max(watchedUntil, unlessImpossible(rollout.startedAt + 1, now, 1));
  if (completeAt <= now) {
    draft.setService({ ...service, updateStatus: completed(updateStatus, now), rollout: { ...running, failedTaskIds: [] } });
    return;
  }
  if (lastStepAt === undefined) draft.setService({ ...service, rollout: { ...rollout, lastStepAt: now } });
  draft.wakeAt(completeAt);
}

function completed(status: UpdateStatus, now: number): UpdateStatus {
  const isRollback = status.state === 'rollback_started';
  return {
    ...status,
    state: isRollback ? 'rollback_completed' : 'completed',
    completedAt: now,
    message: isRollback ? 'rollback completed' : 'update completed',
  };
}
