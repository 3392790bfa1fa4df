// Writes what agents report, many tasks in one commit. A status only ever grows; an older one that arrives late is dropped.
import type { Task, TaskStatus } from '#domain/objects.ts';
import { compareStates, isTerminal } from '#domain/task-state.ts';
import type { Change, View } from '#domain/view.ts';
import type { Clock } from '#lib/clock.ts';
import type { TaskStatusUpdate } from '#protocol/messages.ts';
import type { Store } from '#store/store.ts';
import { MAX_COMMIT_BYTES, weightOf } from '#store/weight.ts';

/** A commit of this many rows takes some 10 ms in SQLite, and no agent waits longer than that for another's batch. */
const MAX_BATCH = 1_000;

interface Waiting {
  readonly nodeId: string;
  readonly update: TaskStatusUpdate;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

export interface StatusWriter {
  /** Resolves once the statuses are stored, or dropped because they are old or not this node's. */
  write(nodeId: string, updates: readonly TaskStatusUpdate[]): Promise<void>;
}

export function createStatusWriter({ store, clock }: { readonly store: Store; readonly clock: Clock }): StatusWriter {
  let queue: Waiting[] = [];
  let busy = false;

  async function drain(): Promise<void> {
    busy = true;
    while (queue.length > 0) {
      const batch = queue.splice(0, batchLength(store.view, queue));
      try {
        await store.update('dispatcher', (view) => ({ changes: changesFor(view, batch, clock.now()), result: undefined }));
        for (const { resolve } of batch) resolve();
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
    }
    busy = false;
  }

  return {
    async write(nodeId, updates) {
      const stored = updates.map((update) => new Promise<void>((resolve, reject) => queue.push({ nodeId, update, resolve, reject })));
      if (!busy) void drain();
      await Promise.all(stored);
    },
  };
}

/** As many as one commit takes, at least one. */
function batchLength(view: View, queue: readonly Waiting[]): number {
  let [length, bytes] = [0, 0];
  for (const { update } of queue.slice(0, MAX_BATCH)) {
    const task = view.get('task', update.taskId);
    bytes += task === undefined ? 0 : weightOf(task);
    if (length > 0 && bytes > MAX_COMMIT_BYTES) break;
    length++;
  }
  return length;
}

function changesFor(view: View, batch: readonly Waiting[], now: number): Change[] {
  const newest = new Map<string, Task>();
  for (const { nodeId, update } of batch) {
    const task = newest.get(update.taskId) ?? view.get('task', update.taskId);
    if (task === undefined || task.nodeId !== nodeId || !isNews(task.status, update.status)) continue;
    newest.set(task.id, { ...task, status: merged(task.status, update.status, nodeId, now) });
  }
  return [...newest.values()].map((object) => ({ action: 'update', object }));
}

function isNews(current: TaskStatus, next: TaskStatus): boolean {
  const order = compareStates(next.state, current.state);
  return order > 0 || (order === 0 && !isTerminal(current.state) && JSON.stringify(withoutTimes(current)) !== JSON.stringify(withoutTimes(next)));
}

/** What is compared to tell a repeated report from a new one. */
function withoutTimes({ state, message, error, container, hostPorts, serving }: TaskStatus): unknown {
  return [state, message, error ?? '', container ?? null, hostPorts ?? [], serving ?? true];
}

function merged(current: TaskStatus, next: TaskStatus, nodeId: string, now: number): TaskStatus {
  const startedAt = current.startedAt ?? (next.state === 'running' ? (next.startedAt ?? now) : undefined);
  return { ...next, appliedBy: nodeId, ...(startedAt === undefined ? {} : { startedAt }) };
}
