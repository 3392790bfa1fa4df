// Task specs (a service's template, and what each task carries): JSON ↔ domain.
import type {
  NetworkAttachmentConfig as WireAttachment,
  Driver as WireDriver,
  GenericResource as WireGenericResource,
  ResourceRequirements as WireResources,
  TaskSpec as WireTaskSpec,
} from '#docker-api/service-spec.ts';
import type { Driver, GenericResource, NetworkAttachmentConfig, Placement, Platform, ResourceRequirements, RestartPolicy, TaskSpec } from '#domain/spec.ts';
import { AppError } from '#lib/errors.ts';
import { compact, invalid, nonEmpty, oneOf, optionalMap, quoted } from './common.ts';
import { containerSpecFromJson, containerSpecToJson } from './container-spec.ts';

/** Throws AppError in Docker's words. Users can only ask for containers: plugin services exist in experimental daemons only. */
export function taskSpecFromJson(wire: WireTaskSpec, registryAuth: string | undefined): TaskSpec {
  const runtime = wire.Runtime || 'container';
  if (runtime === 'plugin' && wire.PluginSpec !== undefined) throw new AppError('unknown', 'runtime type "plugin" only supported in experimental');
  if (runtime !== 'container' && runtime !== 'plugin') throw invalid('unsupported runtime');
  if (runtime !== 'container' || wire.ContainerSpec === undefined) throw invalid('mismatched Runtime and *Spec fields');
  return compact<TaskSpec>({
    runtime: { kind: 'container', container: containerSpecFromJson(wire.ContainerSpec, registryAuth) },
    resources: wire.Resources && resourcesFromJson(wire.Resources),
    restart: wire.RestartPolicy && restartPolicyFromJson(wire.RestartPolicy),
    placement: wire.Placement && placementFromJson(wire.Placement),
    networks: attachmentsFromJson(wire.Networks),
    logDriver: wire.LogDriver && driverFromJson(wire.LogDriver),
    forceUpdate: wire.ForceUpdate ?? 0,
  });
}

/** A task's spec does not say its runtime unless it is an attachment; a service's always does (`withRuntime`). */
export function taskSpecToJson(spec: TaskSpec, { withRuntime }: { readonly withRuntime: boolean }): WireTaskSpec {
  const { runtime, placement, restart } = spec;
  return {
    ContainerSpec: runtime.kind === 'container' ? containerSpecToJson(runtime.container) : undefined,
    NetworkAttachmentSpec: runtime.kind === 'attachment' ? { ContainerID: runtime.containerId } : undefined,
    Resources: spec.resources && resourcesToJson(spec.resources),
    RestartPolicy: restart && {
      Condition: restart.condition ?? 'any',
      Delay: restart.delayNs,
      MaxAttempts: restart.maxAttempts ?? 0,
      Window: restart.windowNs,
    },
    Placement: placement && {
      Constraints: nonEmpty(placement.constraints),
      Preferences: nonEmpty(placement.preferences?.map(({ spread }) => ({ Spread: { SpreadDescriptor: spread } }))),
      MaxReplicas: nonEmpty(placement.maxReplicas),
      Platforms: nonEmpty(placement.platforms?.map(platformToJson)),
    },
    Networks: attachmentsToJson(spec.networks),
    LogDriver: spec.logDriver && driverToJson(spec.logDriver),
    ForceUpdate: spec.forceUpdate,
    Runtime: withRuntime || runtime.kind === 'attachment' ? runtime.kind : undefined,
  };
}

export function driverFromJson(wire: WireDriver): Driver {
  return compact<Driver>({ name: wire.Name ?? '', options: nonEmpty(wire.Options) });
}

export function driverToJson(driver: Driver): WireDriver {
  return { Name: nonEmpty(driver.name), Options: optionalMap(driver.options) };
}

export function attachmentsFromJson(wire: readonly WireAttachment[] | undefined): readonly NetworkAttachmentConfig[] | undefined {
  return nonEmpty(
    wire?.map(({ Target = '', Aliases, DriverOpts }) =>
      compact<NetworkAttachmentConfig>({ target: Target, aliases: nonEmpty(Aliases), driverOptions: nonEmpty(DriverOpts) }),
    ),
  );
}

export function attachmentsToJson(networks: readonly NetworkAttachmentConfig[] | undefined): readonly WireAttachment[] | undefined {
  return nonEmpty(
    networks?.map(({ target, aliases, driverOptions }) => ({
      Target: nonEmpty(target),
      Aliases: nonEmpty(aliases),
      DriverOpts: optionalMap(driverOptions),
    })),
  );
}

export function genericResourcesToJson(resources: readonly GenericResource[] | undefined): readonly WireGenericResource[] | undefined {
  return nonEmpty(
    resources?.map((resource) =>
      resource.kind === 'named'
        ? { NamedResourceSpec: { Kind: resource.name, Value: resource.value } }
        : { DiscreteResourceSpec: { Kind: resource.name, Value: resource.value } },
    ),
  );
}

export function platformToJson(platform: Platform) {
  return { Architecture: nonEmpty(platform.architecture), OS: nonEmpty(platform.os) };
}

function genericResourceFromJson(wire: WireGenericResource): GenericResource[] {
  const { DiscreteResourceSpec: discrete, NamedResourceSpec: named } = wire;
  if (discrete) return [{ kind: 'discrete', name: discrete.Kind ?? '', value: discrete.Value ?? 0 }];
  if (named) return [{ kind: 'named', name: named.Kind ?? '', value: named.Value ?? '' }];
  return [];
}

function resourcesFromJson(wire: WireResources): ResourceRequirements {
  const { Limits: limits, Reservations: reservations } = wire;
  return compact<ResourceRequirements>({
    limits: limits && compact({ nanoCpus: nonEmpty(limits.NanoCPUs), memoryBytes: nonEmpty(limits.MemoryBytes), pids: nonEmpty(limits.Pids) }),
    reservations:
      reservations &&
      compact({
        nanoCpus: nonEmpty(reservations.NanoCPUs),
        memoryBytes: nonEmpty(reservations.MemoryBytes),
        generic: nonEmpty(reservations.GenericResources?.flatMap(genericResourceFromJson)),
      }),
    swapBytes: wire.SwapBytes,
    memorySwappiness: wire.MemorySwappiness,
  });
}

function resourcesToJson({ limits, reservations, swapBytes, memorySwappiness }: ResourceRequirements): WireResources {
  return {
    Limits: limits && { NanoCPUs: nonEmpty(limits.nanoCpus), MemoryBytes: nonEmpty(limits.memoryBytes), Pids: nonEmpty(limits.pids) },
    Reservations: reservations && {
      NanoCPUs: nonEmpty(reservations.nanoCpus),
      MemoryBytes: nonEmpty(reservations.memoryBytes),
      GenericResources: genericResourcesToJson(reservations.generic),
    },
    SwapBytes: swapBytes,
    MemorySwappiness: memorySwappiness,
  };
}

function restartPolicyFromJson(wire: NonNullable<WireTaskSpec['RestartPolicy']>): RestartPolicy {
  const condition = oneOf(['none', 'on-failure', 'any'], wire.Condition || 'any');
  if (condition === undefined) throw invalid(`invalid RestartCondition: ${quoted(wire.Condition ?? '')}`);
  return compact<RestartPolicy>({ condition, delayNs: wire.Delay, maxAttempts: wire.MaxAttempts ?? 0, windowNs: wire.Window });
}

function placementFromJson(wire: NonNullable<WireTaskSpec['Placement']>): Placement {
  return compact<Placement>({
    constraints: nonEmpty(wire.Constraints),
    preferences: nonEmpty(wire.Preferences?.flatMap(({ Spread }) => (Spread ? [{ spread: Spread.SpreadDescriptor ?? '' }] : []))),
    maxReplicas: nonEmpty(wire.MaxReplicas),
    platforms: nonEmpty(wire.Platforms?.map(({ Architecture = '', OS = '' }) => ({ architecture: Architecture, os: OS }))),
  });
}
