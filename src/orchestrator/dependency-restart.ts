// `restart: true` of a dependency: a service is restarted after one that it depends on was updated (or force-updated, or rolled back) and runs again. Tasks that
// were replaced because they failed or lost their node are no update, as in Compose. What was restarted for is in the store, so it is done once.
import { dependenciesOf } from '#domain/depends-on.ts';
import type { Service } from '#domain/objects.ts';
import type { View } from '#domain/view.ts';
import { isInCircle } from '#domain/waiting.ts';
import type { Draft } from './draft.ts';
import { isPaused, isRollingOut } from './rollout.ts';
import { isDirty } from './slots.ts';
import { isLive, startedAtOf } from './task.ts';

/** Gives the service a new spec version, which the roll-out then brings to its slots. */
export function restartAfterDependencies(draft: Draft): void {
  const { view, service } = draft;
  // Its own roll-out ends first, and with the spec that it would go back to; one that stands still is for its user to go on with. Its end calls again.
  if (isRollingOut(service) || isPaused(service)) return;
  // In a circle each would restart the other for ever.
  const causes = dependenciesOf(service).filter((dependency) => dependency.restart && !isInCircle(view, service, dependency));
  const updates = causes.flatMap(({ service: name }) => updatedAt(view, name) ?? []);
  const at = Math.max(...updates);
  if (updates.length === 0 || at <= (service.restartedFor ?? 0)) return;
  const isOlder = draft.slots().some((slot) => slot.tasks.some((task) => isLive(task) && !isDirty(draft, task) && (startedAtOf(task) ?? at) < at));
  if (!isOlder) return;
  const { updateStatus: _status, rollout: _rollout, ...rest } = service;
  const { task } = service.spec;
  draft.setService({
    ...rest,
    restartedFor: at,
    // The previous spec stays the user's: going back means to what they had before, not to the same without a restart.
    restartSpecVersion: service.version,
    spec: { ...service.spec, task: { ...task, forceUpdate: task.forceUpdate + 1 } },
    // As control does: the version that was seen, which no spec of the service has had.
    specVersion: service.version,
  });
}

/** When the last task of the service's last update began to run; undefined while it goes on, and when there was none. */
function updatedAt(view: View, name: string): number | undefined {
  const service: Service | undefined = view.findByName('service', name);
  const state = service?.updateStatus?.state;
  if (service === undefined || (state !== 'completed' && state !== 'rollback_completed')) return undefined;
  let latest: number | undefined;
  for (const task of view.tasksOfService(service.id)) {
    if (!isLive(task) || task.restart?.ofUpdate !== true || task.status.state !== 'running') continue;
    latest = Math.max(latest ?? 0, startedAtOf(task) ?? 0);
  }
  return latest;
}
