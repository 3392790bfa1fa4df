// Global services: one wanted task on each node that is up, not drained, and meets the constraints. The node is the slot; it is given when
// the task is made, and the scheduler only confirms it.
import { matchesConstraints, parseConstraints } from '#domain/constraint.ts';
import type { Node } from '#domain/objects.ts';
import { isTerminal, taskStateRank } from '#domain/task-state.ts';
import type { Draft, Slot } from './draft.ts';
import { nodeKey } from './draft.ts';
import { NO_LONGER_FITS } from './enforcer.ts';
import { handOver } from './handover.ts';
import { nodeFilter } from './node-eligibility.ts';
import { addFirstTask, restartEnded, startDue } from './restart.ts';
import { advanceRollout, beginRollout } from './rollout.ts';
import { noteFailures } from './rollout-failure.ts';
import { contentOf, removeSlot, shutDown } from './slots.ts';
import { isInvalidNode, isLive } from './task.ts';

export function reconcileGlobal(draft: Draft): void {
  const { view } = draft;
  const slots = slotsByNode(draft);
  const isEligible = nodeFilter(draft.service);
  const active = new Set<string>();
  for (const node of view.list('node')) {
    const slot = slots.get(node.id);
    if (isInvalidNode(node)) {
      if (slot) shutDown(draft, slot);
    } else if (!isEligible(node)) {
      if (slot) dismiss(draft, slot, node);
    } else if (node.spec.availability === 'pause') {
      if (slot) holdPaused(draft, slot);
    } else active.add(node.id);
  }
  for (const [nodeId, slot] of slots) if (view.get('node', nodeId) === undefined) removeSlot(draft, slot);

  const filled = filledSlots(draft, active);
  noteFailures(draft, filled);
  beginRollout(draft, filled);
  for (const slot of filled) restartEnded(draft, slot);
  for (const nodeId of active) {
    const slot = slots.get(nodeId);
    if (slot !== undefined && contentOf(draft, slot).length > 0) continue;
    if (draft.isFull()) break;
    addFirstTask(draft, nodeKey(nodeId), slot);
  }
  const all = filledSlots(draft, active);
  for (const slot of all) handOver(draft, slot);
  advanceRollout(draft, all);
  startDue(draft, draft.slots());
}

function filledSlots(draft: Draft, nodeIds: ReadonlySet<string>): readonly Slot[] {
  return draft.slots().filter((slot) => slot.key.kind === 'node' && nodeIds.has(slot.key.nodeId) && contentOf(draft, slot).length > 0);
}

/** A task that was made for this very placement is not in the wrong by its service, but by its node: it is rejected, as the enforcer does, which may come later. */
function dismiss(draft: Draft, slot: Slot, node: Node): void {
  for (const task of slot.tasks.filter(isLive)) {
    const isThere = !isTerminal(task.status.state) && taskStateRank[task.status.state] >= taskStateRank.assigned;
    const fits = matchesConstraints(parseConstraints(task.spec.placement?.constraints ?? []), node);
    draft.setDesired(slot, task, 'shutdown', isThere && !fits && node.spec.availability === 'active' ? NO_LONGER_FITS : undefined);
  }
}

/** On a paused node nothing begins: what runs stays, what ends is not replaced, and a hand-over that was begun is ended. */
function holdPaused(draft: Draft, slot: Slot): void {
  for (const task of slot.tasks) if (isLive(task) && (isTerminal(task.status.state) || task.rejection !== undefined)) draft.setDesired(slot, task, 'shutdown');
  handOver(draft, slot);
}

export function slotsByNode(draft: Draft): Map<string, Slot> {
  return new Map(draft.slots().map((slot) => [slot.key.kind === 'node' ? slot.key.nodeId : '', slot]));
}
