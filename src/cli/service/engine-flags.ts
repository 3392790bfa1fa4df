// Options of `docker run` that Swarm's spec has no field for: they become labels of the container spec, which the daemon checks and nodes carry out
// (docs/design/engine-extras.md). An update sets an option as a whole; an empty value takes it away.
import { readFileSync } from 'node:fs';
import { AppError, errorMessage } from '#lib/errors.ts';
import type { FlagSpec } from '../command.ts';
import type { Flags } from '../flags.ts';

const PREFIX = 'com.docker.skep.engine.';

type Labels = Readonly<Record<string, string>>;

interface EngineFlag extends FlagSpec {
  /** The end of the label: the option's key in a Compose file. */
  readonly key: string;
}

const flags: readonly EngineFlag[] = [
  { name: 'annotation', key: 'annotations', type: 'list', description: 'Annotations for the OCI runtime' },
  { name: 'cgroup-parent', key: 'cgroup_parent', type: 'string', description: 'Optional parent cgroup for the container' },
  { name: 'cgroupns', key: 'cgroup', type: 'string', description: 'Cgroup namespace to use ("host", "private")' },
  { name: 'cpu-period', key: 'cpu_period', type: 'string', description: 'Limit CPU CFS (Completely Fair Scheduler) period' },
  { name: 'cpu-quota', key: 'cpu_quota', type: 'string', description: 'Limit CPU CFS (Completely Fair Scheduler) quota' },
  { name: 'cpu-shares', key: 'cpu_shares', type: 'string', description: 'CPU shares (relative weight)' },
  { name: 'cpuset-cpus', key: 'cpuset', type: 'string', description: 'CPUs in which to allow execution (0-3, 0,1)' },
  { name: 'device', key: 'devices', type: 'list', description: "Add a host device to the service's containers" },
  { name: 'device-cgroup-rule', key: 'device_cgroup_rules', type: 'list', description: 'Add a rule to the cgroup allowed devices list' },
  { name: 'domainname', key: 'domainname', type: 'string', description: 'Container NIS domain name' },
  { name: 'gpus', key: 'gpus', type: 'string', description: "GPU devices to add to the service's containers ('all' to pass all GPUs)" },
  { name: 'ipc', key: 'ipc', type: 'string', description: 'IPC mode to use ("none", "private", "shareable", "host")' },
  { name: 'oom-kill-disable', key: 'oom_kill_disable', description: 'Disable OOM Killer' },
  { name: 'pid', key: 'pid', type: 'string', description: 'PID namespace to use ("host")' },
  { name: 'privileged', key: 'privileged', description: "Give extended privileges to the service's containers" },
  { name: 'runtime', key: 'runtime', type: 'string', description: "Runtime to use for the service's containers" },
  { name: 'security-opt', key: 'security_opt', type: 'list', description: 'Security options' },
  { name: 'shm-size', key: 'shm_size', type: 'string', description: 'Size of /dev/shm' },
  { name: 'storage-opt', key: 'storage_opt', type: 'list', description: 'Storage driver options for the container' },
  { name: 'userns', key: 'userns_mode', type: 'string', description: 'User namespace to use ("host")' },
  { name: 'uts', key: 'uts', type: 'string', description: 'UTS namespace to use ("host")' },
];

export const engineFlags: readonly FlagSpec[] = flags.map(({ key: _key, ...flag }) => flag);

/** The labels with what the options say in them. */
export function withEngineLabels(labels: Labels, given: Flags): Labels {
  const changed = flags.filter(({ name }) => given.has(name)).map((flag) => [`${PREFIX}${flag.key}`, valueOf(flag, given)] as const);
  const removed = new Set<string>(changed.flatMap(([label, value]) => (value === undefined ? [label] : [])));
  const kept = Object.entries(labels).filter(([label]) => !removed.has(label));
  return { ...Object.fromEntries(kept), ...Object.fromEntries(changed.flatMap(([label, value]) => (value === undefined ? [] : [[label, value]]))) };
}

/** Undefined: the engine's default again. */
function valueOf({ name, type }: EngineFlag, given: Flags): string | undefined {
  if (type === undefined) return given.bool(name) ? 'true' : undefined;
  if (type !== 'list') return given.text(name) || undefined;
  const items = given.texts(name).filter((item) => item !== '');
  if (items.length === 0) return undefined;
  if (name === 'security-opt') return JSON.stringify(items.map(withProfile));
  if (name === 'annotation' || name === 'storage-opt') return JSON.stringify(Object.fromEntries(items.map(pairOf)));
  return JSON.stringify(items);
}

function pairOf(item: string): readonly [string, string] {
  const equals = item.indexOf('=');
  if (equals > 0) return [item.slice(0, equals), item.slice(equals + 1)];
  throw new AppError('invalidArgument', `${JSON.stringify(item)} is not name=value`);
}

/** A seccomp profile is a file of this machine: nodes get its text. */
function withProfile(option: string): string {
  const path = /^seccomp[=:](.+)$/s.exec(option)?.[1];
  if (path === undefined || path === 'unconfined' || path === 'builtin') return option;
  try {
    return `seccomp=${JSON.stringify(JSON.parse(readFileSync(path, 'utf8')))}`;
  } catch (error) {
    throw new AppError('invalidArgument', `opening seccomp profile (${path}) failed: ${errorMessage(error)}`, { cause: error });
  }
}
