// Claims: names, addresses and ports that only one object may hold at a time. They are rows in the store, written in the same
// transaction as their object, so that a duplicate is impossible rather than unlikely.
import type { StoreObject } from './objects.ts';
import { isTerminal } from './task-state.ts';

/** The claims of an object in its present state. Equal strings conflict. */
export function claimsOf(object: StoreObject): readonly string[] {
  switch (object.kind) {
    case 'cluster':
      return ['cluster'];
    case 'node':
      return [`node/index/${object.index}`];
    case 'service':
      return [
        `service/name/${object.spec.name.toLowerCase()}`,
        ...(object.endpoint?.virtualIps ?? []).flatMap(({ networkId, address, address6 }) =>
          [address, ...(address6 === undefined ? [] : [address6])].map((one) => addressClaim(networkId, one)),
        ),
        ...(object.endpoint?.ports ?? [])
          .filter((port) => port.publishMode === 'ingress' && port.publishedPort)
          .map((port) => ingressPortClaim(port.protocol, port.publishedPort ?? 0)),
      ];
    case 'task':
      // A task that will never run again has given its addresses back.
      if (isTerminal(object.status.state)) return [];
      return object.networks.flatMap((attachment) => attachment.addresses.map((address) => addressClaim(attachment.networkId, address)));
    case 'network':
      return [
        `network/name/${object.spec.name.toLowerCase()}`,
        ...(object.spec.ingress ? ['network/ingress'] : []),
        ...(object.state?.vxlanId === undefined ? [] : [`vxlan/${object.state.vxlanId}`]),
      ];
    case 'secret':
      return [`secret/name/${object.spec.name.toLowerCase()}`];
    case 'config':
      return [`config/name/${object.spec.name.toLowerCase()}`];
  }
}

/** The claim on an address (CIDR form or bare) of a network. */
export function addressClaim(networkId: string, address: string): string {
  return `address/${networkId}/${address.split('/')[0]}`;
}

export function ingressPortClaim(protocol: string, publishedPort: number): string {
  return `port/${protocol}/${publishedPort}`;
}
