// The node's worker half, put together: the engine's executor and the data plane. Also how all of it is removed when the node leaves.
import { join } from 'node:path';
import type { Executor } from '#agent/executor.ts';
import type { NodeDescription } from '#domain/objects.ts';
import type { Clock } from '#lib/clock.ts';
import type { Logger } from '#lib/log.ts';
import { createDockerExecutor } from '#engine/docker-executor.ts';
import { createLogKeeper } from '#engine/keep-log.ts';
import { createKeptLogs } from '#engine/kept-logs.ts';
import { rememberedEngineKind } from './engine-kind.ts';
import type { EngineLink } from '#engine-link/connection.ts';
import { createDataPlane, type ManagedDataPlane } from '#network/client.ts';
import type { DaemonOptions } from './options.ts';
import { startKeptLogsServer } from './kept-logs-server.ts';
import type { StateDirectory, SwarmFile } from './state-directory.ts';

export interface Worker {
  readonly executor: Executor;
  readonly dataPlane: ManagedDataPlane;
  /** What the node says of itself has changed: whoever watches the executor is told. */
  describeAgain(): void;
  /** This node's engine. */
  readonly engine: EngineLink;
  /** What is kept of the logs of tasks that are gone (kept-logs-server.ts). */
  readonly keptLogs: EngineLink;
  /** Lets go of engine and data plane; both go on. */
  close(): Promise<void>;
  /** Removes the containers, networks, files and rules of this node. */
  removeAll(signal: AbortSignal): Promise<void>;
}

export interface WorkerOptions {
  readonly swarm: SwarmFile;
  /** What the node tells of its certificate. */
  readonly tls?: () => NodeDescription['tls'];
}

export type WorkerFactory = (options: WorkerOptions) => Promise<Worker>;

interface FactoryOptions {
  readonly engine: EngineLink;
  readonly options: Pick<DaemonOptions, 'hostname' | 'keptLogs'>;
  readonly directory: StateDirectory;
  /** What the node tells of this daemon. */
  readonly daemon?: NodeDescription['daemon'];
  readonly clock: Clock;
  readonly log: Logger;
}

/** Where the engine looks for network drivers (Docker's plugin discovery). */
const PLUGIN_DIRECTORY = '/run/docker/plugins';
/** Containers that are stopped at the same time when the node leaves. */
const MAX_REMOVALS = 10;

/**
 * netd is small and runs on every node. A young generation of 1 MB is plenty for what it does (8 MB less than Node's own choice); without the optimising
 * compilers 10 MB of them are never touched, and a name is still answered in 11 µs of computing; quiet-memory.ts collects.
 */
const NETD_NODE_FLAGS = [
  '--disable-warning=ExperimentalWarning',
  '--disable-sigusr1',
  '--max-semi-space-size=1',
  '--no-opt',
  '--no-maglev',
  '--v8-pool-size=1',
  '--expose-gc',
];

export function createWorkerFactory({ engine, options, directory, daemon, clock, log }: FactoryOptions): WorkerFactory {
  const netdCommand = [process.execPath, ...NETD_NODE_FLAGS, join(import.meta.dirname, 'skep-netd.ts')];
  return async ({ swarm, tls }) => {
    const kind = await rememberedEngineKind({ engine, path: directory.path, clock, log });
    const settings = { pluginDirectory: PLUGIN_DIRECTORY, dataPathPort: swarm.dataPathPort, ...(kind === 'podman' ? { ownGateway: true as const } : {}) };
    const dataPlane = await createDataPlane({ stateDirectory: directory.path, netdCommand, settings, clock, log });
    const kept = createKeptLogs({ folder: directory.keptLogsFolder, limits: options.keptLogs, clock, log });
    const keptLogs = await startKeptLogsServer({ kept, path: directory.keptLogsSocket, clock, log }).catch(async (error: unknown) => {
      kept.close();
      await dataPlane.close();
      throw error;
    });
    const executor = createDockerExecutor({
      link: engine,
      logKeeper: createLogKeeper({ link: engine, kept, clock, log }),
      stateDir: directory.path,
      instance: swarm.nodeId,
      network: {
        driverName: dataPlane.driverName,
        dnsAddress: dataPlane.dnsAddress,
        encryption: dataPlane.encryption,
        ...(kind === 'podman' ? { sandboxes: dataPlane } : {}),
      },
      nodeHostname: options.hostname,
      dataPathAddress: () => swarm.dataPathAddr,
      ...(tls === undefined ? {} : { tls }),
      clock,
      log,
    });
    const watchers = new Set<() => void>();
    const describeAgain = () => {
      for (const tell of watchers) tell();
    };
    dataPlane.onPortsInUse(describeAgain);
    return {
      executor: {
        ...executor,
        describe: async (signal) => ({ ...(await describeWith(executor, dataPlane, signal)), ...(daemon === undefined ? {} : { daemon }) }),
        watch: (listener) => watchAlso(executor, watchers, listener),
      },
      dataPlane,
      describeAgain,
      engine,
      keptLogs: keptLogs.link,
      async close() {
        kept.close();
        await keptLogs.close();
        executor.close();
        await dataPlane.close();
      },
      async removeAll(signal) {
        // Nothing more is kept: it would be removed with the rest.
        kept.close();
        await keptLogs.close();
        try {
          await removeTasks(executor, signal);
          await executor.destroy(signal);
          await dataPlane.destroy(signal);
        } catch (error) {
          // Leaving is tried again with a worker of its own: this one must not start the network anew after that.
          executor.close();
          await dataPlane.close();
          throw error;
        }
      },
    };
  };
}

async function describeWith(executor: Executor, dataPlane: ManagedDataPlane, signal: AbortSignal): Promise<NodeDescription> {
  const description = await executor.describe(signal);
  const portsInUse = dataPlane.portsInUse();
  return portsInUse.length === 0 ? description : { ...description, portsInUse };
}

/** Stops in order what still runs, then removes it. One that cannot be removed keeps the node from leaving: it would run on unseen. */
async function removeTasks(executor: Executor, signal: AbortSignal): Promise<void> {
  const ids = [...(await executor.listTaskIds(signal))];
  const work = async () => {
    for (let id = ids.pop(); id !== undefined; id = ids.pop()) {
      await executor.stop({ id }, signal);
      await executor.remove({ id }, signal);
    }
  };
  await Promise.all(Array.from({ length: MAX_REMOVALS }, work));
}

function watchAlso(executor: Executor, watchers: Set<() => void>, listener: Parameters<Executor['watch']>[0]): () => void {
  const unwatch = executor.watch(listener);
  const tell = () => listener(undefined);
  watchers.add(tell);
  return () => {
    watchers.delete(tell);
    unwatch();
  };
}
