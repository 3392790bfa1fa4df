// Which tracked connections have lost their other end between two states: pure comparison.
import { addressesOf, lostNodes, ownNode, type NetworkInputs } from '../desired.ts';
import { meshAddress6Of, meshAddressOf, type Names } from '../names.ts';

/** What connections may have been translated to: what is on nodes that are down is gone. */
export interface Facts {
  /** Per overlay namespace, the addresses of all tasks. */
  readonly tasks: ReadonlyMap<string, ReadonlySet<string>>;
  /** In the host's namespace: containers' addresses on the gateway bridge, other nodes' mesh addresses. */
  readonly host: ReadonlySet<string>;
  readonly udpPorts: ReadonlySet<number>;
}

export interface Stale {
  readonly answeredBy: readonly { readonly namespace: string | undefined; readonly addresses: readonly string[] }[];
  readonly udpPorts: readonly number[];
}

export function factsOf({ cluster, local, driverNetworks, hostAddresses }: NetworkInputs, names: Names): Facts {
  const vxlanIds = new Set(driverNetworks.map(({ vxlanId }) => vxlanId));
  const self = ownNode({ cluster, hostAddresses });
  const lost = lostNodes({ cluster, hostAddresses });
  return {
    tasks: new Map(
      cluster.networks
        .filter(({ vxlanId }) => vxlanIds.has(vxlanId))
        .map(({ vxlanId, endpoints }) => [names.namespace(vxlanId), new Set(endpoints.filter(({ nodeId }) => !lost.has(nodeId)).flatMap(addressesOf))]),
    ),
    host: new Set([
      ...local.endpoints.flatMap(({ gatewayAddress, gatewayAddress6 }) => [gatewayAddress, gatewayAddress6].filter((address) => address !== undefined)),
      ...cluster.nodes
        .filter((node) => node !== self && !lost.has(node.nodeId))
        .flatMap(({ index, publishes6 }) => [meshAddressOf(index), ...(publishes6 ? [meshAddress6Of(index)] : [])]),
    ]),
    udpPorts: new Set(cluster.ingress.filter(({ protocol }) => protocol === 'udp').map(({ publishedPort }) => publishedPort)),
  };
}

/** Without `before`, nothing is known to be gone. */
export function findStale(before: Facts | undefined, after: Facts): Stale {
  if (before === undefined) return { answeredBy: [], udpPorts: [] };
  const gone = [...before.tasks].flatMap(([namespace, addresses]) => {
    const now = after.tasks.get(namespace);
    // A namespace without tasks in the state has none here, or is gone as a whole.
    return now === undefined ? [] : [{ namespace, addresses: without(addresses, now) }];
  });
  return {
    answeredBy: [...gone, { namespace: undefined, addresses: without(before.host, after.host) }].filter(({ addresses }) => addresses.length > 0),
    udpPorts: without(after.udpPorts, before.udpPorts),
  };
}

function without<T>(values: ReadonlySet<T>, others: ReadonlySet<T>): readonly T[] {
  return [...values].filter((value) => !others.has(value));
}
