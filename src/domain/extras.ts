// What an engine can do and Swarm's spec has no field for: privileged, devices, shm size … It lives in labels of the container spec, one per option, because
// that is what every client of the Docker API shows, keeps and sends back. docs/design/engine-extras.md has the table; the values' texts are in extra-values.ts.
import { AppError } from '#lib/errors.ts';
import { nearestWord } from '#lib/nearest.ts';
import * as text from './extra-values.ts';
import type { Labels } from './spec.ts';

/** "com.docker.skep.engine.shm_size": the rest is the option's key in a Compose file. */
export const EXTRAS_PREFIX = 'com.docker.skep.engine.';

/** Sizes are bytes, times microseconds, as the engine counts them. */
export interface ContainerExtras {
  readonly privileged?: boolean;
  readonly devices?: readonly Device[];
  readonly deviceCgroupRules?: readonly string[];
  readonly deviceRequests?: readonly DeviceRequest[];
  /** What is not said in `privileges` of the spec already. */
  readonly securityOptions?: readonly string[];
  readonly shmSizeBytes?: number;
  readonly ipcMode?: string;
  readonly pidMode?: string;
  readonly utsMode?: string;
  readonly usernsMode?: string;
  readonly cgroupnsMode?: string;
  readonly cgroupParent?: string;
  /** `none`; the other modes are networks, or another container's. */
  readonly networkMode?: string;
  readonly runtime?: string;
  readonly domainname?: string;
  readonly annotations?: Labels;
  readonly storageOptions?: Labels;
  readonly oomKillDisable?: boolean;
  readonly cpuShares?: number;
  readonly cpuPeriodUs?: number;
  readonly cpuQuotaUs?: number;
  readonly cpuRealtimePeriodUs?: number;
  readonly cpuRealtimeRuntimeUs?: number;
  readonly cpusetCpus?: string;
  readonly blkio?: BlkioOptions;
}

/** With a CDI name such as "vendor.com/gpu=all" in the place of the path, the engine looks it up. */
export interface Device {
  readonly pathOnHost: string;
  readonly pathInContainer: string;
  readonly permissions: string;
}

export interface DeviceRequest {
  readonly driver?: string;
  /** -1: all there are. */
  readonly count?: number;
  readonly deviceIds?: readonly string[];
  readonly capabilities: readonly string[];
  readonly options?: Labels;
}

export interface BlkioOptions {
  readonly weight?: number;
  readonly weightDevices?: readonly { readonly path: string; readonly weight: number }[];
  readonly readBps?: readonly DeviceRate[];
  readonly readIops?: readonly DeviceRate[];
  readonly writeBps?: readonly DeviceRate[];
  readonly writeIops?: readonly DeviceRate[];
}

export interface DeviceRate {
  readonly path: string;
  readonly rate: number;
}

interface Option<T> extends text.TextForm<T> {
  /** The key in a Compose file, and the end of the label. */
  readonly key: string;
}

type Options = { readonly [K in keyof Required<ContainerExtras>]: Option<Required<ContainerExtras>[K]> };

const options: Options = {
  privileged: { key: 'privileged', ...text.flag },
  devices: { key: 'devices', ...text.devices },
  deviceCgroupRules: { key: 'device_cgroup_rules', ...text.deviceRules },
  deviceRequests: { key: 'gpus', ...text.deviceRequests },
  securityOptions: { key: 'security_opt', ...text.list },
  shmSizeBytes: { key: 'shm_size', ...text.size },
  ipcMode: { key: 'ipc', ...text.oneOf('none', 'private', 'shareable', 'host') },
  pidMode: { key: 'pid', ...text.oneOf('host') },
  utsMode: { key: 'uts', ...text.oneOf('host') },
  usernsMode: { key: 'userns_mode', ...text.oneOf('host', 'keep-id', 'nomap', 'auto') },
  cgroupnsMode: { key: 'cgroup', ...text.oneOf('host', 'private') },
  cgroupParent: { key: 'cgroup_parent', ...text.word },
  networkMode: { key: 'network_mode', ...text.oneOf('none') },
  runtime: { key: 'runtime', ...text.word },
  domainname: { key: 'domainname', ...text.word },
  annotations: { key: 'annotations', ...text.map },
  storageOptions: { key: 'storage_opt', ...text.map },
  oomKillDisable: { key: 'oom_kill_disable', ...text.flag },
  cpuShares: { key: 'cpu_shares', ...text.count },
  cpuPeriodUs: { key: 'cpu_period', ...text.microseconds },
  cpuQuotaUs: { key: 'cpu_quota', ...text.microseconds },
  cpuRealtimePeriodUs: { key: 'cpu_rt_period', ...text.microseconds },
  cpuRealtimeRuntimeUs: { key: 'cpu_rt_runtime', ...text.microseconds },
  cpusetCpus: { key: 'cpuset', ...text.cpuset },
  blkio: { key: 'blkio_config', ...text.blkio },
};

const names = Object.keys(options) as readonly (keyof ContainerExtras)[];
const nameOfKey = new Map(names.map((name) => [options[name].key, name]));

/** Keys of all options, as Compose writes them. */
export const extraKeys: readonly string[] = names.map((name) => options[name].key);

export function keyOfExtra(name: keyof ContainerExtras): string {
  return options[name].key;
}

/** What the labels of a container spec ask of the engine; empty when nothing. Throws AppError `invalidArgument` that names the label. */
export function extrasOfLabels(labels: Labels = {}): ContainerExtras {
  const found: [string, unknown][] = [];
  for (const [label, value] of Object.entries(labels)) {
    if (!label.startsWith(EXTRAS_PREFIX)) continue;
    const key = label.slice(EXTRAS_PREFIX.length);
    const name = nameOfKey.get(key);
    if (name === undefined) throw unknownOption(label, key);
    const read = options[name].read(value);
    if ('problem' in read) throw new AppError('invalidArgument', `label ${label}: ${JSON.stringify(value)} is not ${read.problem}`);
    found.push([name, read.value]);
  }
  return Object.fromEntries(found);
}

function unknownOption(label: string, key: string): AppError {
  const nearest = nearestWord(key, nameOfKey.keys());
  const hint = nearest === undefined ? `the options are ${[...nameOfKey.keys()].sort().join(', ')}` : `did you mean ${EXTRAS_PREFIX}${nearest}?`;
  return new AppError('invalidArgument', `label ${label}: there is no such engine option; ${hint}`);
}

/** In order of the options' keys. */
export function labelsOfExtras(extras: ContainerExtras): Labels {
  const labels = names.flatMap((name) => {
    const value = extras[name];
    return value === undefined ? [] : [[`${EXTRAS_PREFIX}${options[name].key}`, (options[name] as Option<unknown>).write(value)] as const];
  });
  return Object.fromEntries(labels.sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Keys of the options that labels use, sorted. */
export function extraKeysOfLabels(labels: Labels = {}): readonly string[] {
  return Object.keys(labels)
    .filter((label) => label.startsWith(EXTRAS_PREFIX))
    .map((label) => label.slice(EXTRAS_PREFIX.length))
    .sort();
}

export function withoutExtras(labels: Labels): Labels {
  return Object.fromEntries(Object.entries(labels).filter(([label]) => !label.startsWith(EXTRAS_PREFIX)));
}

/** On the swarm itself: engine options that its services may not use, or `all`. */
export const DENIED_EXTRAS_LABEL = 'com.docker.skep.deny-engine-options';

/** Keys of the options that a swarm with these labels forbids. Throws AppError `invalidArgument` for words that are none. */
export function deniedExtras(swarmLabels: Labels): ReadonlySet<string> {
  const value = swarmLabels[DENIED_EXTRAS_LABEL];
  if (value === undefined) return new Set();
  const words = value.split(',').map((item) => item.trim());
  if (words.length === 1 && words[0] === 'all') return new Set(extraKeys);
  const unknown = words.find((one) => !nameOfKey.has(one));
  if (unknown !== undefined)
    throw new AppError(
      'invalidArgument',
      `label ${DENIED_EXTRAS_LABEL}: ${JSON.stringify(unknown)} is neither "all" nor one of ${[...extraKeys].sort().join(', ')}`,
    );
  return new Set(words);
}
