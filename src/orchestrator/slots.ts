// What a slot stands for: the tasks that an update would work on, and which slots go first when a service shrinks.
import { isTaskDirty } from '#domain/dirty.ts';
import type { Task } from '#domain/objects.ts';
import type { Draft, Slot } from './draft.ts';
import { shouldRestart } from './restart.ts';
import { isLive, nodeOf } from './task.ts';

/**
 * The wanted tasks of a slot; without any, its newest task if the restart policy has given it up, because a slot that is finished is not filled again.
 * Empty: nothing holds the slot. A rollback fills finished slots once more, so that it always ends with a service that runs.
 */
export function contentOf({ service, now }: Draft, slot: Slot): readonly Task[] {
  const live = slot.tasks.filter(isLive);
  if (live.length > 0) return live;
  const newest = slot.tasks.at(-1);
  if (newest === undefined || newest.desiredState === 'remove' || shouldRestart(service, newest)) return [];
  if (service.updateStatus?.state === 'rollback_started') {
    const since = service.rollout?.specVersion === service.specVersion ? service.rollout.startedAt : now;
    if (newest.createdAt < since) return [];
  }
  return [newest];
}

export function isDirty({ view, service }: Draft, task: Task): boolean {
  return isTaskDirty(service, task, nodeOf(view, task));
}

/**
 * Divides filled slots into `count` to keep and the rest to remove, as SwarmKit does: the nth copy on a node goes before the (n-1)th of any node,
 * slots without a node or in the middle of an update go first, then slots that do not run, then higher numbers.
 */
export function chooseSlots(draft: Draft, filled: readonly Slot[], count: number): { readonly kept: readonly Slot[]; readonly surplus: readonly Slot[] } {
  if (filled.length <= count) return { kept: filled, surplus: [] };
  const copies = new Map<string, number>();
  const runningFirst = filled.toSorted((a, b) => Number(isRunning(b)) - Number(isRunning(a)));
  const ranked = runningFirst.map((slot) => {
    const content = contentOf(draft, slot);
    const nodeId = content.length === 1 ? content[0]?.nodeId : undefined;
    if (nodeId === undefined) return { slot, rank: Number.POSITIVE_INFINITY };
    const copy = (copies.get(nodeId) ?? 0) + 1;
    copies.set(nodeId, copy);
    return { slot, rank: copy };
  });
  // Both sorts are stable; Infinity minus Infinity must not decide.
  ranked.sort((a, b) => (a.rank === b.rank ? 0 : a.rank - b.rank));
  const sorted = ranked.map(({ slot }) => slot);
  const kept = new Set(sorted.slice(0, count));
  return { kept: filled.filter((slot) => kept.has(slot)), surplus: sorted.slice(count) };
}

function isRunning(slot: Slot): boolean {
  return slot.tasks.some((task) => isLive(task) && task.status.state === 'running');
}

/** Asks for the removal of everything in the slot: the agents stop what runs, the reaper deletes what stopped. */
export function removeSlot(draft: Draft, slot: Slot): void {
  for (const task of slot.tasks) {
    if (draft.isFull()) return;
    draft.setDesired(slot, task, 'remove');
  }
}

/** Asks every wanted task of the slot but `except` to stop. */
export function shutDown(draft: Draft, slot: Slot, except?: Task): void {
  for (const task of slot.tasks) if (isLive(task) && task.id !== except?.id) draft.setDesired(slot, task, 'shutdown');
}
