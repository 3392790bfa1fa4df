// Who may see which names: the zone of every container on this node, out of the swarm's network state. Names are those of the networks that a container
// is on, and no others. The name server itself is in dns/.
import type { ClusterNetworkState, LocalEndpoint, LocalNetworkState, NetworkService, OverlayNetwork } from '#protocol/network-state.ts';
import { familyOf } from '#lib/ip.ts';
import type { Zone } from './dns/zone.ts';

/** What one network's names stand for. Built once per state, because a service's start looks up many names. */
interface NetworkNames {
  readonly name: string;
  /** Lower-case name → addresses, all equals: each query begins the list elsewhere. */
  readonly forward: ReadonlyMap<string, readonly string[]>;
  readonly reverse: ReadonlyMap<string, string>;
}

export interface Zones {
  /** The zone of the container with this address on the gateway bridge; undefined when there is none (yet). */
  zoneFor(gatewayAddress: string): Zone | undefined;
}

/** Where lists begin; it outlives a state, so that a change does not favour the first. */
export interface Turn {
  position: number;
}

export function createZones(cluster: ClusterNetworkState, local: LocalNetworkState, turn: Turn): Zones {
  const endpoints = new Map<string, LocalEndpoint>();
  for (const endpoint of local.endpoints) if (endpoint.gatewayAddress !== undefined) endpoints.set(endpoint.gatewayAddress, endpoint);
  const overlays = new Map(cluster.networks.map((network) => [network.networkId, network]));
  const servicesByNetwork = Map.groupBy(cluster.services, ({ networkId }) => networkId);
  const built = new Map<string, NetworkNames>();
  const namesOf = (networkId: string): NetworkNames | undefined => {
    const overlay = overlays.get(networkId);
    if (overlay === undefined) return undefined;
    let names = built.get(networkId);
    if (names === undefined) {
      names = networkNames(overlay, servicesByNetwork.get(networkId) ?? []);
      built.set(networkId, names);
    }
    return names;
  };
  return {
    zoneFor(gatewayAddress) {
      const endpoint = endpoints.get(gatewayAddress);
      if (endpoint === undefined) return undefined;
      return zoneOf(
        endpoint.networkIds.flatMap((id) => namesOf(id) ?? []),
        turn,
      );
    },
  };
}

function zoneOf(networks: readonly NetworkNames[], turn: Turn): Zone {
  return {
    lookup(name) {
      for (const candidate of candidates(name, networks)) {
        const found = candidate.network.forward.get(candidate.name);
        if (found !== undefined) return rotate(found, turn);
      }
      return undefined;
    },
    reverse(address) {
      for (const { reverse } of networks) {
        const name = reverse.get(address);
        if (name !== undefined) return name;
      }
      return undefined;
    },
  };
}

/** The name as it is on every network, in order; then as "name.network" on the network that is meant. */
function* candidates(name: string, networks: readonly NetworkNames[]): Generator<{ readonly name: string; readonly network: NetworkNames }> {
  for (const network of networks) yield { name, network };
  for (const network of networks) {
    const suffix = `.${network.name}`;
    if (name.endsWith(suffix) && name.length > suffix.length) yield { name: name.slice(0, -suffix.length), network };
  }
}

/** The golden ratio as a fraction of 2^32: its multiples spread evenly, also every second or third of them (clients ask for A and AAAA in pairs). */
const STEP = 0x9e3779b9;

/** Each family by itself: an answer has those of one, which must all come first equally often. */
function rotate(addresses: readonly string[], turn: Turn): readonly string[] {
  if (addresses.length < 2) return addresses;
  turn.position = (turn.position + STEP) >>> 0;
  const share = turn.position / 2 ** 32;
  const turned = (family: readonly string[]) => {
    const start = Math.floor(share * family.length);
    return [...family.slice(start), ...family.slice(0, start)];
  };
  const six = addresses.filter((address) => familyOf(address) === 6);
  return six.length === 0 ? turned(addresses) : [...turned(addresses.filter((address) => familyOf(address) === 4)), ...turned(six)];
}

/** A service's own name goes before aliases, and both before containers' names. An alias of several services stands for all of them. */
function networkNames(network: OverlayNetwork, services: readonly NetworkService[]): NetworkNames {
  const own = new Map<string, readonly string[]>();
  const aliases = new Map<string, readonly string[]>();
  const containers = new Map<string, readonly string[]>();
  const reverse = new Map<string, string>();
  for (const service of services) {
    const tasks = service.backends.flatMap(bothOf);
    const virtual = [service.virtualIp, service.virtualIp6].filter((address) => address !== undefined);
    const addresses = virtual.length === 0 ? tasks : virtual;
    for (const [names, list] of [
      [[service.name], own],
      [service.aliases, aliases],
    ] as const) {
      for (const name of names) {
        append(list, name, addresses);
        append(list, `tasks.${name}`, tasks);
      }
    }
    for (const address of virtual) reverse.set(address, `${service.name}.${network.name}`);
  }
  for (const endpoint of network.endpoints) {
    const [first] = endpoint.names;
    for (const name of endpoint.names) append(containers, name, bothOf(endpoint));
    if (first !== undefined) for (const address of bothOf(endpoint)) reverse.set(address, `${first}.${network.name}`);
  }
  return { name: network.name.toLowerCase(), forward: new Map([...containers, ...aliases, ...own]), reverse };
}

/** An answer has those of the family that was asked for. */
function bothOf({ address, address6 }: { readonly address: string; readonly address6?: string }): readonly string[] {
  return address6 === undefined ? [address] : [address, address6];
}

/** Adds addresses to a name, sorted and once each. */
function append(list: Map<string, readonly string[]>, name: string, addresses: readonly string[]): void {
  const key = name.toLowerCase();
  list.set(key, [...new Set([...(list.get(key) ?? []), ...addresses])].sort());
}
