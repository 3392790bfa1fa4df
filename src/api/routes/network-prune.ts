// POST /networks/prune: unused networks of the swarm (on managers) and of the engine.
import type { Network } from '#domain/objects.ts';
import { AppError } from '#lib/errors.ts';
import { json, type RouteContext, type RouteRequest } from '../route.ts';
import { BACKING_LABEL, OWNER_LABEL } from './engine-networks.ts';
import { matchesLabels } from './network-filters.ts';
import { onlyKeys, parseFilters } from './parse.ts';
import { swarmNetworks } from './swarm-networks.ts';
import { parseUntil } from './until.ts';

const filterKeys = ['label', 'label!', 'until'];

export async function pruneNetworks(request: RouteRequest, context: RouteContext) {
  const filters = onlyKeys(parseFilters(request.query), filterKeys);
  const until = parseUntil(filters['until'] ?? [], context.clock.now());
  const ours = swarmNetworks(context).filter(
    (network) =>
      !network.spec.ingress &&
      (until === undefined || network.createdAt < until) &&
      matchesLabels(network, filters['label'] ?? []) &&
      !(filters['label!'] ?? []).some((label) => matchesLabels(network, [label])),
  );
  const removed = await removeUnused(ours, context);
  // The engine's networks that back a swarm network, and docker_gwbridge, may have no container at the moment; they are not the user's to prune.
  const engineFilters = { ...filters, 'label!': [...(filters['label!'] ?? []), BACKING_LABEL, OWNER_LABEL] };
  const { NetworksDeleted: local } = await context.engine.json<{ readonly NetworksDeleted: readonly string[] | null }>({
    method: 'POST',
    path: '/networks/prune',
    query: new URLSearchParams({ filters: JSON.stringify(engineFilters) }),
    signal: request.signal,
  });
  const all = [...removed, ...(local ?? [])];
  return json({ NetworksDeleted: all.length === 0 ? null : all });
}

/** Names of those that went; one in use refuses and stays. */
async function removeUnused(networks: readonly Network[], { membership, log }: RouteContext): Promise<readonly string[]> {
  const removed: string[] = [];
  for (const network of networks) {
    try {
      await membership.control().networks.remove(network.id);
      removed.push(network.spec.name);
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      if (error.code !== 'failedPrecondition') log.warn({ network: network.id, error: error.message }, 'could not remove unused network');
    }
  }
  return removed;
}
