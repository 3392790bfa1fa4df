// The orchestrator: what must change in the tasks of one service (and in its update status), decided as a whole from one view of the store.
// Pure: the same view, time and ids give the same decision, and deciding again after it was applied gives nothing new.
import type { Service } from '#domain/objects.ts';
import type { Change, Decision, View } from '#domain/view.ts';
import { unreachable } from '#lib/assert.ts';
import { restartAfterDependencies } from './dependency-restart.ts';
import type { Draft } from './draft.ts';
import { createDraft, MAX_CHANGES_PER_DECISION } from './draft.ts';
import { reconcileGlobal } from './global.ts';
import { reconcileGlobalJob, reconcileReplicatedJob } from './jobs.ts';
import { reconcileReplicated } from './replicated.ts';
import { isJob } from './task.ts';

/**
 * Decides for one service; for one that was deleted, that its tasks go. `wakeAt` (milliseconds since the epoch) is when to ask again without
 * an event; it is `now` when the decision was cut short to keep a commit bounded.
 */
export function reconcileService(view: View, serviceId: string, now: number, newId: () => string): Decision {
  const service = view.get('service', serviceId);
  if (service === undefined) return removeTasks(view, serviceId, now);
  const [cluster] = view.list('cluster');
  const draft = createDraft(service, { view, now, newId, cluster });
  if (!isJob(service)) restartAfterDependencies(draft);
  reconcileMode(draft, draft.service);
  return draft.decision();
}

function reconcileMode(draft: Draft, service: Service): void {
  const { mode } = service.spec;
  switch (mode.kind) {
    case 'replicated':
      return reconcileReplicated(draft, mode.replicas);
    case 'global':
      return reconcileGlobal(draft);
    case 'replicated-job':
      return reconcileReplicatedJob(draft, mode);
    case 'global-job':
      return reconcileGlobalJob(draft);
    default:
      return unreachable(mode);
  }
}

function removeTasks(view: View, serviceId: string, now: number): Decision {
  const changes: Change[] = [];
  for (const task of view.tasksOfService(serviceId)) {
    if (task.desiredState === 'remove') continue;
    if (changes.length >= MAX_CHANGES_PER_DECISION) return { changes, wakeAt: now };
    changes.push({ action: 'update', object: { ...task, desiredState: 'remove' } });
  }
  return { changes };
}
