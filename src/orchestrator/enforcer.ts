// The constraint enforcer: tasks whose node no longer meets their constraints, or no longer has what they reserve, are rejected. They are asked to stop
// first, and the restart policy moves them elsewhere; `rejected` is what they become once they have stopped, because until then they hold on to
// addresses, ports and slot. Works per node, because reservations add up per node.
import { matchesConstraints, parseConstraints } from '#domain/constraint.ts';
import { isTaskDirty } from '#domain/dirty.ts';
import type { Node, Task } from '#domain/objects.ts';
import type { GenericResource, Placement, Resources } from '#domain/spec.ts';
import { isTerminal, taskStateRank } from '#domain/task-state.ts';
import type { Decision, StoreEvent, View } from '#domain/view.ts';
import { compareAge, isLive } from './task.ts';

const MESSAGE = 'task rejected by constraint enforcer';
export const NO_LONGER_FITS = 'assigned node no longer meets constraints';

/** Decides for one node. New rejections are for active nodes only: a drained one loses its tasks anyway, a paused one keeps them. */
export function enforceConstraints(view: View, nodeId: string): Decision {
  const tasks = [...view.tasksOfNode(nodeId)].sort(compareAge);
  const rejected = tasks.filter(hasStopped).map(finishRejection);
  const node = view.get('node', nodeId);
  const marked = node === undefined ? [] : misplaced(view, tasks, node).map((task) => ({ ...task, rejection: NO_LONGER_FITS }));
  return { changes: [...rejected, ...marked].map((object) => ({ action: 'update', object })) };
}

/** Nodes that an event may have changed for the worse, or where a rejected task has stopped. */
export function enforcerKeysOfEvent({ action, object }: StoreEvent): readonly string[] {
  if (action === 'remove') return [];
  if (object.kind === 'task') return hasStopped(object) && object.nodeId !== undefined ? [object.nodeId] : [];
  return object.kind === 'node' ? [object.id] : [];
}

export function allEnforcerKeys(view: View): readonly string[] {
  return [...view.list('node')].map((node) => node.id);
}

function misplaced(view: View, tasks: readonly Task[], node: Node): readonly Task[] {
  if (node.spec.availability !== 'active' || node.status.state === 'down') return [];
  const remaining = createBudget(node.description?.resources);
  // The oldest keep their reservations.
  return tasks.filter((task) => {
    const isThere = isLive(task) && !isTerminal(task.status.state) && taskStateRank[task.status.state] >= taskStateRank.assigned;
    return isThere && task.rejection === undefined && !(meetsConstraints(view, task, node) && remaining.take(task));
  });
}

function hasStopped({ rejection, status }: Task): boolean {
  return rejection !== undefined && status.state === 'shutdown';
}

function finishRejection(task: Task): Task {
  return { ...task, status: { ...task.status, state: 'rejected', message: MESSAGE, error: task.rejection ?? NO_LONGER_FITS } };
}

function meetsConstraints(view: View, task: Task, node: Node): boolean {
  const constraints = placementInForce(view, task, node)?.constraints ?? [];
  return constraints.length === 0 || matchesConstraints(parseConstraints(constraints), node);
}

/** A task that is still up to date although its service's placement changed is held to the new one; an outdated one to its own until the updater comes. */
function placementInForce(view: View, task: Task, node: Node): Placement | undefined {
  const service = task.serviceId === undefined ? undefined : view.get('service', task.serviceId);
  const isCurrent = service !== undefined && !isTaskDirty(service, task, node);
  return isCurrent ? service.spec.task.placement : task.spec.placement;
}

interface Budget {
  /** Whether what the task reserves is still there; takes it when it is. */
  take(task: Task): boolean;
}

/** A node that has not said what it has is not held to it. */
function createBudget(resources: Resources | undefined): Budget {
  if (resources === undefined) return { take: () => true };
  let nanoCpus = resources.nanoCpus ?? 0;
  let memoryBytes = resources.memoryBytes ?? 0;
  const generic = countGeneric(resources.generic ?? []);
  return {
    take({ spec, genericResources = [] }) {
      const reserved = spec.resources?.reservations;
      const claimed = countGeneric(genericResources);
      const wantedCpus = reserved?.nanoCpus ?? 0;
      const wantedBytes = reserved?.memoryBytes ?? 0;
      if ((wantedCpus > 0 && wantedCpus > nanoCpus) || (wantedBytes > 0 && wantedBytes > memoryBytes)) return false;
      for (const [name, count] of claimed) if (count > (generic.get(name) ?? 0)) return false;
      nanoCpus -= wantedCpus;
      memoryBytes -= wantedBytes;
      for (const [name, count] of claimed) generic.set(name, (generic.get(name) ?? 0) - count);
      return true;
    },
  };
}

/** Named resources count one per name and value, discrete ones by their number. */
function countGeneric(resources: readonly GenericResource[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const resource of resources) {
    const name = resource.kind === 'named' ? `${resource.name}=${resource.value}` : resource.name;
    counts.set(name, (counts.get(name) ?? 0) + (resource.kind === 'named' ? 1 : resource.value));
  }
  return counts;
}
