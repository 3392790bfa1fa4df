// Whether the services that a service depends on are as it needs them, from one view of the store; and if not, which of them it waits for, in words.
// The orchestrator holds new tasks back while it waits, and the API shows these words.
import { dependenciesOf, type ServiceDependency } from './depends-on.ts';
import { isTaskDirty } from './dirty.ts';
import type { Service, Task } from './objects.ts';
import { taskStateRank } from './task-state.ts';
import type { View } from './view.ts';

/** "service app_db (service_healthy)", one for each that is waited for; empty when tasks may start. */
export function waitsFor(view: View, service: Service): readonly string[] {
  return dependenciesOf(service).flatMap((dependency) => {
    const problem = problemOf(view, service, dependency);
    return problem === undefined ? [] : [`service ${dependency.service} (${dependency.condition})${problem}`];
  });
}

/** For a task's error. */
export function waitingText(reasons: readonly string[]): string {
  return `waiting for ${reasons.join(' and ')}`;
}

/** The services from this one back to itself, when it depends on itself through others. Dependencies within such a circle hold nothing back. */
export function dependencyCircle(view: View, service: Pick<Service, 'spec'>): readonly string[] | undefined {
  for (const { service: name } of dependenciesOf(service)) {
    const path = pathTo(view, service.spec.name, name);
    if (path !== undefined) return [service.spec.name, ...path];
  }
  return undefined;
}

/** Whether the dependency leads back to the service. */
export function isInCircle(view: View, service: Pick<Service, 'spec'>, { service: name }: ServiceDependency): boolean {
  return pathTo(view, service.spec.name, name) !== undefined;
}

/** The names from `from` to `to` along dependencies, both included. */
function pathTo(view: View, to: string, from: string, seen: Set<string> = new Set()): readonly string[] | undefined {
  const name = from.toLowerCase();
  if (name === to.toLowerCase()) return [from];
  if (seen.has(name)) return undefined;
  seen.add(name);
  const service = view.findByName('service', from);
  for (const next of service === undefined ? [] : dependenciesOf(service)) {
    const path = pathTo(view, to, next.service, seen);
    if (path !== undefined) return [from, ...path];
  }
  return undefined;
}

/** Undefined: met, or not to be waited for. Else what is to be said about it besides its name; often nothing. */
function problemOf(view: View, service: Service, dependency: ServiceDependency): string | undefined {
  const other = view.findByName('service', dependency.service);
  if (other === undefined) return dependency.required ? ', which does not exist' : undefined;
  const tasks = [...view.tasksOfService(other.id)].map((task) => factsOf(view, other, task));
  if (isMet(other, tasks, dependency.condition)) return undefined;
  if (isInCircle(view, service, dependency)) return undefined;
  const hopeless = hopelessness(other, tasks);
  const mayFail = hopeless !== undefined || tasks.some(({ isCurrent, task }) => isCurrent && FAILED.has(task.status.state));
  return !dependency.required && mayFail ? undefined : (hopeless ?? '');
}

const FAILED: ReadonlySet<string> = new Set(['failed', 'rejected', 'orphaned']);

interface TaskFacts {
  readonly task: Task;
  /** Made of the service's present spec, and of a job's present run. */
  readonly isCurrent: boolean;
  /** Somebody wants it, and its node is there to run it. */
  readonly isWanted: boolean;
}

function factsOf(view: View, service: Service, task: Task): TaskFacts {
  const node = task.nodeId === undefined ? undefined : view.get('node', task.nodeId);
  return {
    task,
    isCurrent: (task.jobIteration ?? 0) === (service.job?.iteration ?? 0) && !isTaskDirty(service, task, node),
    isWanted: taskStateRank[task.desiredState] <= taskStateRank.complete && node !== undefined && node.status.state !== 'down' && task.rejection === undefined,
  };
}

function isMet(service: Service, tasks: readonly TaskFacts[], condition: ServiceDependency['condition']): boolean {
  if (condition === 'service_completed_successfully') return hasCompleted(service, tasks);
  // A task that completed counts while no other has taken its place.
  const isThere = ({ task, task: { status }, isWanted }: TaskFacts) =>
    (status.state === 'complete' && !tasks.some((other) => placeOf(other.task) === placeOf(task) && other.task.createdAt > task.createdAt)) ||
    (isWanted && (status.state === 'running' || (condition === 'service_started' && status.state === 'starting')));
  const there = tasks.filter(isThere);
  // In an update that stands still the former tasks serve.
  const stands = service.updateStatus?.state === 'paused' || service.updateStatus?.state === 'rollback_paused';
  return there.some(({ isCurrent }) => isCurrent) || (stands && there.length > 0);
}

function placeOf({ slot, nodeId }: Task): string {
  return String(slot ?? nodeId ?? '');
}

/** Every slot has a task that completed. */
function hasCompleted({ spec: { mode } }: Service, tasks: readonly TaskFacts[]): boolean {
  const current = tasks.filter(({ isCurrent }) => isCurrent);
  const slots = (list: readonly TaskFacts[]) => new Set(list.map(({ task }) => placeOf(task))).size;
  const done = slots(current.filter(({ task }) => task.status.state === 'complete'));
  const wanted = mode.kind === 'replicated' ? mode.replicas : mode.kind === 'replicated-job' ? mode.totalCompletions : slots(current);
  return done > 0 && done >= wanted;
}

/** Why nothing will come of waiting, unless somebody changes something. */
function hopelessness({ spec: { mode } }: Service, tasks: readonly TaskFacts[]): string | undefined {
  if (mode.kind === 'replicated' && mode.replicas === 0) return ', which is scaled to 0';
  const current = tasks.filter(({ isCurrent }) => isCurrent);
  const isOver =
    current.length > 0 &&
    current.every(({ task }) => taskStateRank[task.status.state] > taskStateRank.running && taskStateRank[task.desiredState] > taskStateRank.complete);
  return isOver && current.some(({ task }) => FAILED.has(task.status.state)) ? ', whose tasks failed and are not restarted' : undefined;
}
