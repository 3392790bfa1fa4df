// The swarm's networks as this node can tell them.
import type { NetworkControl } from '#control/control.ts';
import type { Network } from '#domain/objects.ts';
import { isPredefinedNetwork, predefinedNetworkNames, predefinedNetworkSpec } from '#domain/predefined-network.ts';
import { AppError } from '#lib/errors.ts';
import type { RouteContext } from '../route.ts';

/** The swarm's networks where this node is a manager that can tell; none elsewhere. */
export function swarmNetworks({ membership }: RouteContext): readonly Network[] {
  return (
    networkControlOf({ membership })
      ?.list()
      .filter((network) => !isPredefinedNetwork(network)) ?? []
  );
}

function networkControlOf({ membership }: Pick<RouteContext, 'membership'>): NetworkControl | undefined {
  if (!membership.info().controlAvailable) return undefined;
  try {
    return membership.control().networks;
  } catch (error) {
    if (error instanceof AppError && error.code === 'unavailable') return undefined;
    throw error;
  }
}

/**
 * The swarm's stand-in for a network that every engine has, by its id or (for those who ask for swarm scope) by its name. Users do not see stand-ins
 * in lists, but the CLI looks them up before it names them in a service's spec. One that no service has used yet goes by its name.
 */
export function predefinedNetwork(term: string, scope: string, { membership }: RouteContext): Network | undefined {
  const networks = networkControlOf({ membership });
  if (networks === undefined) return undefined;
  const exact = networks.find(term);
  if (exact?.id === term && isPredefinedNetwork(exact)) return exact;
  if (scope !== 'swarm' || !predefinedNetworkNames.includes(term)) return undefined;
  const targets = membership
    .control()
    .services.list({})
    .flatMap(({ spec }) => [...(spec.task.networks ?? []), ...(spec.networks ?? [])]);
  for (const { target } of targets) {
    const used = networks.find(target);
    if (used?.spec.name === term && isPredefinedNetwork(used)) return used;
  }
  const state = { driver: { name: term }, pools: [] };
  return { kind: 'network', id: term, version: 0, createdAt: 0, updatedAt: 0, spec: predefinedNetworkSpec(term), state };
}
