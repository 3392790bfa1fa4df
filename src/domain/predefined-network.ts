// Networks that every engine brings itself. Services may use them; in the store they are stand-ins that no user sees, made when first needed.
import type { Network } from './objects.ts';
import type { NetworkSpec } from './spec.ts';

export const PREDEFINED_LABEL = 'com.docker.swarm.predefined';

/** Networks of the engine that tasks can join, with their driver's name: on Linux, both have the name of their driver. */
export const predefinedNetworkNames: readonly string[] = ['bridge', 'host'];

/** Names that no user's network may have: the engines' own, and the swarm's ingress network has its name first. */
export const reservedNetworkNames: readonly string[] = ['bridge', 'host', 'none'];

export function isPredefinedNetwork(network: Network): boolean {
  return Object.hasOwn(network.spec.labels, PREDEFINED_LABEL);
}

export function predefinedNetworkSpec(name: string): NetworkSpec {
  return {
    name,
    labels: { [PREDEFINED_LABEL]: 'true' },
    driver: { name },
    ipv6: false,
    internal: false,
    attachable: false,
    ingress: false,
    scope: 'local',
  };
}
