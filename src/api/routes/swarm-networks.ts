// The swarm's networks as this node can tell them.
import type { NetworkControl } from '#control/control.ts';
import type { Network } from '#domain/objects.ts';
import { isPredefinedNetwork } from '#domain/predefined-network.ts';
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
