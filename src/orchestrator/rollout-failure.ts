// What a roll-out does when its tasks fail: it counts them and, past the ratio that is allowed, pauses or goes back to the previous spec.
import { restartPolicyOf } from '#domain/defaults.ts';
import type { Service, Task } from '#domain/objects.ts';
import { isTerminal } from '#domain/task-state.ts';
import type { Draft, Slot } from './draft.ts';
import { isOfRollout, isRollingOut, monitorMsOf, rolloutConfigOf } from './rollout.ts';
import { isLive, onManagerClock, startedAtOf } from './task.ts';

/**
 * Must see failed tasks before the restart policy replaces them: a task that is wanted and ended is a failure exactly once, and one that
 * was asked to stop, or lost its node, is none.
 */
export function noteFailures(draft: Draft, slots: readonly Slot[]): void {
  const config = rolloutConfigOf(draft.service);
  // `continue` never watches, as in SwarmKit.
  if (!isRollingOut(draft.service) || config.failureAction === 'continue') return;
  const monitorMs = monitorMsOf(config);
  for (const slot of slots) {
    for (const task of slot.tasks) {
      if (!isLive(task) || !isTerminal(task.status.state) || !isOfRollout(draft.service, task) || !failedEarly(task, monitorMs)) continue;
      const { service } = draft;
      const { rollout } = service;
      if (rollout === undefined || rollout.failedTaskIds.includes(task.id)) continue;
      const failedTaskIds = [...rollout.failedTaskIds, task.id];
      draft.setService({ ...service, rollout: { ...rollout, failedTaskIds } });
      if (failedTaskIds.length / Math.max(1, rollout.totalSlots) <= config.maxFailureRatio) continue;
      draft.setService(config.failureAction === 'rollback' ? rolledBack(draft, task) : paused(draft.service, task, 'update'));
      return;
    }
  }
}

/** A task that is not started again after it succeeded is not meant to stay: it did what it is for. */
function hasDoneItsWork({ status, spec }: Task): boolean {
  return status.state === 'complete' && restartPolicyOf(spec).condition !== 'any';
}

function failedEarly(task: Task, monitorMs: number): boolean {
  if (task.status.state === 'orphaned' || hasDoneItsWork(task)) return false;
  const startedAt = startedAtOf(task);
  return startedAt === undefined || onManagerClock(task, task.status.timestamp) - startedAt <= monitorMs;
}

function paused(service: Service, task: Task, what: 'update' | 'rollback'): Service {
  const { updateStatus } = service;
  return {
    ...service,
    updateStatus: {
      ...updateStatus,
      state: updateStatus?.state === 'rollback_started' ? 'rollback_paused' : 'paused',
      message: `${what} paused due to failure or early termination of task ${task.id}`,
    },
  };
}

/** Back to the previous spec under its own version, so that tasks made from it are up to date. A rollback is never rolled back. */
function rolledBack({ service, now }: Draft, task: Task): Service {
  if (service.updateStatus?.state === 'rollback_started') return paused(service, task, 'rollback');
  // A restart after a dependency brought nothing that could be taken back.
  if (service.restartSpecVersion === service.specVersion) return paused(service, task, 'update');
  const { previousSpec, previousSpecVersion, rollout: _failed, ...rest } = service;
  if (previousSpec === undefined || previousSpecVersion === undefined) return paused(service, task, 'update');
  return {
    ...rest,
    spec: previousSpec,
    specVersion: previousSpecVersion,
    updateStatus: {
      ...service.updateStatus,
      state: 'rollback_started',
      startedAt: service.updateStatus?.startedAt ?? now,
      message: `update rolled back due to failure or early termination of task ${task.id}`,
    },
  };
}
