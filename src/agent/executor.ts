// What the agent needs of a container engine. engine/ implements it; tests and simulation use a fake that passes the same
// contract. Every method may be called again after a crash with the same task and must then find what it had already done.
// A method rejects with AppError `unavailable` when the engine cannot be reached: that says nothing about a task, and the agent tries again.
import type { NodeDescription, Task } from '#domain/objects.ts';
import type { PortConfig } from '#domain/spec.ts';
import type { AssignedConfig, AssignedNetwork, AssignedSecret, AssignedTask } from '#protocol/messages.ts';
import type { LocalEndpoint } from '#protocol/network-state.ts';

export type { AssignedConfig, AssignedNetwork, AssignedSecret, AssignedTask, LocalEndpoint };

/** What a task may use beyond its spec. */
export interface TaskDependencies {
  secret(id: string): AssignedSecret | undefined;
  config(id: string): AssignedConfig | undefined;
}

/** The state of a task's container as the engine reports it. */
export interface ContainerState {
  readonly containerId: string;
  readonly status: 'created' | 'running' | 'exited';
  readonly pid: number;
  readonly exitCode: number;
  /** `none`: no health check. */
  readonly health: 'none' | 'starting' | 'healthy' | 'unhealthy';
  /** The engine's own words when the container could not start or was killed (out of memory …). */
  readonly error?: string;
  readonly oomKilled: boolean;
  readonly hostPorts: readonly PortConfig[];
  readonly startedAt?: number;
}

/** Enough to find what belongs to a task; a task that is no longer assigned is known by its id only. */
export type TaskRef = Pick<Task, 'id'>;

export interface Executor {
  /** What this node is: resources, platform, plugins. */
  describe(signal: AbortSignal): Promise<NodeDescription>;
  /**
   * Everything until the container could be started: image pulled (never waiting on a registry for an image that is local and pinned),
   * networks, volumes, secrets and configs, container created. Rejects with AppError whose message becomes the task's error.
   * `progress` tells of long steps. For an attachment task only the network is made.
   */
  prepare(task: AssignedTask, dependencies: TaskDependencies, progress: (message: string) => void, signal: AbortSignal): Promise<void>;
  /** Starts the created container; resolves when its process runs. Starting a running container is no error. */
  start(task: Task, signal: AbortSignal): Promise<void>;
  /** The container's state now, or undefined when the task has none. */
  inspect(task: TaskRef, signal: AbortSignal): Promise<ContainerState | undefined>;
  /**
   * What the node's data plane must know of the task's running container (`state`), or of the plain container behind an attachment task
   * (then `state` is undefined). Undefined when there is nothing to know (yet).
   */
  endpoint(task: Task, state: ContainerState | undefined, signal: AbortSignal): Promise<LocalEndpoint | undefined>;
  /** Whether a running task's published ports listen, so that it may get traffic. True when that cannot be known. */
  serving(task: Task, state: ContainerState, signal: AbortSignal): Promise<boolean>;
  /** Waits, at most `timeoutMs`, until the connections that the task still serves have ended. */
  drain(task: Task, timeoutMs: number, signal: AbortSignal): Promise<void>;
  /** Stop signal, grace period, then kill. Stopping a stopped or missing container is no error. */
  stop(task: TaskRef, signal: AbortSignal): Promise<void>;
  /** Removes the container, its anonymous volumes, secret files and network endpoint, and networks that nobody here uses any more. Removing nothing is no error. */
  remove(task: TaskRef, signal: AbortSignal): Promise<void>;
  /** Ids of the tasks of this node that have a container, a secret folder or anything else here: to adopt or to clean up. */
  listTaskIds(signal: AbortSignal): Promise<readonly string[]>;
  /**
   * Calls back with the task's id whenever its container may have changed (start, die, health, destroy, oom) and with undefined when
   * anything may have (events were lost: the engine or the connection restarted).
   */
  watch(listener: (taskId: string | undefined) => void): () => void;
}
