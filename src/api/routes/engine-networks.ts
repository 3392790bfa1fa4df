// The engine's own networks as far as the swarm's API needs them, and those of them that are only the local part of a swarm network.
import type { NetworkResource } from '#docker-api/network.ts';
import type { RouteContext, RouteRequest } from '../route.ts';

/** On the engine's networks that back a swarm network on this node; the value is the swarm network's id. Users do not see them. */
export const BACKING_LABEL = 'com.docker.skep.network';

/** On whatever a skepd made in the engine. */
export const OWNER_LABEL = 'com.docker.skep.instance';

export function isBacking(network: NetworkResource): boolean {
  return backedNetworkId(network) !== undefined;
}

export function backedNetworkId(network: NetworkResource): string | undefined {
  return network.Labels?.[BACKING_LABEL];
}

/** All networks of the engine, or those that pass `filters` (JSON as in the query), the hidden ones included. */
export async function engineNetworks(request: RouteRequest, { engine }: RouteContext, filters?: string): Promise<readonly NetworkResource[]> {
  const query = new URLSearchParams(filters ? { filters } : {});
  return await engine.json<NetworkResource[]>({ method: 'GET', path: '/networks', query, apiVersion: request.apiVersion, signal: request.signal });
}
