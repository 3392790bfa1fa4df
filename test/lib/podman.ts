// Podman behind its Docker-compatible socket, for tests: in namespaces of its own as the other engines (engine.ts), with storage and settings of its own.
import { spawnSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PODMAN_SETTINGS, podmanCommand } from '#dev/engine.ts';
import { type EngineOptions, startEngine, type TestEngine } from './engine.ts';

/** Why tests with Podman cannot run on this machine; undefined when they can. */
export function podmanMissing(): string | undefined {
  return spawnSync('podman', ['--version']).status === 0 ? undefined : 'podman is not installed';
}

/** `engine.docker` talks to Podman's compatible API; `podmanCommand` is the same storage's own command line. */
export async function startPodman({ name = 'podman' }: Pick<EngineOptions, 'name'> = {}): Promise<TestEngine> {
  return startEngine({
    name,
    other: {
      async argv(folder, socket) {
        await writeFile(join(folder, 'containers.conf'), PODMAN_SETTINGS);
        return [...podmanCommand(folder), 'system', 'service', '--time=0', `unix://${socket}`];
      },
      // Containers that are killed with their namespace would leave their cgroups behind.
      beforeEnd: async (node, folder) => void (await node.exec([...podmanCommand(folder), 'rm', '--all', '--force', '--time', '0'])),
    },
  });
}
