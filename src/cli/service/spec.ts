// From the options of `service create` to a service's spec. Pure but for files of variables; names of networks, secrets and configs are resolved by
// references.ts, the image by image.ts.
import type { ContainerSpec, Mount, NetworkAttachmentConfig, Privileges, ServiceSpec, TaskSpec, UpdateConfig } from '#docker-api/service-spec.ts';
import { AppError, errorMessage } from '#lib/errors.ts';
import type { Flags } from '../flags.ts';
import { mapOf } from '../shared/options.ts';
import { type Environment, environmentOf } from '../values/environment.ts';
import type { PublishedPorts } from '../values/port.ts';
import { genericResources, type Ulimit } from '../values/service.ts';
import { withEngineLabels } from './engine-flags.ts';
import { healthOptions, restartPolicy, rolloutConfig } from './spec-parts.ts';

export interface SpecInput {
  readonly image: string;
  readonly args: readonly string[];
  readonly flags: Flags;
  readonly environment: Environment;
}

export function specOf(input: SpecInput): ServiceSpec {
  const { flags } = input;
  const mode = modeOf(flags);
  const isJob = mode.ReplicatedJob !== undefined || mode.GlobalJob !== undefined;
  const updateConfig = rolloutConfig(flags, 'update', undefined);
  const rollbackConfig = rolloutConfig(flags, 'rollback', undefined);
  if (isJob && (updateConfig ?? rollbackConfig) !== undefined) refuse('update and rollback configuration is not supported for jobs');
  const ports = flags.values<PublishedPorts>('publish').flatMap((published) => published.ports);
  return {
    Name: flags.text('name'),
    Labels: mapOf(flags.texts('label')),
    TaskTemplate: taskOf(input),
    Mode: mode,
    ...withDefined('UpdateConfig', updateConfig satisfies UpdateConfig | undefined),
    ...withDefined('RollbackConfig', rollbackConfig),
    EndpointSpec: { Mode: flags.has('endpoint-mode') ? flags.text('endpoint-mode').toLowerCase() : 'vip', ...(ports.length > 0 ? { Ports: ports } : {}) },
  };
}

function modeOf(flags: Flags): NonNullable<ServiceSpec['Mode']> {
  const mode = flags.has('mode') ? flags.text('mode') : 'replicated';
  const replicas = flags.value<number>('replicas');
  const concurrent = flags.value<number>('max-concurrent');
  const isReplicated = mode === 'replicated' || mode === 'replicated-job';
  if (!['replicated', 'global', 'replicated-job', 'global-job'].includes(mode)) refuse(`Unknown mode: ${mode}, only replicated and global supported`);
  if (!isReplicated && replicas !== undefined) refuse('replicas can only be used with replicated or replicated-job mode');
  if (!isReplicated && (flags.value<number>('replicas-max-per-node') ?? 0) > 0)
    refuse('replicas-max-per-node can only be used with replicated or replicated-job mode');
  if (mode !== 'replicated-job' && concurrent !== undefined) refuse('max-concurrent can only be used with replicated-job mode');
  if (mode === 'global') return { Global: {} };
  if (mode === 'global-job') return { GlobalJob: {} };
  if (mode === 'replicated') return { Replicated: replicas === undefined ? {} : { Replicas: replicas } };
  const most = concurrent ?? replicas;
  return { ReplicatedJob: { ...withDefined('MaxConcurrent', most), ...withDefined('TotalCompletions', replicas) } };
}

function taskOf(input: SpecInput): TaskSpec {
  const { flags } = input;
  const preferences = flags.values<string>('placement-pref').map((descriptor) => ({ Spread: { SpreadDescriptor: descriptor } }));
  const logDriver = flags.text('log-driver');
  const networks = flags.values<NetworkAttachmentConfig>('network');
  return {
    ContainerSpec: containerOf(input),
    Resources: resourcesOf(flags),
    ...withDefined('RestartPolicy', restartPolicy(flags, undefined)),
    Placement: {
      ...withItems('Constraints', flags.texts('constraint')),
      ...withItems('Preferences', preferences),
      ...withDefined('MaxReplicas', flags.value<number>('replicas-max-per-node')),
    },
    ...withItems('Networks', networks),
    ...(logDriver === '' ? {} : { LogDriver: { Name: logDriver, Options: mapOf(flags.texts('log-opt')) } }),
  };
}

function resourcesOf(flags: Flags): NonNullable<TaskSpec['Resources']> {
  let generic: ReturnType<typeof genericResources>;
  try {
    generic = genericResources(flags.texts('generic-resource'));
  } catch (error) {
    return refuse(errorMessage(error));
  }
  const amount = (name: string, field: string) => withDefined(field, flags.value<number>(name));
  return {
    Limits: { ...amount('limit-cpu', 'NanoCPUs'), ...amount('limit-memory', 'MemoryBytes'), ...amount('limit-pids', 'Pids') },
    Reservations: { ...amount('reserve-cpu', 'NanoCPUs'), ...amount('reserve-memory', 'MemoryBytes'), ...withItems('GenericResources', generic) },
  };
}

function containerOf({ image, args, flags, environment }: SpecInput): ContainerSpec {
  const text = (name: string, field: string) => (flags.text(name) === '' ? {} : { [field]: flags.text(name) });
  const variables = environmentOf(flags.texts('env-file'), flags.values<string>('env'), environment);
  const credential = flags.value<NonNullable<Privileges['CredentialSpec']>>('credential-spec');
  const hosts = flags.values<string>('host').map(swarmHost);
  const { add, drop } = capabilities(flags.texts('cap-add'), flags.texts('cap-drop'));
  const sysctls = mapOf(flags.texts('sysctl'));
  const labels = withEngineLabels(mapOf(flags.texts('container-label')), flags);
  return {
    Image: image,
    ...(Object.keys(labels).length > 0 ? { Labels: labels } : {}),
    ...withItems('Command', flags.value<readonly string[]>('entrypoint') ?? []),
    ...withItems('Args', args),
    ...text('hostname', 'Hostname'),
    ...withItems('Env', variables),
    ...text('workdir', 'Dir'),
    ...text('user', 'User'),
    ...withItems('Groups', flags.texts('group')),
    ...(credential === undefined ? {} : { Privileges: { CredentialSpec: credential } }),
    Init: flags.bool('init'),
    ...text('stop-signal', 'StopSignal'),
    ...(flags.bool('tty') ? { TTY: true } : {}),
    ...(flags.bool('read-only') ? { ReadOnly: true } : {}),
    ...withItems('Mounts', flags.values<Mount>('mount')),
    ...withDefined('StopGracePeriod', flags.value<number>('stop-grace-period')),
    ...withDefined('Healthcheck', healthOptions(flags, undefined)),
    ...withItems('Hosts', hosts),
    DNSConfig: {
      ...withItems('Nameservers', flags.values('dns')),
      ...withItems('Search', flags.values('dns-search')),
      ...withItems('Options', flags.texts('dns-option')),
    },
    ...(flags.has('isolation') ? { Isolation: flags.text('isolation') } : {}),
    ...(Object.keys(sysctls).length > 0 ? { Sysctls: sysctls } : {}),
    ...withItems('CapabilityAdd', add),
    ...withItems('CapabilityDrop', drop),
    ...withItems(
      'Ulimits',
      [...flags.values<Ulimit>('ulimit')].sort((a, b) => (a.Name < b.Name ? -1 : 1)),
    ),
    ...((flags.value<number>('oom-score-adj') ?? 0) === 0 ? {} : { OomScoreAdj: flags.value<number>('oom-score-adj') }),
  };
}

/** `name:address` → `address name`. */
export function swarmHost(host: string): string {
  const colon = host.indexOf(':');
  return `${host.slice(colon + 1)} ${host.slice(0, colon)}`;
}

/** `net_admin` → `CAP_NET_ADMIN`; what is both added and dropped is added; `ALL` stands alone. Sorted. */
export function capabilities(add: readonly string[], drop: readonly string[]): { readonly add: readonly string[]; readonly drop: readonly string[] } {
  const normal = (name: string) => {
    const upper = name.trim().toUpperCase();
    return upper === 'ALL' || upper === 'RESET' || upper.startsWith('CAP_') ? upper : `CAP_${upper}`;
  };
  const only = (names: readonly string[]) => (names.includes('ALL') ? ['ALL'] : [...new Set(names)].sort());
  const added = only(add.map(normal));
  const dropped = only(drop.map(normal)).filter((name) => !added.includes(name));
  return { add: added, drop: dropped };
}

function withItems<K extends string, T>(key: K, items: readonly T[]): { readonly [P in K]?: readonly T[] } {
  return (items.length > 0 ? { [key]: items } : {}) as { readonly [P in K]?: readonly T[] };
}

function withDefined<K extends string, T>(key: K, value: T | undefined): { readonly [P in K]?: T } {
  return (value === undefined ? {} : { [key]: value }) as { readonly [P in K]?: T };
}

function refuse(message: string): never {
  throw new AppError('invalidArgument', message);
}
