// Tasks that are in no store any more, and whose logs some node kept. A client that gets their lines asks what the task was: that is remembered here, for
// the tasks whose lines have passed through this manager.
import type { Task } from '#domain/objects.ts';
import type { KeptTask } from '#engine/kept-logs.ts';

export interface GoneTasks {
  note(tasks: readonly KeptTask[]): void;
  /** By its id, or the beginning of that if no other begins so. */
  find(ref: string): Task | undefined;
}

/** The ones that were noted longest ago are forgotten. */
const MAX_TASKS = 20_000;

export function createGoneTasks(): GoneTasks {
  const known = new Map<string, KeptTask>();
  return {
    note(tasks) {
      for (const task of tasks) {
        known.delete(task.taskId);
        known.set(task.taskId, task);
      }
      for (const [oldest] of known) {
        if (known.size <= MAX_TASKS) break;
        known.delete(oldest);
      }
    },
    find(ref) {
      const begun = known.has(ref) ? [ref] : ref === '' ? [] : [...known.keys()].filter((taskId) => taskId.startsWith(ref));
      const task = begun.length === 1 ? known.get(begun[0] ?? '') : undefined;
      return task === undefined ? undefined : asTask(task);
    },
  };
}

export function asTask({ taskId, serviceId, serviceName, slot, nodeId, image, containerId, exitCode, tty, createdAt, keptAt }: KeptTask): Task {
  return {
    kind: 'task',
    id: taskId,
    version: 0,
    createdAt,
    updatedAt: keptAt,
    serviceId,
    serviceName,
    serviceLabels: {},
    ...(slot === undefined ? {} : { slot }),
    nodeId,
    spec: { runtime: { kind: 'container', container: { image, ...(tty ? { tty } : {}) } }, forceUpdate: 0 },
    status: { state: 'shutdown', timestamp: keptAt, message: 'removed; its log is kept', container: { containerId, pid: 0, exitCode } },
    desiredState: 'remove',
    networks: [],
  };
}
