// The node's worker half: takes assignments from whichever manager answers, drives each task with a worker of its own, and reports.
// A lost manager stops nothing here: the last assignments stay valid until another complete set replaces them.
import { setMaxListeners } from 'node:events';
import type { TaskStatus } from '#domain/objects.ts';
import type { Clock, Random } from '#lib/clock.ts';
import type { Logger } from '#lib/log.ts';
import type { AssignedTask, ManagerConnection } from '#protocol/messages.ts';
import type { ClusterNetworkState, LocalNetworkState } from '#protocol/network-state.ts';
import type { Executor } from './executor.ts';
import { createLatest } from './latest.ts';
import { createLimiter } from './limiter.ts';
import { createLocalNetwork } from './local-network.ts';
import { createReporter } from './reporter.ts';
import { runSessions, type SessionHandlers } from './session.ts';
import type { AgentStateStore } from './state.ts';
import { TaskSet } from './task-set.ts';

/** Pulls and container creations at a time: enough to fill a link and a disk, few enough that each still moves. */
const MAX_PREPARATIONS = 10;

/** What the agent needs of the node's data plane; network/data-plane.ts offers it. */
export interface AgentDataPlane {
  applyCluster(state: ClusterNetworkState, signal: AbortSignal): Promise<void>;
  applyLocal(state: LocalNetworkState, signal: AbortSignal): Promise<void>;
  /** Published ports (`tcp/8080`) that another program on this node has. Whoever watches the executor is told of a change. */
  portsInUse(): readonly string[];
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
  /** Works until the signal aborts; containers go on running then. Rejects only when the remembered state cannot be read. To be called once. */
  run(signal: AbortSignal): Promise<void>;
  /** The tasks that are on this node now, with their newest status. For logs and inspection. */
  tasks(): readonly { readonly assigned: AssignedTask; readonly status: TaskStatus }[];
}

export function createAgent(options: AgentOptions): Agent {
  let tasks: TaskSet | undefined;
  return {
    tasks: () => tasks?.list() ?? [],
    async run(signal) {
      const { executor, dataPlane, clock, log } = options;
      // Every worker listens to it; more than ten are no leak.
      setMaxListeners(0, signal);
      const reporter = createReporter();
      const network = createNetworkFollower(options);
      const localNetwork = createLocalNetwork({ apply: (local, either) => dataPlane.applyLocal(local, either), clock, log });
      const set = new TaskSet({
        ...options,
        prepareLimit: createLimiter(MAX_PREPARATIONS),
        localNetwork,
        clusterNetworkSettled: (timeoutMs, either) => network.settled(timeoutMs, either),
        networkAppliedVersion: () => network.appliedEverywhere(),
        portsInUse: () => dataPlane.portsInUse(),
        reporter,
        signal,
      });
      tasks = set;
      await set.restore();
      localNetwork.expect(
        set
          .list()
          .filter(({ status }) => status.state === 'running')
          .map(({ assigned }) => assigned.task.id),
      );
      const unwatch = executor.watch((taskId) => set.look(taskId));
      const handlers: SessionHandlers = {
        complete: (assignments) => set.takeComplete(assignments),
        change: (change) => set.takeChange(change),
        network: (state) => network.offer(state),
        networkApplied(version) {
          network.noteAppliedEverywhere(version);
          set.nudgeAll();
        },
        onNetworkApplied: (listener) => network.onApplied(listener),
      };
      try {
        await Promise.all([runSessions({ ...options, reporter, handlers, signal }), set.run(), localNetwork.run(signal), network.run(signal)]);
      } finally {
        unwatch();
      }
    },
  };
}

/** Keeps the data plane at the newest state of the swarm's networks, and knows how far this node and all nodes are. */
function createNetworkFollower({ dataPlane, clock, log }: Pick<AgentOptions, 'dataPlane' | 'clock' | 'log'>) {
  let everywhere = -1;
  let listener: ((version: number) => void) | undefined;
  const apply = async (state: ClusterNetworkState, signal: AbortSignal) => {
    await dataPlane.applyCluster(state, signal);
    listener?.(state.version);
  };
  const latest = createLatest<ClusterNetworkState>({ what: "the state of the swarm's networks", apply, clock, log });
  return {
    ...latest,
    appliedEverywhere: () => everywhere,
    noteAppliedEverywhere(version: number) {
      everywhere = Math.max(everywhere, version);
    },
    onApplied(next: (version: number) => void) {
      listener = next;
    },
  };
}
