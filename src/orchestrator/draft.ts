// The working copy of one service and its tasks while a decision is made: later steps see what earlier ones did, and in the end the
// difference to the store is the decision. Slots are what a service is made of: a number (replicated) or a node (global).
import type { Cluster, RestartRecord, Service, Task } from '#domain/objects.ts';
import type { DesiredState } from '#domain/task-state.ts';
import { compareStates } from '#domain/task-state.ts';
import type { Change, Decision, View } from '#domain/view.ts';
import { compareAge, newTask } from './task.ts';

/** More changes than this are left for the next decision: a commit stays short, whatever the size of a service. */
export const MAX_CHANGES_PER_DECISION = 500;

/** All tasks that share a slot number or a node, oldest first. */
export interface Slot {
  readonly key: SlotKey;
  readonly tasks: readonly Task[];
}

export type SlotKey = { readonly kind: 'number'; readonly number: number } | { readonly kind: 'node'; readonly nodeId: string };

export interface Draft {
  readonly view: View;
  readonly now: number;
  /** As it will be after the decision. */
  readonly service: Service;
  /** In order of number or node id. */
  slots(): readonly Slot[];
  setService(service: Service): void;
  /** Moves the desired state forward; a state that is reached or passed stays. With `rejection` the task becomes `rejected` for that reason once it has stopped. */
  setDesired(slot: Slot, task: Task, desiredState: DesiredState, rejection?: string): void;
  /** A new task in the slot, held back until its restart record says it may start, if it has one. */
  addTask(key: SlotKey, restart?: RestartRecord): void;
  /** Looks at the service again at this time, or earlier. */
  wakeAt(at: number): void;
  /** Whether the decision is so long that the rest must wait; asks to be called again when it is. */
  isFull(): boolean;
  decision(): Decision;
}

interface MutableSlot extends Slot {
  readonly tasks: Task[];
}

export interface DraftOptions {
  readonly view: View;
  readonly now: number;
  readonly newId: () => string;
  readonly cluster: Cluster | undefined;
}

export function createDraft(stored: Service, { view, now, newId, cluster }: DraftOptions): Draft {
  const slots = groupTasks(view, stored);
  const changed = new Map<string, Change>();
  let service = stored;
  let wake: number | undefined;
  let sorted: MutableSlot[] | undefined;

  /** What no node ever had is over as soon as nobody wants it: no agent will say so. */
  function withoutStart(task: Task, desiredState: DesiredState): Task {
    if (desiredState !== 'shutdown' || compareStates(task.status.state, 'assigned') >= 0) return task;
    const { error: _waitedFor, ...status } = task.status;
    return { ...task, status: { ...status, state: 'shutdown', timestamp: now } };
  }

  function wakeAt(at: number): void {
    wake = Math.min(wake ?? at, at);
  }

  return {
    view,
    now,
    get service() {
      return service;
    },
    slots() {
      sorted ??= [...slots.values()].sort((a, b) => compareKeys(a.key, b.key));
      return sorted;
    },
    setService(next) {
      service = next;
    },
    setDesired({ key }, { id }, desiredState, rejection) {
      const tasks = slots.get(nameOf(key))?.tasks ?? [];
      const index = tasks.findIndex((task) => task.id === id);
      const task = tasks[index];
      if (task === undefined || compareStates(task.desiredState, desiredState) >= 0) return;
      const next = { ...withoutStart(task, desiredState), desiredState, ...(rejection === undefined ? {} : { rejection }) };
      tasks[index] = next;
      changed.set(id, { action: changed.get(id)?.action ?? 'update', object: next });
    },
    addTask(key, restart) {
      const place = key.kind === 'number' ? { slot: key.number } : { nodeId: key.nodeId };
      const slot = slots.get(nameOf(key));
      // Within a slot the time of creation only grows, also when the clock stands still or is set back: it is what tells old from new.
      const createdAt = Math.max(now, (slot?.tasks.at(-1)?.createdAt ?? 0) + 1);
      const task = newTask(service, { id: newId(), now: createdAt, cluster, ...place, ...(restart === undefined ? {} : { restart }) });
      if (slot) slot.tasks.push(task);
      else {
        slots.set(nameOf(key), { key, tasks: [task] });
        sorted = undefined;
      }
      changed.set(task.id, { action: 'create', object: task });
    },
    wakeAt,
    isFull() {
      const full = changed.size >= MAX_CHANGES_PER_DECISION;
      if (full) wakeAt(now);
      return full;
    },
    decision() {
      const changes: Change[] = service === stored ? [] : [{ action: 'update', object: service }];
      changes.push(...changed.values());
      return { changes, ...(wake === undefined ? {} : { wakeAt: wake }) };
    },
  };
}

export function numberKey(number: number): SlotKey {
  return { kind: 'number', number };
}

export function nodeKey(nodeId: string): SlotKey {
  return { kind: 'node', nodeId };
}

function groupTasks(view: View, service: Service): Map<string, MutableSlot> {
  const byNode = service.spec.mode.kind === 'global' || service.spec.mode.kind === 'global-job';
  const slots = new Map<string, MutableSlot>();
  for (const task of view.tasksOfService(service.id)) {
    const key = byNode ? nodeKey(task.nodeId ?? '') : numberKey(task.slot ?? 0);
    const slot = slots.get(nameOf(key));
    if (slot) slot.tasks.push(task);
    else slots.set(nameOf(key), { key, tasks: [task] });
  }
  for (const { tasks } of slots.values()) if (tasks.length > 1) tasks.sort(compareAge);
  return slots;
}

function nameOf(key: SlotKey): string {
  return key.kind === 'number' ? `${key.number}` : key.nodeId;
}

function compareKeys(a: SlotKey, b: SlotKey): number {
  if (a.kind === 'number' && b.kind === 'number') return a.number - b.number;
  return nameOf(a) < nameOf(b) ? -1 : 1;
}
