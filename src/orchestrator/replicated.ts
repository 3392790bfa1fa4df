// Replicated services: so many slots, numbered from 1, one wanted task in each.
import type { Draft, Slot } from './draft.ts';
import { numberKey } from './draft.ts';
import { handOver } from './handover.ts';
import { addFirstTask, restartEnded, startDue } from './restart.ts';
import { advanceRollout, beginRollout } from './rollout.ts';
import { noteFailures } from './rollout-failure.ts';
import { chooseSlots, contentOf, removeSlot } from './slots.ts';

export function reconcileReplicated(draft: Draft, replicas: number): void {
  noteFailures(draft, chooseSlots(draft, filledSlots(draft), replicas).kept);
  // After the failures: they may have turned the update into a rollback, which begins at once and may want another number.
  const { mode } = draft.service.spec;
  const wanted = mode.kind === 'replicated' ? mode.replicas : replicas;
  const { kept, surplus } = chooseSlots(draft, filledSlots(draft), wanted);
  for (const slot of surplus) removeSlot(draft, slot);
  beginRollout(draft, kept);
  for (const slot of kept) restartEnded(draft, slot);
  removeDeadSlots(draft, fillSlots(draft, wanted));
  const all = filledSlots(draft);
  for (const slot of all) handOver(draft, slot);
  advanceRollout(draft, all);
  startDue(draft, draft.slots());
}

function filledSlots(draft: Draft): readonly Slot[] {
  return draft.slots().filter((slot) => contentOf(draft, slot).length > 0);
}

/** Tasks for the lowest free slot numbers until there are enough; returns how many the service still lacks because the decision is full. */
function fillSlots(draft: Draft, replicas: number): number {
  const slots = new Map<number, Slot>();
  let missing = replicas;
  for (const slot of draft.slots()) {
    if (slot.key.kind !== 'number') continue;
    slots.set(slot.key.number, slot);
    if (contentOf(draft, slot).length > 0) missing--;
  }
  for (let number = 1; missing > 0; number++) {
    const slot = slots.get(number);
    if (slot !== undefined && contentOf(draft, slot).length > 0) continue;
    if (draft.isFull()) return missing;
    addFirstTask(draft, numberKey(number), slot);
    missing--;
  }
  return 0;
}

/** The history of slots that nobody needs any more goes; not before the service is complete, because a free number may be used again. */
function removeDeadSlots(draft: Draft, missing: number): void {
  if (missing > 0) return;
  for (const slot of draft.slots()) if (contentOf(draft, slot).length === 0) removeSlot(draft, slot);
}
