// From what the swarm says, what the agent says and what the engine asked for to what this node must program: values only. How the values become
// rules is in render/, how rules reach the kernel in kernel/. Everything is sorted, so that equal states give equal values.
import type { ClusterNetworkState, IngressPort, LocalNetworkState, NetworkNode, OverlayNetwork } from '#protocol/network-state.ts';
import type { SandboxSpec } from '#protocol/sandbox.ts';

/** A network that the engine has made with our driver. The engine tells of it once; it is kept in the state directory. */
export interface DriverNetwork {
  readonly engineNetworkId: string;
  readonly networkId: string;
  readonly vxlanId: number;
  readonly mtu?: number;
  /** In CIDR form. */
  readonly gateways: readonly string[];
}

/** A task's namespace that we made, for engines without network drivers. */
export interface Sandbox extends SandboxSpec {
  /** On the gateway bridge, in CIDR form. */
  readonly gatewayAddress: string;
}

export interface NetworkInputs {
  readonly cluster: ClusterNetworkState;
  readonly local: LocalNetworkState;
  readonly driverNetworks: readonly DriverNetwork[];
  /** The machine's own IPv4 addresses with the MTU of their devices. */
  readonly hostAddresses: ReadonlyMap<string, { readonly mtu: number }>;
  readonly gatewaySubnets: readonly string[];
  readonly dataPathPort: number;
  /** Published on this node only, by running sandboxes. */
  readonly hostPorts?: readonly PublishedPort[];
}

/** One overlay network on this node. */
export interface Overlay {
  readonly vxlanId: number;
  readonly mtu: number;
  /** Addresses of the bridge in CIDR form: VIPs are reached, and answers to oneself come, through them. */
  readonly gateways: readonly string[];
  readonly virtualIps: readonly { readonly address: string; readonly backends: readonly string[] }[];
  /** Absent while the swarm has one node: then nothing leaves it. */
  readonly tunnel?: {
    readonly localAddress: string;
    readonly port: number;
    readonly remotes: readonly { readonly address: string; readonly nodeAddress: string }[];
  };
}

export interface PublishedPort {
  readonly protocol: IngressPort['protocol'];
  readonly publishedPort: number;
  /** Where connections go, each with the same share: containers here … */
  readonly local: readonly { readonly address: string; readonly port: number }[];
  /** … and other nodes, by their index, once per task there. */
  readonly remote: readonly { readonly index: number; readonly weight: number }[];
}

export interface Mesh {
  readonly index: number;
  readonly localAddress: string;
  readonly port: number;
  readonly mtu: number;
  readonly peers: readonly { readonly index: number; readonly nodeAddress: string }[];
}

/** What belongs into the host's own namespace. */
export interface Host {
  readonly ports: readonly PublishedPort[];
  readonly gatewaySubnets: readonly string[];
  /** Addresses on the gateway bridge of containers that are on internal networks only. */
  readonly withoutEgress: readonly string[];
  /** While a container is starting whose address is unknown and that must not get out: the addresses that are known. All others wait. */
  readonly known?: readonly string[];
  readonly mesh?: Mesh;
  /** Where the resolver really listens when another program has port 53 of every address. */
  readonly dnsPort?: number;
}

/** What VXLAN adds to a packet over IPv4. */
const VXLAN_OVERHEAD_BYTES = 50;
/** Docker's overlay has this MTU unless told otherwise. */
const DEFAULT_MTU = 1450;

/** The node that we are: the one whose data path address this machine has. */
export function ownNode({ cluster, hostAddresses }: Pick<NetworkInputs, 'cluster' | 'hostAddresses'>): NetworkNode | undefined {
  return cluster.nodes.find((node) => hostAddresses.has(node.dataPathAddress));
}

export function deriveOverlays(inputs: NetworkInputs): readonly Overlay[] {
  const networks = new Map(inputs.cluster.networks.map((network) => [network.networkId, network]));
  const byVxlanId = new Map<number, DriverNetwork>();
  for (const network of inputs.driverNetworks) if (!byVxlanId.has(network.vxlanId)) byVxlanId.set(network.vxlanId, network);
  return [...byVxlanId.values()].sort((a, b) => a.vxlanId - b.vxlanId).map((driver) => overlayOf(driver, networks.get(driver.networkId), inputs));
}

function overlayOf(driver: DriverNetwork, network: OverlayNetwork | undefined, inputs: NetworkInputs): Overlay {
  const tunnel = network === undefined ? undefined : tunnelOf(network, inputs);
  return {
    vxlanId: driver.vxlanId,
    mtu: driver.mtu ?? network?.mtu ?? defaultMtu(inputs),
    gateways: driver.gateways,
    virtualIps: virtualIpsOf(driver.networkId, inputs.cluster),
    ...(tunnel === undefined ? {} : { tunnel }),
  };
}

function virtualIpsOf(networkId: string, { services }: ClusterNetworkState): Overlay['virtualIps'] {
  return services
    .flatMap(({ networkId: of, virtualIp, backends }) =>
      of === networkId && virtualIp !== undefined ? [{ address: virtualIp, backends: unique(backends.map(({ address }) => address)) }] : [],
    )
    .sort((a, b) => compare(a.address, b.address));
}

function tunnelOf(network: OverlayNetwork, inputs: NetworkInputs): Overlay['tunnel'] {
  const self = ownNode(inputs);
  // Traffic of an encrypted network never leaves in the clear: until there is encryption it does not leave at all.
  if (self === undefined || inputs.cluster.nodes.length < 2 || network.encrypted) return undefined;
  const nodes = new Map(inputs.cluster.nodes.map((node) => [node.nodeId, node.dataPathAddress]));
  const remotes = network.endpoints.flatMap(({ nodeId, address }) => {
    const nodeAddress = nodes.get(nodeId);
    return nodeAddress === undefined || nodeId === self.nodeId ? [] : [{ address, nodeAddress }];
  });
  return { localAddress: self.dataPathAddress, port: inputs.dataPathPort, remotes: remotes.sort((a, b) => compare(a.address, b.address)) };
}

/** `isGuarded`: containers are starting that must not get out and whose addresses are not known. */
export function deriveHost(inputs: NetworkInputs, isGuarded = false): Host {
  const mesh = meshOf(inputs);
  return {
    ports: portsOf(inputs, mesh),
    gatewaySubnets: [...inputs.gatewaySubnets].sort(),
    withoutEgress: withoutEgress(inputs),
    ...(isGuarded ? { known: unique(inputs.local.endpoints.flatMap(({ gatewayAddress }) => gatewayAddress ?? [])) } : {}),
    ...(mesh === undefined ? {} : { mesh }),
  };
}

function meshOf(inputs: NetworkInputs): Mesh | undefined {
  const self = ownNode(inputs);
  if (self === undefined || inputs.cluster.nodes.length < 2) return undefined;
  const peers = inputs.cluster.nodes.filter((node) => node !== self && node.dataPathAddress !== self.dataPathAddress);
  return {
    index: self.index,
    localAddress: self.dataPathAddress,
    port: inputs.dataPathPort,
    mtu: defaultMtu(inputs),
    peers: peers.map(({ index, dataPathAddress }) => ({ index, nodeAddress: dataPathAddress })).sort((a, b) => a.index - b.index),
  };
}

function portsOf({ cluster, local, hostPorts = [] }: NetworkInputs, mesh: Mesh | undefined): readonly PublishedPort[] {
  const gatewayAddresses = new Map(local.endpoints.map(({ taskId, gatewayAddress }) => [taskId, gatewayAddress]));
  const indexes = new Map(
    mesh === undefined ? [] : cluster.nodes.filter(({ index }) => mesh.peers.some((peer) => peer.index === index)).map((node) => [node.nodeId, node.index]),
  );
  const ports = cluster.ingress.map(({ protocol, publishedPort, targetPort, backends }) => {
    const weights = new Map<number, number>();
    for (const { nodeId } of backends) {
      const index = indexes.get(nodeId);
      if (index !== undefined) weights.set(index, (weights.get(index) ?? 0) + 1);
    }
    const addresses = unique(backends.flatMap(({ taskId }) => gatewayAddresses.get(taskId) ?? []));
    return {
      protocol,
      publishedPort,
      local: addresses.map((address) => ({ address, port: targetPort })),
      remote: [...weights].map(([index, weight]) => ({ index, weight })).sort((a, b) => a.index - b.index),
    };
  });
  const isTaken = (port: PublishedPort) => ports.some(({ protocol, publishedPort }) => protocol === port.protocol && publishedPort === port.publishedPort);
  return [...ports, ...hostPorts.filter((port) => !isTaken(port))].sort((a, b) => a.publishedPort - b.publishedPort || compare(a.protocol, b.protocol));
}

function withoutEgress({ cluster, local }: NetworkInputs): readonly string[] {
  const internal = new Set(cluster.networks.filter((network) => network.internal).map(({ networkId }) => networkId));
  return unique(
    local.endpoints.flatMap(({ gatewayAddress, networkIds }) =>
      gatewayAddress !== undefined && networkIds.length > 0 && networkIds.every((id) => internal.has(id)) ? [gatewayAddress] : [],
    ),
  );
}

/** The largest packet that fits into the underlay after encapsulation, but never more than everybody expects. */
function defaultMtu(inputs: NetworkInputs): number {
  const self = ownNode(inputs);
  const underlay = self === undefined ? undefined : inputs.hostAddresses.get(self.dataPathAddress)?.mtu;
  return underlay === undefined ? DEFAULT_MTU : Math.min(DEFAULT_MTU, underlay - VXLAN_OVERHEAD_BYTES);
}

function unique(values: readonly string[]): readonly string[] {
  return [...new Set(values)].sort(compare);
}

/** By bytes, not by locale: the same order everywhere. */
function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
