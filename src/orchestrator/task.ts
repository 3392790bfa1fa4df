// What the orchestrator knows of single tasks: new ones, which of them are wanted, when they were seen, whether they may take over.
// Pure functions of values; what to do about a task is decided elsewhere in this folder.
import { stopGracePeriodNsOf } from '#domain/defaults.ts';
import type { Cluster, Node, RestartRecord, Service, Task } from '#domain/objects.ts';
import { isTerminal, taskStateRank } from '#domain/task-state.ts';
import type { View } from '#domain/view.ts';

/** How long a new task that runs but does not serve yet may hold up an update: then it counts as ready. */
export const SERVING_WAIT_MS = 10_000;
/** SwarmKit waits a minute for an old task to stop before its replacement starts anyway. */
const STOP_WAIT_MS = 60_000;
/** A task with a long grace period gets all of it, and this much for what comes before and after. */
const STOP_MARGIN_MS = 30_000;

/** Nanoseconds of a spec as milliseconds; a positive duration never becomes zero. */
export function milliseconds(nanoseconds: number): number {
  return Math.ceil(nanoseconds / 1_000_000);
}

export function isJob(service: Service): boolean {
  return service.spec.mode.kind === 'replicated-job' || service.spec.mode.kind === 'global-job';
}

/** A task that is asked to be there: desired state `ready`, `running` or `complete`. */
export function isLive(task: Task): boolean {
  return taskStateRank[task.desiredState] <= taskStateRank.complete;
}

/** A task that a node may be running although nobody wants it any more. A node that is down or gone is not waited for. */
export function isStopping(view: View, task: Task): boolean {
  if (isLive(task) || isTerminal(task.status.state) || taskStateRank[task.status.state] < taskStateRank.assigned) return false;
  const node = nodeOf(view, task);
  return node !== undefined && node.status.state !== 'down';
}

export function nodeOf(view: View, task: Task): Node | undefined {
  return task.nodeId === undefined ? undefined : view.get('node', task.nodeId);
}

/** Tasks may not stay on a node that is gone, down or drained. */
export function isInvalidNode(node: Node | undefined): boolean {
  return node === undefined || node.status.state === 'down' || node.spec.availability === 'drain';
}

/** A task that may not stay where it is: because of its node, or because the constraint enforcer says so. */
export function mustLeave(view: View, task: Task): boolean {
  return task.nodeId !== undefined && (task.rejection !== undefined || isInvalidNode(view.get('node', task.nodeId)));
}

/**
 * A time that an agent observed, on the manager's clock: never before the task was made, never after its status was stored. Clocks of nodes differ;
 * an unbounded one could stall an update for as long as they do.
 */
export function onManagerClock(task: Task, observedAt: number): number {
  return Math.min(Math.max(observedAt, task.createdAt), task.updatedAt);
}

/** Managers' clocks may differ by this much without anybody noticing. */
const CLOCK_SLACK_MS = 60_000;

/**
 * A stored time that a wait of at most `longestMs` ends at. One that lies further ahead was written by a clock that has been set back since: the wait is
 * over then, instead of lasting until the clock shows that time again.
 */
export function unlessImpossible(at: number, now: number, longestMs: number): number {
  return at - now > longestMs + CLOCK_SLACK_MS ? now : at;
}

/** When a task that runs or ran was first seen running; undefined when it never was. */
export function startedAtOf(task: Task): number | undefined {
  const observedAt = task.status.startedAt ?? (task.status.state === 'running' ? task.status.timestamp : undefined);
  return observedAt === undefined ? undefined : onManagerClock(task, observedAt);
}

/** When a new task is (or will be) ready to take over; undefined while it does not run. A task that ended is over, however it ended. */
export function readyAtOf(task: Task): number | undefined {
  if (isTerminal(task.status.state)) return onManagerClock(task, task.status.timestamp);
  const startedAt = startedAtOf(task);
  if (task.status.state !== 'running' || startedAt === undefined) return undefined;
  return task.status.serving === false ? startedAt + SERVING_WAIT_MS : startedAt;
}

/** Negative when `a` is the older task. Within a slot no two tasks have the same time of creation. */
export function compareAge(a: Task, b: Task): number {
  return a.createdAt - b.createdAt || (a.id < b.id ? -1 : 1);
}

/** How long to wait at most for a task to stop, once it was asked to. */
export function stopWaitMs(task: Task): number {
  const { runtime } = task.spec;
  const graceMs = runtime.kind === 'container' ? milliseconds(stopGracePeriodNsOf(runtime.container)) : 0;
  return Math.max(STOP_WAIT_MS, graceMs + STOP_MARGIN_MS);
}

export interface NewTask {
  readonly id: string;
  readonly now: number;
  readonly cluster: Cluster | undefined;
  readonly slot?: number;
  /** Global services: the task is made for this node. */
  readonly nodeId?: string;
  readonly restart?: RestartRecord;
}

/** A task of the service's present spec. With a restart record it is held at desired state `ready` until that says it may start. */
export function newTask(service: Service, { id, now, cluster, slot, nodeId, restart }: NewTask): Task {
  const { spec } = service;
  const logDriver = spec.task.logDriver ?? cluster?.spec.taskDefaults.logDriver;
  return {
    kind: 'task',
    id,
    version: 0,
    createdAt: now,
    updatedAt: now,
    serviceId: service.id,
    ...(slot === undefined ? {} : { slot }),
    ...(nodeId === undefined ? {} : { nodeId }),
    spec: spec.task,
    specVersion: service.specVersion,
    serviceName: spec.name,
    serviceLabels: spec.labels,
    status: { state: 'new', timestamp: now, message: 'created' },
    desiredState: restart ? 'ready' : startedState(service),
    networks: [],
    ...(spec.endpoint === undefined ? {} : { endpoint: spec.endpoint }),
    ...(logDriver === undefined ? {} : { logDriver }),
    ...(isJob(service) ? { jobIteration: service.job?.iteration ?? 0 } : {}),
    ...(restart === undefined ? {} : { restart }),
  };
}

/** What is asked of a task that may start. */
export function startedState(service: Service): 'running' | 'complete' {
  return isJob(service) ? 'complete' : 'running';
}
