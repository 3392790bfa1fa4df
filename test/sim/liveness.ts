// Once nothing goes wrong any more, everything must come to be as users want it, or say why not. Here is what "as users want it" means.
import { matchesConstraints, parseConstraints } from '#domain/constraint.ts';
import { restartPolicyOf } from '#domain/defaults.ts';
import { isTaskDirty } from '#domain/dirty.ts';
import type { Node, Service, Task } from '#domain/objects.ts';
import { isTerminal, taskStateRank } from '#domain/task-state.ts';
import type { View } from '#domain/view.ts';
import { waitsFor } from '#domain/waiting.ts';
import { isLive, slotOf } from './invariants.ts';
import type { SimulatedNode } from './node.ts';

/** What is not yet as it should be, in words; nothing when all is well. */
export function whatIsMissing(view: View, nodes: readonly SimulatedNode[]): readonly string[] {
  const missing: string[] = [];
  for (const node of view.list('node')) if (node.status.state !== 'ready') missing.push(`${node.id} is ${node.status.state}`);
  for (const task of view.list('task')) missing.push(...missingOfTask(view, task));
  for (const service of view.list('service')) missing.push(...missingOfService(view, service));
  for (const node of nodes) if (view.get('node', node.id) !== undefined) missing.push(...missingOfEngine(view, node));
  return missing;
}

function missingOfTask(view: View, task: Task): readonly string[] {
  const { state, error } = task.status;
  const name = `task ${task.id} (${task.serviceName}.${slotOf(task)}) ${state}/${task.desiredState}`;
  if (task.serviceId !== undefined && view.get('service', task.serviceId) === undefined) return [`${name} of a deleted service is still there`];
  if (task.desiredState === 'remove') return [`${name} is not removed`];
  if (isTerminal(state)) return isLive(task) && state !== 'complete' ? [`${name} is not replaced`] : [];
  if (!isLive(task)) return taskStateRank[state] >= taskStateRank.assigned ? [`${name} is not stopped`] : [];
  if (state === 'running')
    return task.desiredState === 'complete' ? [`${name} is not complete`] : task.status.serving === false ? [`${name} does not serve`] : [];
  return isExplained(task) || isHeld(view, task) ? [] : [`${name} does not run and does not say why: ${error ?? ''}`];
}

/** A task that cannot be placed or have its addresses says so. */
function isExplained({ status }: Task): boolean {
  return (status.state === 'pending' || status.state === 'new') && status.error !== undefined && status.error !== '';
}

/** A task whose service waits for another. */
function isHeld(view: View, task: Task): boolean {
  const service = view.get('service', task.serviceId ?? '');
  return task.desiredState === 'ready' && service !== undefined && waitsFor(view, service).length > 0;
}

function missingOfService(view: View, service: Service): readonly string[] {
  const { spec, updateStatus } = service;
  const tasks = [...view.tasksOfService(service.id)];
  const waits = tasks.some((task) => isLive(task) && isExplained(task)) || waitsFor(view, service).length > 0;
  const missing: string[] = [];
  const isRolling = updateStatus?.state === 'updating' || updateStatus?.state === 'rollback_started';
  if (isRolling && !waits) missing.push(`${spec.name} is ${updateStatus.state} still`);
  const isPaused = updateStatus?.state === 'paused' || updateStatus?.state === 'rollback_paused';
  if (!isRolling && !isPaused && service.job === undefined) missing.push(...outdated(view, service, tasks));
  const expected = expectedSlots(view, service, tasks);
  const isResult = (task: Task) => service.job !== undefined && task.status.state === 'complete' && task.jobIteration === service.job.iteration;
  const held = new Set(tasks.filter((task) => isLive(task) || isResult(task) || isGivenUp(service, task, tasks)).map(slotOf));
  // A job goes on to its next slot when one is done, and one that waits is not.
  const isHeldUp = waits && spec.mode.kind === 'replicated-job';
  if (typeof expected === 'number') return isHeldUp || held.size === expected ? missing : [...missing, `${spec.name} has ${held.size} of ${expected} slots`];
  for (const slot of expected) if (!held.has(slot)) missing.push(`${spec.name} has no task in slot ${slot}`);
  return missing;
}

function outdated(view: View, service: Service, tasks: readonly Task[]): readonly string[] {
  return (
    tasks
      .filter((task) => isLive(task) && isTaskDirty(service, task, task.nodeId === undefined ? undefined : view.get('node', task.nodeId)))
      // What replaces it may have no place (its resources are taken by the old one).
      .filter((task) => !tasks.some((other) => slotOf(other) === slotOf(task) && isLive(other) && (isExplained(other) || isHeld(view, other))))
      // An update that may go on in spite of failures leaves an old task where the new one used up its restarts.
      .filter((task) => !tasks.some((other) => slotOf(other) === slotOf(task) && other.createdAt > task.createdAt && !isLive(other)))
      .map((task) => `task ${task.id} of ${service.spec.name} is outdated`)
  );
}

/** How many slots the service has, or which ones. */
function expectedSlots(view: View, { spec }: Service, tasks: readonly Task[]): number | readonly string[] {
  const { mode } = spec;
  if (mode.kind === 'replicated') return mode.replicas;
  // Results of older iterations may be in slots that the job does not have any more.
  if (mode.kind === 'replicated-job') return new Set([...tasks.map(slotOf), ...range(mode.totalCompletions)]).size;
  const constraints = parseConstraints(spec.task.placement?.constraints ?? []);
  return [...view.list('node')].filter((node: Node) => matchesConstraints(constraints, node)).map(({ id }) => id);
}

function range(count: number): readonly string[] {
  return Array.from({ length: count }, (_, index) => `${index}`);
}

/** The newest task of a slot that its policy does not allow to replace. */
function isGivenUp(service: Service, task: Task, tasks: readonly Task[]): boolean {
  if (isLive(task) || tasks.some((other) => slotOf(other) === slotOf(task) && other.createdAt > task.createdAt)) return false;
  const { condition, maxAttempts } = restartPolicyOf(task.spec);
  return (
    condition === 'none' ||
    (condition === 'on-failure' && task.status.state === 'complete') ||
    (maxAttempts > 0 && (task.restart?.attempts ?? 0) > 0) ||
    (service.job !== undefined && task.status.state === 'complete')
  );
}

function missingOfEngine(view: View, node: SimulatedNode): readonly string[] {
  const missing: string[] = [];
  const containers = node.engine.containers();
  for (const [taskId, { state }] of containers) {
    const task = view.get('task', taskId);
    if (task === undefined || task.nodeId !== node.id) missing.push(`${node.id} has a container of ${taskId}, which is not its task`);
    else if (state.status === 'running' && (isTerminal(task.status.state) || !isLive(task)))
      missing.push(`${node.id} runs the container of ${taskId}, which is ${task.status.state}/${task.desiredState}`);
  }
  for (const task of view.tasksOfNode(node.id)) {
    if (task.status.state === 'running' && containers.get(task.id)?.state.status !== 'running')
      missing.push(`${node.id} does not run ${task.id}, which is said to run`);
  }
  return missing;
}
