// `service update` as a function from spec to spec. References are resolved before; what was not asked for stays as it is.
import type { ContainerSpec, GenericResource, NetworkAttachmentConfig, Privileges, ServiceSpec, TaskSpec } from '#docker-api/service-spec.ts';
import { AppError, errorMessage } from '#lib/errors.ts';
import type { Flags } from '../flags.ts';
import { mapOf } from '../shared/options.ts';
import { type Environment, withValue } from '../values/environment.ts';
import { genericResources } from '../values/service.ts';
import { engineFlags, withEngineLabels } from './engine-flags.ts';
import { healthOptions, restartPolicy, rolloutConfig } from './spec-parts.ts';
import {
  changedCapabilities,
  changedDns,
  changedHosts,
  changedList,
  changedMap,
  changedMounts,
  changedPorts,
  changedUlimits,
  present,
} from './update-lists.ts';

export interface UpdateInput {
  readonly flags: Flags;
  readonly environment: Environment;
  /** With ids as targets. */
  readonly networksToAdd: readonly NetworkAttachmentConfig[];
  readonly networksToRemove: readonly string[];
  readonly secretsToAdd: NonNullable<ContainerSpec['Secrets']>;
  readonly configsToAdd: NonNullable<ContainerSpec['Configs']>;
}

export function changedServiceSpec(spec: ServiceSpec, input: UpdateInput): ServiceSpec {
  const { flags } = input;
  const endpointChanged = ['endpoint-mode', 'publish-add', 'publish-rm'].some((name) => flags.has(name));
  return {
    ...spec,
    Labels: changedMap(spec.Labels, flags, 'label') ?? {},
    TaskTemplate: changedTask(spec.TaskTemplate ?? {}, input),
    Mode: changedMode(spec.Mode ?? {}, flags),
    ...present('UpdateConfig', rolloutConfig(flags, 'update', spec.UpdateConfig)),
    ...present('RollbackConfig', rolloutConfig(flags, 'rollback', spec.RollbackConfig)),
    ...(endpointChanged
      ? {
          EndpointSpec: {
            ...spec.EndpointSpec,
            ...(flags.has('endpoint-mode') ? { Mode: flags.text('endpoint-mode') } : {}),
            Ports: changedPorts(spec.EndpointSpec?.Ports ?? [], flags),
          },
        }
      : {}),
  };
}

function changedMode(mode: NonNullable<ServiceSpec['Mode']>, flags: Flags): NonNullable<ServiceSpec['Mode']> {
  let result = mode;
  if (flags.has('replicas')) {
    const replicas = flags.value<number>('replicas');
    if (mode.Replicated) result = { Replicated: { Replicas: replicas } };
    else if (mode.ReplicatedJob) result = { ReplicatedJob: { ...mode.ReplicatedJob, TotalCompletions: replicas } };
    else refuse('replicas can only be used with replicated mode');
  }
  if (flags.has('max-concurrent')) {
    // Like docker: it says nothing where it means nothing.
    if (result.ReplicatedJob) result = { ReplicatedJob: { ...result.ReplicatedJob, MaxConcurrent: flags.value<number>('max-concurrent') } };
  }
  return result;
}

function changedTask(task: TaskSpec, input: UpdateInput): TaskSpec {
  const { flags, networksToAdd, networksToRemove } = input;
  const logDriver = flags.text('log-driver');
  return {
    ...task,
    ContainerSpec: changedContainer(task.ContainerSpec ?? {}, input),
    ...present('Resources', changedResources(task.Resources, flags)),
    ...present('RestartPolicy', restartPolicy(flags, task.RestartPolicy)),
    ...present('Placement', changedPlacement(task.Placement, flags)),
    ...(networksToAdd.length + networksToRemove.length > 0 ? { Networks: changedNetworks(task.Networks ?? [], input) } : {}),
    ...(logDriver === '' ? {} : { LogDriver: { Name: logDriver, Options: mapOf(flags.texts('log-opt')) } }),
    ...(flags.bool('force') ? { ForceUpdate: (task.ForceUpdate ?? 0) + 1 } : {}),
  };
}

function changedNetworks(networks: readonly NetworkAttachmentConfig[], { flags, networksToAdd, networksToRemove }: UpdateInput): NetworkAttachmentConfig[] {
  const kept = networks.filter(({ Target = '' }) => !networksToRemove.includes(Target));
  const names = flags.values<NetworkAttachmentConfig>('network-add').map(({ Target }) => Target);
  networksToAdd.forEach(({ Target }, index) => {
    if (kept.some((network) => network.Target === Target)) refuse(`service is already attached to network ${names[index] ?? Target}`);
  });
  return [...kept, ...networksToAdd].sort((a, b) => ((a.Target ?? '') < (b.Target ?? '') ? -1 : 1));
}

function changedResources(resources: TaskSpec['Resources'], flags: Flags): TaskSpec['Resources'] {
  const number = (name: string, field: string) => (flags.has(name) ? { [field]: flags.value<number>(name) } : {});
  const limits = ['limit-cpu', 'limit-memory', 'limit-pids'].some((name) => flags.has(name));
  const reservations = ['reserve-cpu', 'reserve-memory'].some((name) => flags.has(name));
  const generic = ['generic-resource-add', 'generic-resource-rm'].some((name) => flags.has(name));
  if (!limits && !reservations && !generic) return resources;
  return {
    ...resources,
    ...(limits
      ? { Limits: { ...resources?.Limits, ...number('limit-cpu', 'NanoCPUs'), ...number('limit-memory', 'MemoryBytes'), ...number('limit-pids', 'Pids') } }
      : {}),
    Reservations: {
      ...resources?.Reservations,
      ...number('reserve-cpu', 'NanoCPUs'),
      ...number('reserve-memory', 'MemoryBytes'),
      ...(generic ? { GenericResources: changedGeneric(resources?.Reservations?.GenericResources ?? [], flags) } : {}),
    },
  };
}

function changedGeneric(existing: readonly GenericResource[], flags: Flags): ReturnType<typeof genericResources> {
  const kindOf = (resource: GenericResource) => resource.DiscreteResourceSpec?.Kind ?? '';
  try {
    const removed = new Set(flags.texts('generic-resource-rm').map((text) => text.split('=')[0]));
    const added = genericResources(flags.texts('generic-resource-add'));
    const kept = existing.filter((resource) => !removed.has(kindOf(resource)) && !added.some((other) => kindOf(other) === kindOf(resource)));
    return [...kept, ...added];
  } catch (error) {
    return refuse(errorMessage(error));
  }
}

function changedPlacement(placement: TaskSpec['Placement'], flags: Flags): TaskSpec['Placement'] {
  const constraints = changedList(placement?.Constraints, flags, 'constraint');
  let preferences = placement?.Preferences;
  if (flags.has('placement-pref-add') || flags.has('placement-pref-rm')) {
    const removed = flags.values<string>('placement-pref-rm');
    const kept = (preferences ?? []).filter(({ Spread }) => !removed.includes(Spread?.SpreadDescriptor ?? ''));
    preferences = [...kept, ...flags.values<string>('placement-pref-add').map((descriptor) => ({ Spread: { SpreadDescriptor: descriptor } }))];
  }
  const isChanged = ['constraint-add', 'constraint-rm', 'placement-pref-add', 'placement-pref-rm', 'replicas-max-per-node'].some((name) => flags.has(name));
  if (!isChanged) return placement;
  return {
    ...placement,
    ...present('Constraints', constraints),
    ...present('Preferences', preferences),
    ...(flags.has('replicas-max-per-node') ? { MaxReplicas: flags.value<number>('replicas-max-per-node') } : {}),
  };
}

function changedLabels(labels: ContainerSpec['Labels'], flags: Flags): ContainerSpec['Labels'] {
  const changed = changedMap(labels, flags, 'container-label');
  return engineFlags.some(({ name }) => flags.has(name)) ? withEngineLabels(changed ?? {}, flags) : changed;
}

function changedContainer(container: ContainerSpec, input: UpdateInput): ContainerSpec {
  const { flags } = input;
  const text = (name: string, field: keyof ContainerSpec) => (flags.has(name) ? { [field]: flags.text(name) } : {});
  const bool = (name: string, field: keyof ContainerSpec) => (flags.has(name) ? { [field]: flags.bool(name) } : {});
  const credential = flags.value<NonNullable<Privileges['CredentialSpec']>>('credential-spec');
  return {
    ...container,
    ...present('Labels', changedLabels(container.Labels, flags)),
    ...text('image', 'Image'),
    ...(flags.has('args') ? { Args: flags.value<readonly string[]>('args') } : {}),
    ...(flags.has('entrypoint') ? { Command: flags.value<readonly string[]>('entrypoint') } : {}),
    ...present('Env', changedEnvironment(container.Env, input)),
    ...text('workdir', 'Dir'),
    ...text('user', 'User'),
    ...text('hostname', 'Hostname'),
    ...bool('init', 'Init'),
    ...(credential === undefined ? {} : { Privileges: { ...container.Privileges, CredentialSpec: credential } }),
    ...text('isolation', 'Isolation'),
    ...present('Mounts', changedMounts(container.Mounts, flags)),
    ...(flags.has('stop-grace-period') ? { StopGracePeriod: flags.value<number>('stop-grace-period') } : {}),
    ...text('stop-signal', 'StopSignal'),
    ...present('Groups', changedList(container.Groups, flags, 'group')),
    ...present('DNSConfig', changedDns(container.DNSConfig, flags)),
    ...present('Hosts', changedHosts(container.Hosts, flags)),
    ...present('Healthcheck', healthOptions(flags, container.Healthcheck)),
    ...bool('tty', 'TTY'),
    ...bool('read-only', 'ReadOnly'),
    ...present('Sysctls', changedMap(container.Sysctls, flags, 'sysctl')),
    ...present('Ulimits', changedUlimits(container.Ulimits, flags)),
    ...changedCapabilities(container, flags),
    ...(flags.has('oom-score-adj') ? { OomScoreAdj: flags.value<number>('oom-score-adj') } : {}),
    ...changedFiles(container, input),
  };
}

function changedEnvironment(existing: readonly string[] | undefined, { flags, environment }: UpdateInput): readonly string[] | undefined {
  if (!flags.has('env-add') && !flags.has('env-rm')) return existing;
  const nameOf = (variable: string) => variable.split('=')[0] ?? '';
  const byName = new Map((existing ?? []).map((variable) => [nameOf(variable), variable]));
  for (const variable of flags.texts('env-add')) byName.set(nameOf(variable), withValue(variable, environment));
  for (const name of flags.texts('env-rm')) byName.delete(name);
  return [...byName.values()];
}

function changedFiles(
  { Secrets = [], Configs = [] }: ContainerSpec,
  { flags, secretsToAdd, configsToAdd }: UpdateInput,
): Pick<ContainerSpec, 'Secrets' | 'Configs'> {
  const kept = <T extends { readonly File?: { readonly Name?: string | undefined } | undefined }>(
    all: readonly T[],
    removed: (item: T) => boolean,
    added: readonly T[],
  ) => [...all.filter((item) => !removed(item) && !added.some((other) => other.File?.Name === item.File?.Name)), ...added];
  return {
    ...(flags.has('secret-add') || flags.has('secret-rm')
      ? { Secrets: kept(Secrets, ({ SecretName = '' }) => flags.texts('secret-rm').includes(SecretName), secretsToAdd) }
      : {}),
    ...(flags.has('config-add') || flags.has('config-rm')
      ? { Configs: kept(Configs, ({ ConfigName = '' }) => flags.texts('config-rm').includes(ConfigName), configsToAdd) }
      : {}),
  };
}

function refuse(message: string): never {
  throw new AppError('invalidArgument', message);
}
