// How a task is called: the name of its container, and what `docker service ps` shows in front of the id.
import type { Task } from './objects.ts';

/** "web.1" or, for a task that is bound to its node (global services), "web.<node id>". */
export function slotName(task: Task): string {
  return `${task.serviceName}.${task.slot ?? task.nodeId ?? ''}`;
}

/** "web.1.<task id>": unique in the swarm, and the name of the task's container. */
export function taskName(task: Task): string {
  return `${slotName(task)}.${task.id}`;
}
