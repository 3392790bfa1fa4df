// Brings the newest status of every task to a manager: batched, repeated until stored, kept while there is no session.
import type { TaskStatus } from '#domain/objects.ts';
import type { TaskStatusUpdate } from '#protocol/messages.ts';

/** A batch of this size is one short commit for the manager. */
const MAX_BATCH = 500;

export interface Reporter {
  /** Notes a status; an older one of the same task that is not stored yet is forgotten. */
  report(taskId: string, status: TaskStatus): void;
  forget(taskId: string): void;
  /** Sends through one session until the signal aborts or a report fails (then rejects; what was not stored stays noted). */
  run(send: (updates: readonly TaskStatusUpdate[]) => Promise<void>, signal: AbortSignal): Promise<void>;
}

export function createReporter(): Reporter {
  const pending = new Map<string, TaskStatus>();
  let wake = () => {};
  return {
    report(taskId, status) {
      pending.set(taskId, status);
      wake();
    },
    forget(taskId) {
      pending.delete(taskId);
    },
    async run(send, signal) {
      const stop = () => wake();
      signal.addEventListener('abort', stop, { once: true });
      try {
        while (!signal.aborted) {
          if (pending.size === 0) {
            await new Promise<void>((resolve) => {
              wake = resolve;
            });
            continue;
          }
          const batch = [...pending].slice(0, MAX_BATCH).map(([taskId, status]) => ({ taskId, status }));
          await send(batch);
          for (const { taskId, status } of batch) if (pending.get(taskId) === status) pending.delete(taskId);
        }
      } finally {
        signal.removeEventListener('abort', stop);
      }
    },
  };
}
