// The node's worker half, put together: the engine's executor and the data plane. Also how all of it is removed when the node leaves.
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import Docker from 'dockerode';
import type { Executor } from '#agent/executor.ts';
import type { LogChunk, LogOptions } from '#control/control.ts';
import type { NodeDescription, Task } from '#domain/objects.ts';
import type { Clock } from '#lib/clock.ts';
import type { Logger } from '#lib/log.ts';
import { createDockerExecutor } from '#engine/docker-executor.ts';
import { taskLogs } from '#engine/logs.ts';
import { createDataPlane, type ManagedDataPlane } from '#network/client.ts';
import type { DaemonOptions } from './options.ts';
import type { StateDirectory, SwarmFile } from './state-directory.ts';

export interface Worker {
  readonly executor: Executor;
  readonly dataPlane: ManagedDataPlane;
  /** The log of a task of this node; nothing when its container is gone. */
  logs(task: Task, options: LogOptions, signal: AbortSignal): AsyncIterable<LogChunk>;
  readonly engineAddress: string;
  /** A new connection to the engine, half-open when one side ends. */
  dialEngine(): Socket;
  /** Lets go of engine and data plane; both go on. */
  close(): Promise<void>;
  /** Removes the containers, networks, files and rules of this node. */
  removeAll(signal: AbortSignal): Promise<void>;
}

export interface WorkerOptions {
  readonly swarm: SwarmFile;
  readonly tls?: NodeDescription['tls'];
}

export type WorkerFactory = (options: WorkerOptions) => Promise<Worker>;

interface FactoryOptions {
  readonly engineAddress: string;
  readonly options: Pick<DaemonOptions, 'hostname'>;
  readonly directory: StateDirectory;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Where the engine looks for network drivers (Docker's plugin discovery). */
const PLUGIN_DIRECTORY = '/run/docker/plugins';
/** Containers that are stopped at the same time when the node leaves. */
const MAX_REMOVALS = 10;

export function createWorkerFactory({ engineAddress, options, directory, clock, log }: FactoryOptions): WorkerFactory {
  const docker = connectDocker(engineAddress);
  const netdCommand = [process.execPath, '--disable-warning=ExperimentalWarning', join(import.meta.dirname, 'skep-netd.ts')];
  return async ({ swarm, tls }) => {
    const settings = { pluginDirectory: PLUGIN_DIRECTORY, dataPathPort: swarm.dataPathPort };
    const dataPlane = await createDataPlane({ stateDirectory: directory.path, netdCommand, settings, clock, log });
    const executor = createDockerExecutor({
      docker,
      stateDir: directory.path,
      instance: swarm.nodeId,
      network: dataPlane,
      nodeHostname: options.hostname,
      dataPathAddress: () => swarm.dataPathAddr,
      tls: () => tls,
      clock,
      log,
    });
    return {
      executor,
      dataPlane,
      logs: (task, logOptions, signal) => containerLog(docker, task, logOptions, signal),
      engineAddress,
      dialEngine: () => connect({ ...endpointOf(engineAddress), allowHalfOpen: true, noDelay: true }),
      async close() {
        executor.close();
        await dataPlane.close();
      },
      async removeAll(signal) {
        await removeTasks(executor, signal);
        await executor.destroy(signal);
        await dataPlane.destroy(signal);
      },
    };
  };
}

/** The log of a task's container on the engine that has it. */
export async function* containerLog(docker: Docker, task: Task, options: LogOptions, signal: AbortSignal): AsyncGenerator<LogChunk> {
  const { id: taskId, nodeId = '', serviceId = '', status } = task;
  if (status.container === undefined) return;
  const lines = taskLogs({ docker, containerId: status.container.containerId, options, signal });
  for await (const line of lines) yield { taskId, nodeId, serviceId, ...line };
}

export function connectDocker(address: string): Docker {
  const endpoint = endpointOf(address);
  return new Docker('path' in endpoint ? { socketPath: endpoint.path } : { ...endpoint, protocol: 'http' });
}

function endpointOf(address: string): { readonly path: string } | { readonly host: string; readonly port: number } {
  const unix = /^unix:\/\/(\/.+)$/.exec(address);
  if (unix?.[1] !== undefined) return { path: unix[1] };
  const { hostname: host, port } = new URL(address.replace(/^tcp:/, 'http:'));
  return { host, port: Number(port) };
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
