// The node's worker half: takes assignments from whichever manager answers, drives each task with a worker of its own, and reports.
// A lost manager stops nothing here: the last assignments stay valid until another complete set replaces them.
import type { TaskStatus } from '#domain/objects.ts';
import { compareStates } from '#domain/task-state.ts';
import type { Clock, Random } from '#lib/clock.ts';
import { errorMessage } from '#lib/errors.ts';
import type { Logger } from '#lib/log.ts';
import type { AssignedConfig, AssignedSecret, AssignedTask, AssignmentChange, AssignmentSet, ManagerConnection } from '#protocol/messages.ts';
import type { ClusterNetworkState, LocalNetworkState } from '#protocol/network-state.ts';
import type { Executor } from './executor.ts';
import { createLatest } from './latest.ts';
import { createLimiter } from './limiter.ts';
import { createLocalNetwork } from './local-network.ts';
import { createReporter } from './reporter.ts';
import { runSessions } from './session.ts';
import { type AgentStateStore, withoutCredentials } from './state.ts';
import { removeStrays } from './strays.ts';
import { TaskWorker, type WorkerContext } from './task-worker.ts';

/** Pulls and container creations at a time: enough to fill a link and a disk, few enough that each still moves. */
const MAX_PREPARATIONS = 10;

/** What the agent needs of the node's data plane; network/data-plane.ts offers it. */
export interface AgentDataPlane {
  applyCluster(state: ClusterNetworkState, signal: AbortSignal): Promise<void>;
  applyLocal(state: LocalNetworkState, signal: AbortSignal): Promise<void>;
}

export interface AgentOptions {
  readonly nodeId: string;
  /** A connection to some manager; asked anew for every session. May throw while none is known. */
  readonly connect: () => ManagerConnection;
  readonly executor: Executor;
  readonly dataPlane: AgentDataPlane;
  readonly state: AgentStateStore;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

export interface Agent {
  /** Works until the signal aborts; containers go on running then. Rejects only when the remembered state cannot be read. */
  run(signal: AbortSignal): Promise<void>;
  /** The tasks that are on this node now, with their newest status. For logs and inspection. */
  tasks(): readonly { readonly assigned: AssignedTask; readonly status: TaskStatus }[];
}

export function createAgent(options: AgentOptions): Agent {
  const { executor, dataPlane, state, clock, log } = options;
  const workers = new Map<string, TaskWorker>();
  /** Tasks that were assigned again while what was left of them was being removed. */
  const returning = new Map<string, AssignedTask>();
  const running = new Set<Promise<void>>();
  let secrets = new Map<string, AssignedSecret>();
  let configs = new Map<string, AssignedConfig>();
  let dependenciesKnown = false;
  let networkAppliedVersion = -1;
  let onNetworkApplied: (version: number) => void = () => {};
  const reporter = createReporter();
  const memory = createLatest<ReadonlySet<TaskWorker>>({ what: 'the memory of tasks', apply: saveAll, clock, log });
  const unsaved = new Set<TaskWorker>();
  const localNetwork = createLocalNetwork({ apply: (local, signal) => dataPlane.applyLocal(local, signal), clock, log });
  const clusterNetwork = createLatest<ClusterNetworkState>({ what: "the state of the swarm's networks", apply: applyCluster, clock, log });
  const context: WorkerContext = {
    executor,
    clock,
    log,
    prepareLimit: createLimiter(MAX_PREPARATIONS),
    dependencies: { secret: (id) => secrets.get(id), config: (id) => configs.get(id) },
    dependenciesKnown: () => dependenciesKnown,
    localNetwork,
    clusterNetworkSettled: (timeoutMs, signal) => clusterNetwork.settled(timeoutMs, signal),
    networkAppliedVersion: () => networkAppliedVersion,
    changed(worker) {
      reporter.report(worker.task.id, worker.status);
      remember(worker);
    },
  };

  async function applyCluster(cluster: ClusterNetworkState, signal: AbortSignal): Promise<void> {
    await dataPlane.applyCluster(cluster, signal);
    onNetworkApplied(cluster.version);
  }

  function remember(worker: TaskWorker): void {
    unsaved.add(worker);
    memory.offer(unsaved);
  }

  async function saveAll(): Promise<void> {
    for (const worker of unsaved) {
      unsaved.delete(worker);
      if (workers.get(worker.task.id) !== worker) continue;
      try {
        await state.save({ assigned: withoutCredentials(worker.assigned), status: worker.status });
      } catch (error) {
        unsaved.add(worker);
        throw error;
      }
    }
  }

  function startWorker(assigned: AssignedTask, status: TaskStatus, signal: AbortSignal): TaskWorker {
    const worker = new TaskWorker(assigned, status, context);
    workers.set(assigned.task.id, worker);
    const done = worker.run(signal).then(() => (signal.aborted ? undefined : forget(worker, signal)));
    running.add(done);
    void done.finally(() => running.delete(done));
    return worker;
  }

  async function forget(worker: TaskWorker, signal: AbortSignal): Promise<void> {
    const { id } = worker.task;
    workers.delete(id);
    unsaved.delete(worker);
    reporter.forget(id);
    await state.remove(id).catch((error: unknown) => log.warn({ task: id, error: errorMessage(error) }, 'the memory of a task could not be removed'));
    const assigned = returning.get(id);
    returning.delete(id);
    if (assigned !== undefined) startWorker(assigned, assigned.task.status, signal);
  }

  function assign(assigned: AssignedTask, signal: AbortSignal): void {
    const worker = workers.get(assigned.task.id);
    if (worker === undefined) {
      remember(startWorker(assigned, assigned.task.status, signal));
      return;
    }
    if (worker.isRemoved) {
      returning.set(assigned.task.id, assigned);
      return;
    }
    worker.update(assigned);
    remember(worker);
    // What the manager has not stored yet is said again.
    if (compareStates(worker.status.state, assigned.task.status.state) >= 0 && !sameStatus(worker.status, assigned.task.status))
      reporter.report(assigned.task.id, worker.status);
  }

  function unassign(taskId: string): void {
    returning.delete(taskId);
    workers.get(taskId)?.remove();
  }

  /** The whole truth: whatever is not in it has no place on this node. */
  function takeComplete(assignments: AssignmentSet, signal: AbortSignal): void {
    secrets = new Map(assignments.secrets.map((secret) => [secret.id, secret]));
    configs = new Map(assignments.configs.map((config) => [config.id, config]));
    dependenciesKnown = true;
    const assignedIds = new Set(assignments.tasks.map(({ task }) => task.id));
    for (const id of workers.keys()) if (!assignedIds.has(id)) unassign(id);
    for (const assigned of assignments.tasks) assign(assigned, signal);
    for (const worker of workers.values()) worker.nudge();
    const strays = removeStrays({ executor, clock, log, isAssigned: (id) => workers.has(id) }, signal);
    running.add(strays);
    void strays.finally(() => running.delete(strays));
  }

  function takeChange(change: AssignmentChange, signal: AbortSignal): void {
    for (const secret of change.secrets) secrets.set(secret.id, secret);
    for (const config of change.configs) configs.set(config.id, config);
    for (const id of change.removedTaskIds) unassign(id);
    for (const assigned of change.tasks) assign(assigned, signal);
    for (const id of change.removedSecretIds) secrets.delete(id);
    for (const id of change.removedConfigIds) configs.delete(id);
  }

  return {
    tasks: () => [...workers.values()].map(({ assigned, status }) => ({ assigned, status })),
    async run(signal) {
      for (const { assigned, status } of await state.load()) startWorker(assigned, status, signal);
      const unwatch = executor.watch((taskId) => {
        if (taskId === undefined) for (const worker of workers.values()) worker.look();
        else workers.get(taskId)?.look();
      });
      const sessions = runSessions({
        ...options,
        reporter,
        handlers: {
          complete: (assignments) => takeComplete(assignments, signal),
          change: (change) => takeChange(change, signal),
          network: (network) => clusterNetwork.offer(network),
          networkApplied(version) {
            networkAppliedVersion = Math.max(networkAppliedVersion, version);
            for (const worker of workers.values()) worker.nudge();
          },
          onNetworkApplied(listener) {
            onNetworkApplied = listener;
          },
        },
        signal,
      });
      try {
        await Promise.all([sessions, memory.run(signal), localNetwork.run(signal), clusterNetwork.run(signal)]);
      } finally {
        unwatch();
        await Promise.allSettled(running);
      }
    },
  };
}

function sameStatus(a: TaskStatus, b: TaskStatus): boolean {
  return a.state === b.state && a.message === b.message && (a.error ?? '') === (b.error ?? '') && (a.serving ?? true) === (b.serving ?? true);
}
