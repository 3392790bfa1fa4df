// Podman behind its Docker-compatible socket, for tests: in namespaces of its own as the other engines (engine.ts), with storage and settings of its own.
import { spawnSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type EngineOptions, startEngine, type TestEngine } from './engine.ts';

/** Why tests with Podman cannot run on this machine; undefined when they can. */
export function podmanMissing(): string | undefined {
  return spawnSync('podman', ['--version']).status === 0 ? undefined : 'podman is not installed';
}

/** Limits that this process may set (raising them needs CAP_SYS_RESOURCE), and no systemd for logs and events. */
const SETTINGS = `[containers]
default_ulimits = ["nofile=20000:20000", "nproc=1024:1024"]
log_driver = "k8s-file"
[engine]
events_logger = "file"
`;

/** `engine.docker` talks to Podman's compatible API; `podmanCommand` is the same storage's own command line. */
export async function startPodman({ name = 'podman' }: Pick<EngineOptions, 'name'> = {}): Promise<TestEngine> {
  return startEngine({
    name,
    other: {
      async argv(folder, socket) {
        await writeFile(join(folder, 'containers.conf'), SETTINGS);
        return [...podmanCommand(folder), 'system', 'service', '--time=0', `unix://${socket}`];
      },
      // Containers that are killed with their namespace would leave their cgroups behind.
      beforeEnd: async (node, folder) => void (await node.exec([...podmanCommand(folder), 'rm', '--all', '--force', '--time', '0'])),
    },
  });
}

export function podmanCommand(folder: string): readonly string[] {
  const storage = [
    '--root',
    join(folder, 'data'),
    '--runroot',
    '/run/containers-storage',
    '--tmpdir',
    '/run/libpod',
    '--network-config-dir',
    join(folder, 'networks'),
  ];
  return ['env', `CONTAINERS_CONF=${join(folder, 'containers.conf')}`, 'podman', '--runtime', 'runc', '--cgroup-manager', 'cgroupfs', ...storage];
}
