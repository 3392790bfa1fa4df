// From what is wanted of a task, what the engine shows of it and what was tried, to the one next step: a new status or an action.
// Pure: no clock, no engine. States and messages are SwarmKit's (agent/exec/controller.go, Do) and those of Docker's executor.
// How an action is carried out is task-worker.ts.
import type { Task, TaskStatus } from '#domain/objects.ts';
import { portsInUseText } from '#domain/ports-in-use.ts';
import { isTerminal, taskStateRank } from '#domain/task-state.ts';
import type { ContainerState } from './executor.ts';

/** A task whose published ports do not listen is let into the load balancers after this time all the same: not every port is meant to. */
export const SERVING_TIMEOUT_MS = 10_000;
/** How often a task that does not serve yet is looked at. */
export const SERVING_POLL_MS = 50;
/** How long a task that must stop waits at most for the word that every load balancer has let go of it. */
export const LEAVE_TIMEOUT_MS = 2_500;

/** What the worker knows about one task beyond its assignment. All of it may be forgotten at a restart: the steps are found anew. */
export interface TaskFacts {
  /** Undefined: not looked yet. `absent`: looked, there is none. */
  readonly container: ContainerState | 'absent' | undefined;
  /** `prepare` has succeeded since the worker began. */
  readonly prepared: boolean;
  /** The data plane knows the running container. */
  readonly announced: boolean;
  /** The published ports listen. */
  readonly serving: boolean;
  /** An action failed for good, in words for a user. */
  readonly failure: string | undefined;
  /** The health check gave the container up; it is being stopped for that. */
  readonly unhealthy: boolean;
  /** When the wish to stop was first seen. */
  readonly leavingSince: number | undefined;
  /** Every node has applied network state of at least this version. */
  readonly networkAppliedVersion: number;
  readonly drained: boolean;
  /** Published ports (`tcp/8080`; `tcp6/8080` over IPv6 only) that another program on this node has. */
  readonly portsInUse: readonly string[];
}

export const noFacts: TaskFacts = {
  container: undefined,
  prepared: false,
  announced: false,
  serving: false,
  failure: undefined,
  unhealthy: false,
  leavingSince: undefined,
  networkAppliedVersion: -1,
  drained: false,
  portsInUse: [],
};

export type TaskAction = 'inspect' | 'prepare' | 'start' | 'announce' | 'mark-leaving' | 'mark-unhealthy' | 'drain' | 'stop' | 'probe-serving';

export type TaskStep =
  | { readonly kind: 'status'; readonly status: TaskStatus }
  | { readonly kind: 'action'; readonly action: TaskAction }
  /** Nothing to do until news or, when given, until `wakeAt`. */
  | { readonly kind: 'wait'; readonly wakeAt?: number };

const wait: TaskStep = { kind: 'wait' };

export function nextStep(task: Task, status: TaskStatus, facts: TaskFacts, now: number): TaskStep {
  const attachment = task.spec.runtime.kind === 'attachment';
  // The first steps need no look at the engine, which may be away.
  if (taskStateRank[status.state] < taskStateRank.preparing && taskStateRank[task.desiredState] < taskStateRank.shutdown)
    return status.state === 'accepted' ? become(status, 'preparing', 'preparing', now) : become(status, 'accepted', 'accepted', now);
  if (!attachment && facts.container === undefined) return act('inspect');
  const container = facts.container === 'absent' || facts.container === undefined ? undefined : facts.container;
  // A container that runs although its task is over (a node that was away too long) has no place any more.
  if (isTerminal(status.state)) return container?.status === 'running' ? act('stop') : wait;
  if (taskStateRank[task.desiredState] >= taskStateRank.shutdown) return shutDown(task, status, container, facts, now);
  if (facts.failure !== undefined) return fail(status, facts.failure, container, now);
  switch (status.state) {
    case 'preparing':
      return facts.prepared ? become(status, 'ready', 'prepared', now) : act('prepare');
    case 'ready':
      if (task.desiredState === 'ready') return wait;
      // Somebody removed the created container: it is made again.
      if (!attachment && container === undefined) return act('prepare');
      // As SwarmKit, from here on: a task whose health check takes its time can be looked into meanwhile.
      return become(withContainer(status, container), 'starting', 'starting', now);
    case 'starting':
      return attachment ? bringUpAttachment(status, facts, now) : bringUp(task, status, container, facts, now);
    case 'running':
      return attachment ? (facts.announced ? wait : act('announce')) : keepRunning(task, status, container, facts, now);
    default:
      return wait;
  }
}

function bringUp(task: Task, status: TaskStatus, container: ContainerState | undefined, facts: TaskFacts, now: number): TaskStep {
  if (container === undefined) return fail(status, 'dockerexec: container destroyed', container, now);
  if (container.status === 'created') return act('start');
  if (container.status === 'exited') {
    if (facts.unhealthy) return fail(status, unhealthyError(container, facts), container, now);
    // Without a health check the task has been running, however short: SwarmKit reports both states.
    return container.health === 'none' || container.exitCode === 0
      ? become(withContainer(status, container), 'running', 'started', now)
      : fail(status, exitError(container, facts), container, now);
  }
  if (!facts.announced) return act('announce');
  if (container.health === 'unhealthy') return facts.unhealthy ? act('stop') : act('mark-unhealthy');
  if (container.health === 'starting') return wait;
  const running = become(withContainer(status, container), 'running', 'started', now);
  return hasIngressPorts(task) && !facts.serving ? notServing(running) : running;
}

function notServing(step: TaskStep): TaskStep {
  return step.kind === 'status' ? { kind: 'status', status: { ...step.status, serving: false } } : step;
}

function bringUpAttachment(status: TaskStatus, facts: TaskFacts, now: number): TaskStep {
  return facts.announced ? become(status, 'running', 'started', now) : act('announce');
}

function keepRunning(task: Task, status: TaskStatus, container: ContainerState | undefined, facts: TaskFacts, now: number): TaskStep {
  if (container === undefined || container.status === 'created') return fail(status, 'dockerexec: container destroyed', undefined, now);
  if (container.status === 'exited') {
    if (facts.unhealthy) return fail(status, unhealthyError(container, facts), container, now);
    if (container.exitCode !== 0) return fail(status, exitError(container, facts), container, now);
    return become(withContainer(status, container), 'complete', 'finished', now);
  }
  if (container.health === 'unhealthy' || facts.unhealthy) {
    if (!facts.unhealthy) return act('mark-unhealthy');
    // No new connections while it is being stopped.
    return status.serving === false ? act('stop') : { kind: 'status', status: { ...status, serving: false, timestamp: now } };
  }
  if (!facts.announced) return act('announce');
  const warning = portWarning(task, facts);
  if (status.error !== warning) return { kind: 'status', status: { ...withoutError(status), ...(warning && { error: warning }), timestamp: now } };
  if (status.serving !== false) return wait;
  if (facts.serving || now >= (status.startedAt ?? status.timestamp) + SERVING_TIMEOUT_MS)
    return { kind: 'status', status: { ...status, serving: true, timestamp: now } };
  return act('probe-serving');
}

function shutDown(task: Task, status: TaskStatus, container: ContainerState | undefined, facts: TaskFacts, now: number): TaskStep {
  if (container === undefined || container.status !== 'running') return become(withContainer(status, container), 'shutdown', 'shutdown', now);
  if (facts.leavingSince === undefined) return act('mark-leaving');
  // Only a running task can be in a load balancer: out of them first, then the connections it still serves, then the signal.
  if (status.state === 'running') {
    const deadline = facts.leavingSince + LEAVE_TIMEOUT_MS;
    if (facts.networkAppliedVersion < task.version && now < deadline) return { kind: 'wait', wakeAt: deadline };
    if (!facts.drained) return act('drain');
  }
  return act('stop');
}

/** Before `starting` a task that cannot go on is rejected, from then on it has failed. The message stays that of the step that failed. */
function fail(status: TaskStatus, error: string, container: ContainerState | undefined, now: number): TaskStep {
  const state = taskStateRank[status.state] < taskStateRank.starting ? 'rejected' : 'failed';
  return { kind: 'status', status: { ...withContainer(status, container), state, error, timestamp: now } };
}

function become(status: TaskStatus, state: TaskStatus['state'], message: string, now: number): TaskStep {
  const startedAt = state === 'running' && status.startedAt === undefined ? { startedAt: now } : {};
  return { kind: 'status', status: { ...withoutError(status), ...startedAt, state, message, timestamp: now } };
}

/** Said while a task runs; what it has come to later is another matter. */
function withoutError(status: TaskStatus): TaskStatus {
  const { error: _error, ...rest } = status;
  return rest;
}

/** Docker takes such a port from the program that has it, without a word. */
function portWarning(task: Task, { portsInUse }: TaskFacts): string | undefined {
  const own = (task.endpoint?.ports ?? []).filter(({ publishMode }) => publishMode === 'ingress').map((port) => `${port.protocol}/${port.publishedPort}`);
  const taken = portsInUse.filter((key) => own.includes(key.replace('6/', '/')));
  return taken.length === 0 ? undefined : portsInUseText(taken);
}

function withContainer(status: TaskStatus, container: ContainerState | undefined): TaskStatus {
  if (container === undefined) return status;
  const { containerId, pid, exitCode, hostPorts } = container;
  return {
    ...status,
    container: { containerId, pid: container.status === 'running' ? pid : 0, exitCode: container.status === 'running' ? 0 : exitCode },
    ...(hostPorts.length === 0 ? {} : { hostPorts }),
  };
}

/** Swarm calls a task that exits with 0 "finished"; one that was given up by its health check has failed, whatever it says on its way out. */
function unhealthyError(container: ContainerState, facts: TaskFacts): string {
  return container.exitCode === 0 ? 'dockerexec: unhealthy container' : exitError(container, facts);
}

function exitError(container: ContainerState, facts: TaskFacts): string {
  const cause = facts.unhealthy ? 'dockerexec: unhealthy container' : container.oomKilled ? 'container ran out of memory' : container.error;
  return `task: non-zero exit (${container.exitCode})${cause === undefined || cause === '' ? '' : `: ${cause}`}`;
}

export function hasIngressPorts(task: Task): boolean {
  return (task.endpoint?.ports ?? []).some((port) => port.publishMode === 'ingress');
}

function act(action: TaskAction): TaskStep {
  return { kind: 'action', action };
}
