// A real engine with an executor on it, for the tests of the executor. The swarm's network driver is not here; plain bridges stand in for overlays.
import { randomBytes } from 'node:crypto';
import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import type { AssignedTask, TaskDependencies } from '#agent/executor.ts';
import type { EngineLink } from '#engine-link/connection.ts';
import { createEngineConnection } from '#engine-link/link.ts';
import { createDockerExecutor, type DockerExecutor, type DockerExecutorOptions } from '#engine/docker-executor.ts';
import { silentLogger } from '#lib/log.ts';
import { systemClock } from '#platform/clock.ts';
import { startEngine, type TestEngine } from '../lib/engine.ts';

export const IMAGE = 'busybox:test';
export const signal = new AbortController().signal;
export const none: TaskDependencies = { secret: () => undefined, config: () => undefined };

export interface ExecutorLab {
  readonly engine: TestEngine;
  readonly link: EngineLink;
  /** Lends an executor with a state folder of its own; what it has made is removed afterwards. */
  withExecutor(use: (executor: DockerExecutor) => Promise<void>, network?: Partial<DockerExecutorOptions['network']>): Promise<void>;
  inspectTask(executor: DockerExecutor, assigned: AssignedTask): Promise<Inspected>;
  stop(): Promise<void>;
}

/** Of what `docker inspect` says of a container, what is looked at here. */
export interface Inspected {
  readonly Name: string;
  readonly Config: Record<string, unknown> & { readonly Labels: Record<string, string>; readonly Env: string[] };
  readonly HostConfig: Record<string, unknown> & { readonly Mounts: { readonly Source?: string; readonly Target: string; readonly Type: string }[] };
  readonly NetworkSettings: { readonly Networks: Record<string, { readonly IPAddress: string; readonly IPAMConfig: { readonly IPv4Address: string } | null }> };
}

export const newTaskId = () => randomBytes(13).toString('hex').slice(0, 25);

/** An engine with the image, labelled zone=a. */
export async function startExecutorLab(): Promise<ExecutorLab> {
  const engine = await startEngine({ name: 'executor', daemonArgs: ['--label', 'zone=a'] });
  const link = createEngineConnection({ address: `unix://${engine.socket}`, clock: systemClock });
  await engine.importBusybox(IMAGE);
  return {
    engine,
    link,
    async withExecutor(use, network = {}) {
      const executor = createDockerExecutor({
        link,
        stateDir: await mkdtemp(join(engine.folder, 'state-')),
        instance: newTaskId(),
        network: { driverName: 'bridge', dnsAddress: '169.254.53.53', ...network },
        dataPathAddress: () => engine.address,
        clock: systemClock,
        log: silentLogger,
        procRoot: engine.procRoot,
        // The engine lives in a mount namespace of its own: a mount made here would not be seen there.
        files: { mountTmpfs: async () => {}, unmount: async () => {} },
      });
      try {
        await use(executor);
      } finally {
        for (const id of await executor.listTaskIds(signal)) await executor.remove({ id }, signal);
        await executor.destroy(signal);
      }
    },
    async inspectTask(executor, assigned) {
      return JSON.parse((await engine.docker('inspect', (await executor.containerId(assigned.task.id, signal)) ?? '')).slice(1, -1)) as Inspected;
    },
    stop: () => engine.stop(),
  };
}
