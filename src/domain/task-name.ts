// How a task is called: the name of its container, and what `docker service ps` shows in front of the id.
import type { Task } from './objects.ts';

type NamedTask = Pick<Task, 'id' | 'serviceName' | 'slot' | 'nodeId'>;

/** "web.1" or, for a task that is bound to its node (global services, and as in SwarmKit the slot 0 of jobs), "web.<node id>". */
export function slotName(task: Omit<NamedTask, 'id'>): string {
  return `${task.serviceName}.${task.slot || (task.nodeId ?? '')}`;
}

/** "web.1.<task id>": unique in the swarm, and the name of the task's container. */
export function taskName(task: NamedTask): string {
  return `${slotName(task)}.${task.id}`;
}
