// What belongs into the host's own namespace, out of the same inputs as desired.ts: published ports, the mesh, and who may not get out.
import type { IngressPort, LocalEndpoint, NetworkNode } from '#protocol/network-state.ts';
import { compare, defaultMtu, isEncrypted, type NetworkInputs, ownNode, sharesFamily, unique } from './desired.ts';

export interface PublishedPort {
  readonly protocol: IngressPort['protocol'];
  readonly publishedPort: number;
  /** Where connections go, each with the same share: containers here … */
  readonly local: readonly { readonly address: string; readonly port: number }[];
  /** … and other nodes, by their index, once per task there. */
  readonly remote: readonly { readonly index: number; readonly weight: number }[];
  /** Where connections over IPv6 go; absent while this node does not publish over it. */
  readonly six?: Pick<PublishedPort, 'local' | 'remote'>;
}

export interface Mesh {
  readonly index: number;
  readonly localAddress: string;
  readonly port: number;
  readonly mtu: number;
  readonly peers: readonly { readonly index: number; readonly nodeAddress: string }[];
  /** The peers that publish over IPv6; absent while this node does not. */
  readonly peers6?: readonly number[];
}

/** What belongs into the host's own namespace. */
export interface Host {
  /** Encrypted networks of this node: their VXLAN packets come from and go to the WireGuard mesh only, here on UDP port `port`. */
  readonly guarded?: { readonly vxlanIds: readonly number[]; readonly port: number };
  readonly ports: readonly PublishedPort[];
  readonly gatewaySubnets: readonly string[];
  /** Addresses on the gateway bridge of containers that are on internal networks only. */
  readonly withoutEgress: readonly string[];
  /** While a container is starting whose address is unknown and that must not get out: the addresses that are known. All others wait. */
  readonly known?: readonly string[];
  readonly mesh?: Mesh;
  /** The same for IPv6, where the gateway bridge has it. */
  readonly six?: Host6;
  /** Where the resolver really listens when another program has port 53 of every address. */
  readonly dnsPort?: number;
}

export interface Host6 {
  readonly gatewaySubnets: readonly string[];
  readonly withoutEgress: readonly string[];
  readonly known?: readonly string[];
}

/** Also while there is no tunnel yet: what others send in the clear never gets in. */
function guardedOf({ driverNetworks, cluster, dataPathPort }: NetworkInputs): Host['guarded'] {
  const networks = new Map(cluster.networks.map((network) => [network.networkId, network]));
  const encrypted = driverNetworks.filter((driver) => isEncrypted(driver, networks.get(driver.networkId)));
  const vxlanIds = [...new Set(encrypted.map(({ vxlanId }) => vxlanId))].sort((a, b) => a - b);
  return vxlanIds.length === 0 ? undefined : { vxlanIds, port: dataPathPort };
}

/** `isGuarded`: containers are starting that must not get out and whose addresses are not known. */
export function deriveHost(inputs: NetworkInputs, isGuarded = false): Host {
  const mesh = meshOf(inputs);
  const guarded = guardedOf(inputs);
  const { gatewaySubnets6 = [] } = inputs;
  const known = (addresses: (endpoint: LocalEndpoint) => string | undefined) =>
    isGuarded ? { known: unique(inputs.local.endpoints.flatMap((endpoint) => addresses(endpoint) ?? [])) } : {};
  return {
    ...(guarded === undefined ? {} : { guarded }),
    ports: portsOf(inputs, mesh),
    gatewaySubnets: [...inputs.gatewaySubnets].sort(),
    withoutEgress: withoutEgress(inputs, ({ gatewayAddress }) => gatewayAddress),
    ...known(({ gatewayAddress }) => gatewayAddress),
    ...(mesh === undefined ? {} : { mesh }),
    ...(gatewaySubnets6.length === 0
      ? {}
      : {
          six: {
            gatewaySubnets: [...gatewaySubnets6].sort(compare),
            withoutEgress: withoutEgress(inputs, ({ gatewayAddress6 }) => gatewayAddress6),
            ...known(({ gatewayAddress6 }) => gatewayAddress6),
          },
        }),
  };
}

function meshOf(inputs: NetworkInputs): Mesh | undefined {
  const self = ownNode(inputs);
  if (self === undefined || inputs.cluster.nodes.length < 2) return undefined;
  const peers = inputs.cluster.nodes.filter((node) => node !== self && node.dataPathAddress !== self.dataPathAddress && sharesFamily(node, self));
  return {
    index: self.index,
    localAddress: self.dataPathAddress,
    port: inputs.dataPathPort,
    mtu: defaultMtu(inputs),
    peers: peers.map(({ index, dataPathAddress }) => ({ index, nodeAddress: dataPathAddress })).sort((a, b) => a.index - b.index),
    ...(publishes6(inputs) ? { peers6: peers.flatMap(({ index, publishes6: does }) => (does ? [index] : [])).sort((a, b) => a - b) } : {}),
  };
}

function publishes6({ gatewaySubnets6 = [] }: NetworkInputs): boolean {
  return gatewaySubnets6.length > 0;
}

function portsOf(inputs: NetworkInputs, mesh: Mesh | undefined): readonly PublishedPort[] {
  const { cluster, local, hostPorts = [] } = inputs;
  const gatewayAddresses = new Map(local.endpoints.map(({ taskId, gatewayAddress }) => [taskId, gatewayAddress]));
  const gatewayAddresses6 = new Map(local.endpoints.map(({ taskId, gatewayAddress6 }) => [taskId, gatewayAddress6]));
  const peers = mesh?.peers.map(({ index }) => index) ?? [];
  const ports = cluster.ingress.map((port) => ({
    protocol: port.protocol,
    publishedPort: port.publishedPort,
    ...choicesOf(port, gatewayAddresses, indexesOf(cluster.nodes, peers)),
    ...(publishes6(inputs) ? { six: choicesOf(port, gatewayAddresses6, indexesOf(cluster.nodes, mesh?.peers6 ?? [])) } : {}),
  }));
  const isTaken = (port: PublishedPort) => ports.some(({ protocol, publishedPort }) => protocol === port.protocol && publishedPort === port.publishedPort);
  return [...ports, ...hostPorts.filter((port) => !isTaken(port))].sort((a, b) => a.publishedPort - b.publishedPort || compare(a.protocol, b.protocol));
}

function indexesOf(nodes: readonly NetworkNode[], wanted: readonly number[]): ReadonlyMap<string, number> {
  return new Map(nodes.filter(({ index }) => wanted.includes(index)).map(({ nodeId, index }) => [nodeId, index]));
}

function choicesOf(
  { backends, targetPort }: IngressPort,
  gatewayAddresses: ReadonlyMap<string, string | undefined>,
  indexes: ReadonlyMap<string, number>,
): Pick<PublishedPort, 'local' | 'remote'> {
  const weights = new Map<number, number>();
  for (const { nodeId } of backends) {
    const index = indexes.get(nodeId);
    if (index !== undefined) weights.set(index, (weights.get(index) ?? 0) + 1);
  }
  const addresses = unique(backends.flatMap(({ taskId }) => gatewayAddresses.get(taskId) ?? []));
  return {
    local: addresses.map((address) => ({ address, port: targetPort })),
    remote: [...weights].map(([index, weight]) => ({ index, weight })).sort((a, b) => a.index - b.index),
  };
}

function withoutEgress({ cluster, local }: NetworkInputs, addressOf: (endpoint: LocalEndpoint) => string | undefined): readonly string[] {
  const internal = new Set(cluster.networks.filter((network) => network.internal).map(({ networkId }) => networkId));
  return unique(
    local.endpoints.flatMap((endpoint) => {
      const { networkIds } = endpoint;
      const isShutIn = networkIds.length > 0 && networkIds.every((id) => internal.has(id));
      return isShutIn ? (addressOf(endpoint) ?? []) : [];
    }),
  );
}
