// The container engine of a node: Docker's daemon or Podman's service, started, found and ended.
import { globSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { AppError } from '#lib/errors.ts';
import { removeCgroups } from './cgroups.ts';
import type { EngineKind } from './description.ts';
import { lastLines } from './logs.ts';
import { inside, type Machine, startDaemon } from './machine.ts';
import type { NodePlace } from './names.ts';
import { ping } from './ping.ts';
import { isAlive, listProcesses, MISSES, signal } from './processes.ts';
import { run } from './run.ts';
import type { Wait } from './wait.ts';

/** Limits that a process without CAP_SYS_RESOURCE may set, and no systemd for logs and events. */
export const PODMAN_SETTINGS = `[containers]
default_ulimits = ["nofile=20000:20000", "nproc=1024:1024"]
log_driver = "k8s-file"
[engine]
events_logger = "file"
`;

/** The podman command line on a storage and settings of its own: `containers.conf`, `data` and `networks` in `folder`. */
export function podmanCommand(folder: string, data = join(folder, 'data')): readonly string[] {
  const storage = ['--root', data, '--runroot', '/run/containers-storage', '--tmpdir', '/run/libpod', '--network-config-dir', join(folder, 'networks')];
  return ['env', `CONTAINERS_CONF=${join(folder, 'containers.conf')}`, 'podman', '--runtime', 'runc', '--cgroup-manager', 'cgroupfs', ...storage];
}

/** Docker's daemon needs its own place in the cgroups, or what a killed node leaves could not be told from others'. */
function dockerCommand({ engineData, engineSocket, cgroup }: NodePlace, subnet: string): readonly string[] {
  const files = ['--data-root', engineData, '-H', `unix://${engineSocket}`];
  // A registry on the machine or in the cluster has no certificate.
  return ['dockerd', ...files, '--exec-opt', 'native.cgroupdriver=cgroupfs', '--cgroup-parent', `/${cgroup}`, '--insecure-registry', subnet];
}

export interface NodeEngine {
  readonly kind: EngineKind;
  readonly node: NodePlace;
  /** The cluster's network, "10.218.0.0/24". */
  readonly subnet: string;
}

/** The daemon's process as seen from outside. */
export function engineProcess({ kind, node }: Pick<NodeEngine, 'kind' | 'node'>): number | undefined {
  const program = kind === 'docker' ? 'dockerd' : 'podman';
  return listProcesses().find(({ argv }) => argv[0]?.endsWith(program) && argv.includes(node.engineData) && !argv.includes('rm'))?.pid;
}

/** Resolves when it answers, whether it was there already or is started now. */
export async function ensureEngine(engine: NodeEngine, machine: Machine, wait: Wait): Promise<void> {
  const { kind, node, subnet } = engine;
  const isNew = engineProcess(engine) === undefined;
  if (isNew && kind === 'docker') await removeStaleContainerd(machine);
  if (isNew && kind === 'podman') writeFileSync(join(node.folder, 'containers.conf'), PODMAN_SETTINGS);
  const service = [...podmanCommand(node.folder, node.engineData), 'system', 'service', '--time=0', `unix://${node.engineSocket}`];
  if (isNew) await startDaemon(inside(machine), kind === 'docker' ? dockerCommand(node, subnet) : service, node.engineLog);
  let misses = 0;
  await wait(`the engine of ${node.name} answers`, async () => {
    misses = engineProcess(engine) === undefined ? misses + 1 : 0;
    if (misses > MISSES)
      throw new AppError('unavailable', `the engine of ${node.name} ended at once; the end of ${node.engineLog}:\n${lastLines(node.engineLog)}`);
    return ping(node.engineSocket);
  });
}

/** containerd outlives a dockerd that was killed, and the next dockerd would wait for one of its own in vain. */
async function removeStaleContainerd(machine: Machine): Promise<void> {
  const script = `f=/run/docker/containerd/containerd.pid; [ -e $f ] && kill -9 "$(cat $f)"; rm -f $f /run/docker.pid`;
  await run([...inside(machine), 'sh', '-c', script]);
}

/** Ends it as an administrator does: its containers stop first. Returns whether it ran. */
export async function stopEngine(engine: NodeEngine, machine: Machine, wait: Wait): Promise<boolean> {
  const { kind, node } = engine;
  const pid = engineProcess(engine);
  // Podman's containers have no daemon that would stop them.
  if (kind === 'podman') await run([...inside(machine), ...podmanCommand(node.folder, node.engineData), 'stop', '--all', '--time', '10']);
  if (pid === undefined) return false;
  signal(pid, 'SIGTERM');
  await wait(`the engine of ${node.name} has ended`, () => !isAlive(pid));
  return true;
}

/** Its containers go on without it, until the next start at least. Returns whether it ran. */
export async function killEngine(engine: NodeEngine, wait: Wait): Promise<boolean> {
  const pid = engineProcess(engine);
  if (pid === undefined) return false;
  signal(pid, 'SIGKILL');
  await wait(`the engine of ${engine.node.name} has ended`, () => !isAlive(pid));
  return true;
}

/** Removes what containers that were killed with their machine leave outside of it. Returns whether nothing is left. */
export function removeEngineTraces({ kind, node }: Pick<NodeEngine, 'kind' | 'node'>): boolean {
  return removeCgroups(kind === 'docker' ? [node.cgroup] : podmanTraces(node.folder));
}

/** Podman's service has no cgroup parent to set: the cgroups of its containers are found by their ids. `folder` is a node's, or a cluster's. */
export function podmanTraces(folder: string): readonly string[] {
  // The folder is called after the storage driver.
  return globSync(['engine/*-containers/containers.json', '*/engine/*-containers/containers.json'], { cwd: folder }).flatMap((file) => {
    return podmanContainers(join(folder, file)).flatMap((id) => [`libpod_parent/libpod-${id}`, `libpod_parent/libpod-conmon-${id}`]);
  });
}

function podmanContainers(file: string): readonly string[] {
  try {
    return (JSON.parse(readFileSync(file, 'utf8')) as { readonly id: string }[]).map(({ id }) => id).filter((id) => /^[0-9a-f]+$/.test(id));
  } catch {
    // A file that the power loss damaged must not keep anybody from removing the cluster.
    return [];
  }
}
