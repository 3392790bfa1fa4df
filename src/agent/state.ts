// What an agent remembers across its own restarts: the tasks it was last told of and how far each came. Without it nothing would be lost that the
// engine does not know too, but for tasks that failed before they had a container while no manager listened.
// engine/agent-state.ts keeps it in files; tests keep it in memory.
import type { TaskStatus } from '#domain/objects.ts';
import type { AssignedTask } from '#protocol/messages.ts';

export interface RememberedTask {
  /** Without registry credentials: secrets are never on disk. */
  readonly assigned: AssignedTask;
  readonly status: TaskStatus;
}

export interface AgentStateStore {
  load(): Promise<readonly RememberedTask[]>;
  save(task: RememberedTask): Promise<void>;
  remove(taskId: string): Promise<void>;
}

export function createMemoryAgentState(): AgentStateStore {
  const tasks = new Map<string, RememberedTask>();
  return {
    load: async () => [...tasks.values()],
    async save(task) {
      tasks.set(task.assigned.task.id, task);
    },
    async remove(taskId) {
      tasks.delete(taskId);
    },
  };
}

/** The task as it may be written down. */
export function withoutCredentials(assigned: AssignedTask): AssignedTask {
  const { runtime } = assigned.task.spec;
  if (runtime.kind !== 'container' || runtime.container.registryAuth === undefined) return assigned;
  const { registryAuth: _, ...container } = runtime.container;
  return { ...assigned, task: { ...assigned.task, spec: { ...assigned.task.spec, runtime: { kind: 'container', container } } } };
}
