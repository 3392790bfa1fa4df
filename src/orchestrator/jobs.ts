// Jobs: tasks that are to complete, so many in total and at a time (replicated, slots from 0) or once per node (global). Every update of the
// service is a new iteration; what an older one still runs is removed, what it completed stays as its record.
import type { Task } from '#domain/objects.ts';
import { isTerminal } from '#domain/task-state.ts';
import type { Draft, Slot } from './draft.ts';
import { nodeKey, numberKey } from './draft.ts';
import { slotsByNode } from './global.ts';
import { nodeFilter } from './node-eligibility.ts';
import { addFirstTask, restartEnded, shouldRestart, startDue } from './restart.ts';
import { advanceRollout, beginRollout } from './rollout.ts';
import { removeSlot } from './slots.ts';
import { isInvalidNode, isLive } from './task.ts';

export interface ReplicatedJob {
  readonly maxConcurrent: number;
  readonly totalCompletions: number;
}

export function reconcileReplicatedJob(draft: Draft, { maxConcurrent, totalCompletions }: ReplicatedJob): void {
  for (const slot of draft.slots()) {
    removeOlderIterations(draft, slot);
    restartEnded(draft, slot);
  }
  const held = new Map<number, SlotState>();
  const slots = new Map<number, Slot>();
  for (const slot of draft.slots()) {
    if (slot.key.kind !== 'number') continue;
    slots.set(slot.key.number, slot);
    const state = stateOf(draft, slot);
    if (state !== 'free') held.set(slot.key.number, state);
  }
  const running = [...held.values()].filter((state) => state === 'running').length;
  let missing = Math.min(maxConcurrent - running, totalCompletions - held.size);
  for (let number = 0; missing > 0 && number < totalCompletions; number++) {
    if (held.has(number)) continue;
    if (draft.isFull()) break;
    addFirstTask(draft, numberKey(number), slots.get(number));
    missing--;
  }
  endRollback(draft);
  startDue(draft, draft.slots());
}

export function reconcileGlobalJob(draft: Draft): void {
  const { view } = draft;
  const slots = slotsByNode(draft);
  const isEligible = nodeFilter(draft.service);
  for (const [nodeId, slot] of slots) {
    const node = view.get('node', nodeId);
    removeOlderIterations(draft, slot);
    if (node === undefined) removeSlot(draft, slot);
    else if (isInvalidNode(node)) shutDownUnfinished(draft, slot, () => true);
    else if (!isEligible(node)) shutDownUnfinished(draft, slot, (task) => isTerminal(task.status.state));
    else if (node.spec.availability === 'active') restartEnded(draft, slot);
  }
  for (const node of view.list('node')) {
    const slot = slots.get(node.id);
    if (node.status.state !== 'ready' || node.spec.availability !== 'active' || !isEligible(node)) continue;
    if (slot !== undefined && stateOf(draft, slot) !== 'free') continue;
    if (draft.isFull()) break;
    addFirstTask(draft, nodeKey(node.id), slot);
  }
  endRollback(draft);
  startDue(draft, draft.slots());
}

/** Jobs have no updater: an update is a new iteration, and a rollback that was asked for is done when that began. */
function endRollback(draft: Draft): void {
  beginRollout(draft, []);
  advanceRollout(draft, []);
}

type SlotState = 'free' | 'running' | 'completed' | 'given-up';

/** `given-up`: the restart policy allows no further try in this iteration. */
function stateOf(draft: Draft, slot: Slot): SlotState {
  const tasks = slot.tasks.filter((task) => isOfIteration(draft, task));
  if (tasks.some((task) => task.status.state === 'complete')) return 'completed';
  if (tasks.some(isLive)) return 'running';
  const newest = tasks.at(-1);
  return newest === undefined || newest.desiredState === 'remove' || shouldRestart(draft.service, newest) ? 'free' : 'given-up';
}

function removeOlderIterations(draft: Draft, slot: Slot): void {
  for (const task of slot.tasks) {
    if (isOfIteration(draft, task) || task.desiredState === 'remove') continue;
    if (!isTerminal(task.status.state)) draft.setDesired(slot, task, 'remove');
    else if (isLive(task) && task.status.state !== 'complete') draft.setDesired(slot, task, 'shutdown');
  }
}

function shutDownUnfinished(draft: Draft, slot: Slot, applies: (task: Task) => boolean): void {
  for (const task of slot.tasks) if (isLive(task) && task.status.state !== 'complete' && applies(task)) draft.setDesired(slot, task, 'shutdown');
}

function isOfIteration({ service }: Draft, task: Task): boolean {
  return (task.jobIteration ?? 0) === (service.job?.iteration ?? 0);
}
