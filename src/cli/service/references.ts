// Names in a service's options → ids: networks, secrets, configs.
import type { Client } from '#client/client.ts';
import type { NetworkResource } from '#docker-api/network.ts';
import type { Config, Secret } from '#docker-api/secret-config.ts';
import type { ContainerSpec, NetworkAttachmentConfig } from '#docker-api/service-spec.ts';
import { AppError } from '#lib/errors.ts';
import { filterQuery } from '../shared/options.ts';
import { segment } from '../shared/each.ts';
import type { FileReference } from '../values/references.ts';

/** Each network's id in place of its name, sorted by id. */
export async function resolveNetworks(client: Client, networks: readonly NetworkAttachmentConfig[]): Promise<NetworkAttachmentConfig[]> {
  const resolved = await Promise.all(networks.map(async (network) => ({ ...network, Target: await networkId(client, network.Target ?? '') })));
  return resolved.sort((a, b) => (a.Target < b.Target ? -1 : 1));
}

export async function networkId(client: Client, reference: string): Promise<string> {
  const { Id } = await client.call<NetworkResource>('GET', `/networks/${segment(reference)}`, { query: { scope: 'swarm' } });
  return Id;
}

export async function resolveSecrets(client: Client, references: readonly FileReference[]): Promise<NonNullable<ContainerSpec['Secrets']>> {
  const ids = await idsOf<Secret>(client, 'secret', references);
  return references.map((reference) => ({ File: fileTarget(reference), SecretID: ids.get(reference.source) ?? '', SecretName: reference.source }));
}

export async function resolveConfigs(client: Client, references: readonly FileReference[]): Promise<NonNullable<ContainerSpec['Configs']>> {
  const ids = await idsOf<Config>(client, 'config', references);
  return references.map((reference) => ({ File: fileTarget(reference), ConfigID: ids.get(reference.source) ?? '', ConfigName: reference.source }));
}

function fileTarget({ target, uid, gid, mode }: FileReference) {
  return { Name: target, UID: uid, GID: gid, Mode: mode };
}

async function idsOf<T extends Secret | Config>(
  client: Client,
  kind: 'secret' | 'config',
  references: readonly FileReference[],
): Promise<ReadonlyMap<string, string>> {
  if (references.length === 0) return new Map();
  const targets = new Set<string>();
  for (const { target, source } of references) {
    if (targets.has(target)) throw new AppError('invalidArgument', `duplicate ${kind} target for ${source} not allowed`);
    targets.add(target);
  }
  const objects = await client.call<T[]>('GET', `/${kind}s`, { query: filterQuery({ name: [...new Set(references.map(({ source }) => source))] }) });
  const ids = new Map(objects.map(({ ID, Spec }) => [Spec.Name ?? '', ID]));
  for (const { source } of references) if (!ids.has(source)) throw new AppError('notFound', `${kind} not found: ${source}`);
  return ids;
}
