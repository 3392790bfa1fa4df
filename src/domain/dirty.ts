// Whether a task still is what its service asks for. The updater replaces dirty tasks; the API's `_up-to-date` filter hides them.
// The rules are SwarmKit's IsTaskDirty (manager/orchestrator/task.go).
import { equalSpecs } from '#lib/equal.ts';
import { matchesConstraints, parseConstraints } from './constraint.ts';
import type { Node, Service, Task } from './objects.ts';
import type { EndpointSpec, TaskSpec } from './spec.ts';
import { taskStateRank } from './task-state.ts';

/**
 * A task of the service's present spec version is clean. Otherwise what counts is the task spec and the endpoint spec: changes of labels, replicas or
 * update settings do not dirty a task, nor do new constraints that its node (`node`, when known) still meets, nor new registry credentials once the
 * image is there.
 */
export function isTaskDirty(service: Service, task: Task, node?: Node): boolean {
  if (task.specVersion !== undefined && task.specVersion === service.specVersion) return false;
  if (!equalEndpoints(service.spec.endpoint, task.endpoint)) return true;
  const wanted = hasPulledImage(task) ? withCredentialsOf(service.spec.task, task.spec) : service.spec.task;
  if (equalSpecs(wanted, task.spec)) return false;
  return !(equalSpecs({ ...wanted, placement: task.spec.placement }, task.spec) && node !== undefined && meetsConstraints(service, node));
}

function meetsConstraints(service: Service, node: Node): boolean {
  return matchesConstraints(parseConstraints(service.spec.task.placement?.constraints ?? []), node);
}

function equalEndpoints(wanted: EndpointSpec | undefined, actual: EndpointSpec | undefined): boolean {
  return (wanted?.mode ?? 'vip') === (actual?.mode ?? 'vip') && equalSpecs(wanted?.ports, actual?.ports);
}

function hasPulledImage(task: Task): boolean {
  const rank = taskStateRank[task.status.state];
  return taskStateRank[task.desiredState] <= taskStateRank.running && rank >= taskStateRank.ready && rank <= taskStateRank.running;
}

function withCredentialsOf(wanted: TaskSpec, actual: TaskSpec): TaskSpec {
  if (wanted.runtime.kind !== 'container' || actual.runtime.kind !== 'container') return wanted;
  const { registryAuth: _wanted, ...container } = wanted.runtime.container;
  const registryAuth = actual.runtime.container.registryAuth;
  return { ...wanted, runtime: { kind: 'container', container: { ...container, ...(registryAuth === undefined ? {} : { registryAuth }) } } };
}
