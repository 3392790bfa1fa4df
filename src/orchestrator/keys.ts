// Which services an event concerns. Too many keys cost time, a missing one costs correctness: when in doubt a service is named.
import type { Node, Service, Task } from '#domain/objects.ts';
import { taskStateRank } from '#domain/task-state.ts';
import type { StoreEvent, View } from '#domain/view.ts';

/** Ids of the services to decide about, deleted ones included: their tasks have to go. */
export function keysOfEvent(event: StoreEvent, view: View): Iterable<string> {
  const { object } = event;
  switch (object.kind) {
    case 'service':
      return [object.id];
    case 'task':
      return object.serviceId === undefined || isIrrelevant(event, object) ? [] : [object.serviceId];
    case 'node':
      return event.action === 'update' && event.previous.kind === 'node' && isUnchanged(event.previous, object) ? [] : servicesOfNode(view, object);
    default:
      return [];
  }
}

/** Every service, and those that only live on in their tasks. Reads all tasks: for the start of the loop only. */
export function allKeys(view: View): Iterable<string> {
  const keys = new Set<string>();
  for (const service of view.list('service')) keys.add(service.id);
  for (const task of view.list('task')) if (task.serviceId !== undefined) keys.add(task.serviceId);
  return keys;
}

/** Progress of a wanted task before it runs decides nothing; most events of a large service are of this sort. */
function isIrrelevant(event: StoreEvent, task: Task): boolean {
  if (event.action !== 'update' || event.previous.kind !== 'task') return false;
  const { previous } = event;
  return (
    isOnItsWay(task) &&
    isOnItsWay(previous) &&
    task.desiredState === previous.desiredState &&
    task.nodeId === previous.nodeId &&
    task.rejection === previous.rejection &&
    task.status.error === previous.status.error
  );
}

function isOnItsWay({ status }: Task): boolean {
  return taskStateRank[status.state] < taskStateRank.running;
}

/** The store keeps what a writer did not touch: the same parts are the same objects. */
function isUnchanged(before: Node, after: Node): boolean {
  return before.spec === after.spec && before.description === after.description && before.status.state === after.status.state && before.role === after.role;
}

function servicesOfNode(view: View, node: Node): Iterable<string> {
  const keys = new Set<string>();
  for (const task of view.tasksOfNode(node.id)) if (task.serviceId !== undefined) keys.add(task.serviceId);
  for (const service of view.list('service')) if (runsEverywhere(service)) keys.add(service.id);
  return keys;
}

function runsEverywhere({ spec }: Service): boolean {
  return spec.mode.kind === 'global' || spec.mode.kind === 'global-job';
}
