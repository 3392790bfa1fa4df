// A simulated node: the real agent on the fake engine. The engine's containers, the agent's memory and the data plane outlive the agent.
import { createAgent } from '#agent/agent.ts';
import type { Executor } from '#agent/executor.ts';
import { type AgentStateStore, createMemoryAgentState } from '#agent/state.ts';
import { createFakeExecutor, type FakeExecutor, type TaskScript } from '#agent/testing/fake-executor.ts';
import type { NodeDescription, Task } from '#domain/objects.ts';
import { AppError, errorMessage } from '#lib/errors.ts';
import type { Chance } from './chance.ts';
import type { SkewedClock, Timeline } from './clock.ts';
import { connectThrough, type LinkFaults } from './link.ts';
import type { RunningManager } from './manager.ts';
import { INJECTED, type Trace } from './trace.ts';

export interface NodeFaults {
  /** Of every application of network state. */
  dataPlaneFailureProbability: number;
  maxApplyMs: number;
}

export interface SimulatedNode {
  readonly id: string;
  readonly clock: SkewedClock;
  readonly link: LinkFaults;
  readonly faults: NodeFaults;
  readonly engine: FakeExecutor['control'];
  readonly isUp: boolean;
  start(): void;
  /** The agent is gone in the middle of whatever it did; what it has not written down is forgotten, containers go on. */
  crash(): void;
}

export interface SimulatedNodeOptions {
  readonly id: string;
  readonly index: number;
  readonly timeline: Timeline;
  readonly chance: Chance;
  readonly trace: Trace;
  readonly manager: () => RunningManager | undefined;
  readonly scriptFor: (task: Task) => TaskScript;
  /** Called before a container is asked to stop, and after one was started. */
  readonly onStop: (nodeId: string, taskId: string) => void;
  readonly onStarted: (nodeId: string, taskId: string) => void;
}

export function createSimulatedNode(options: SimulatedNodeOptions): SimulatedNode {
  const { id, index, timeline, chance, trace, scriptFor } = options;
  const clock = timeline.clock();
  const executor = createFakeExecutor({ clock, description: describe(index), scriptFor });
  const state = createMemoryAgentState();
  const link: LinkFaults = { isCut: false, lossProbability: 0, maxLatencyMs: 0 };
  const faults: NodeFaults = { dataPlaneFailureProbability: 0, maxApplyMs: 0 };
  let life: AbortController | undefined;

  async function apply(): Promise<void> {
    if (faults.maxApplyMs > 0) await timeline.sleep(chance.integer(0, faults.maxApplyMs));
    if (faults.dataPlaneFailureProbability > 0 && chance.happens(faults.dataPlaneFailureProbability)) {
      throw new AppError('unavailable', `${INJECTED}: the data plane does not answer`);
    }
  }

  function start(): void {
    if (life !== undefined) return;
    const stop = new AbortController();
    const agent = createAgent({
      nodeId: id,
      connect: () => connectThrough({ nodeId: id, address: addressOf(index), timeline, chance, faults: link, manager: options.manager }),
      executor: observed(executor, options),
      dataPlane: { applyCluster: apply, applyLocal: apply, portsInUse: () => [] },
      state: mortal(state, stop.signal),
      clock,
      random: chance.random,
      log: trace.logger(id),
    });
    agent.run(stop.signal).catch((error: unknown) => trace.violation(`the agent of ${id} failed: ${errorMessage(error)}`));
    life = stop;
    trace.note(`${id} agent starts`);
  }

  return {
    id,
    clock,
    link,
    faults,
    engine: executor.control,
    get isUp() {
      return life !== undefined;
    },
    start,
    crash() {
      trace.note(`${id} agent crashes`);
      life?.abort(new Error(`${INJECTED}: the agent crashed`));
      life = undefined;
    },
  };
}

function observed(executor: FakeExecutor, { id, onStop, onStarted }: SimulatedNodeOptions): Executor {
  return {
    ...executor,
    async start(task, signal) {
      await executor.start(task, signal);
      onStarted(id, task.id);
    },
    stop(task, signal) {
      onStop(id, task.id);
      return executor.stop(task, signal);
    },
  };
}

/** The dead write nothing. */
function mortal(state: AgentStateStore, life: AbortSignal): AgentStateStore {
  return {
    load: () => state.load(),
    save: async (task) => (life.aborted ? undefined : state.save(task)),
    remove: async (taskId) => (life.aborted ? undefined : state.remove(taskId)),
  };
}

export function addressOf(index: number): string {
  return `10.9.0.${index}`;
}

function describe(index: number): NodeDescription {
  return {
    hostname: `host${index}`,
    dataPathAddress: addressOf(index),
    platform: { os: 'linux', architecture: 'x86_64' },
    resources: { nanoCpus: 4e9, memoryBytes: 2 ** 32 },
    engine: {
      version: '28.0.0',
      labels: {},
      plugins: [
        { type: 'Network', name: 'overlay' },
        { type: 'Log', name: 'json-file' },
      ],
    },
  };
}
