// What a service's spec refers to: networks by name or id become ids; secrets, configs and the ingress network must exist.
import { deniedExtras, extraKeysOfLabels } from '#domain/extras.ts';
import type { Network, Service } from '#domain/objects.ts';
import { predefinedNetworkNames, predefinedNetworkSpec } from '#domain/predefined-network.ts';
import type { NetworkAttachmentConfig, ServiceSpec } from '#domain/spec.ts';
import type { View } from '#domain/view.ts';
import { AppError, rpcError } from '#lib/errors.ts';
import { findNetwork } from './lookup.ts';

export interface ResolvedSpec {
  readonly spec: ServiceSpec;
  /** Stand-ins for engines' own networks that the spec is the first to use. */
  readonly newNetworks: readonly Network[];
}

/** Replaces names of networks by ids. Throws AppError in the Docker daemon's words for one that there is not. */
export function resolveNetworks(view: View, spec: ServiceSpec, newNetworkId: () => string): ResolvedSpec {
  const newNetworks = new Map<string, Network>();
  const resolve = (attachment: NetworkAttachmentConfig): NetworkAttachmentConfig => ({
    ...attachment,
    target: networkFor(view, attachment.target, newNetworks, newNetworkId).id,
  });
  // The deprecated place counts only when the other one is empty.
  const inTask = spec.task.networks ?? [];
  if (inTask.length > 0) return { spec: { ...spec, task: { ...spec.task, networks: inTask.map(resolve) } }, newNetworks: [...newNetworks.values()] };
  if (spec.networks === undefined || spec.networks.length === 0) return { spec, newNetworks: [] };
  return { spec: { ...spec, networks: spec.networks.map(resolve) }, newNetworks: [...newNetworks.values()] };
}

function networkFor(view: View, target: string, newNetworks: Map<string, Network>, newNetworkId: () => string): Network {
  if (target === '') throw new AppError('invalidArgument', `network  is ambiguous (${view.count('network')} matches found)`);
  const network = findNetwork(view, target);
  if (network !== undefined) return network;
  if (target === 'none') throw new AppError('notFound', 'could not find the corresponding predefined swarm network: network none not found');
  // A server error in Docker, too.
  if (!predefinedNetworkNames.includes(target)) throw new AppError('unknown', `network ${target} not found`);
  const standIn = view.findByName('network', target) ?? newNetworks.get(target);
  if (standIn !== undefined) return standIn;
  const created: Network = { kind: 'network', id: newNetworkId(), version: 0, createdAt: 0, updatedAt: 0, spec: predefinedNetworkSpec(target) };
  newNetworks.set(target, created);
  return created;
}

/** Throws AppError when a spec names the ingress network, or publishes ports and there is none. `spec` has ids for networks. */
export function assertIngressRules(view: View, spec: ServiceSpec): void {
  for (const { target } of [...(spec.task.networks ?? []), ...(spec.networks ?? [])]) {
    const network = view.get('network', target);
    if (network?.spec.ingress) throw rpcError('invalidArgument', `Service cannot be explicitly attached to the ingress network "${network.spec.name}"`);
  }
}

export function assertHasIngress(view: View, spec: ServiceSpec): void {
  if (needsIngress(spec) && view.claimant('network/ingress') === undefined) {
    throw rpcError('failedPrecondition', 'service needs ingress network, but no ingress network is present');
  }
}

/** Throws AppError when the spec uses engine options that the swarm forbids. What runs already goes on running. */
export function assertExtrasAllowed(view: View, { task: { runtime } }: ServiceSpec): void {
  const [cluster] = view.list('cluster');
  if (runtime.kind !== 'container' || cluster === undefined) return;
  const denied = deniedExtras(cluster.spec.labels);
  const used = extraKeysOfLabels(runtime.container.labels).filter((key) => denied.has(key));
  if (used.length > 0) throw rpcError('permissionDenied', `this swarm forbids engine options that the service uses: ${used.join(', ')}`);
}

export function needsIngress(spec: ServiceSpec): boolean {
  return (spec.endpoint?.ports ?? []).some((port) => port.publishMode === 'ingress');
}

/** Secrets and configs must exist by id, under the name that the spec says. */
export function assertFilesExist(view: View, spec: ServiceSpec): void {
  if (spec.task.runtime.kind !== 'container') return;
  const { secrets = [], configs = [] } = spec.task.runtime.container;
  assertNoneMissing(
    'secret',
    secrets.filter(({ secretId, secretName }) => view.get('secret', secretId)?.spec.name !== secretName).map(({ secretName }) => secretName),
  );
  assertNoneMissing(
    'config',
    configs.filter(({ configId, configName }) => view.get('config', configId)?.spec.name !== configName).map(({ configName }) => configName),
  );
}

function assertNoneMissing(kind: 'secret' | 'config', names: readonly string[]): void {
  if (names.length > 0) throw rpcError('invalidArgument', `${kind}${names.length > 1 ? 's' : ''} not found: ${names.join(', ')}`);
}

/** Networks that a spec is attached to, wherever it says so. */
export function networkIdsOf({ spec }: Pick<Service, 'spec'>): readonly string[] {
  return [...(spec.task.networks ?? []), ...(spec.networks ?? [])].map(({ target }) => target);
}
