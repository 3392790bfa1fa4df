// The node's worker half, put together: the engine's executor, the data plane, and logs. Also how all of it is removed when the node leaves.
import { join } from 'node:path';
import Docker from 'dockerode';
import type { Executor } from '#agent/executor.ts';
import type { LogChunk, LogOptions } from '#control/control.ts';
import type { NodeDescription, Task } from '#domain/objects.ts';
import type { Clock } from '#lib/clock.ts';
import type { Logger } from '#lib/log.ts';
import { createDockerExecutor, type DockerExecutor } from '#engine/docker-executor.ts';
import { taskLogs } from '#engine/logs.ts';
import { createDataPlane, type ManagedDataPlane } from '#network/client.ts';
import type { DaemonOptions } from './options.ts';
import type { StateDirectory, SwarmFile } from './state-directory.ts';

export interface Worker {
  readonly executor: Executor;
  readonly dataPlane: ManagedDataPlane;
  /** One task's log; nothing when its container is gone. */
  logs(task: Task, options: LogOptions, signal: AbortSignal): AsyncIterable<LogChunk>;
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
      logs: (task, logOptions, signal) => logsOf({ docker, executor, task, logOptions }, signal),
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

function connectDocker(address: string): Docker {
  const unix = /^unix:\/\/(\/.+)$/.exec(address);
  if (unix?.[1] !== undefined) return new Docker({ socketPath: unix[1] });
  const { hostname, port } = new URL(address.replace(/^tcp:/, 'http:'));
  return new Docker({ host: hostname, port: Number(port), protocol: 'http' });
}

interface LogSource {
  readonly docker: Docker;
  readonly executor: DockerExecutor;
  readonly task: Task;
  readonly logOptions: LogOptions;
}

async function* logsOf({ docker, executor, task, logOptions }: LogSource, signal: AbortSignal): AsyncGenerator<LogChunk> {
  const containerId = await executor.containerId(task.id, signal);
  if (containerId === undefined) return;
  for await (const line of taskLogs({ docker, containerId, options: logOptions, signal }))
    yield { taskId: task.id, nodeId: task.nodeId ?? '', serviceId: task.serviceId ?? '', ...line };
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
