// From what the swarm says, what the agent says and what the engine asked for to what this node must program: values only. How the values become
// rules is in render/, how rules reach the kernel in kernel/. Everything is sorted, so that equal states give equal values. Overlays are here, the host's
// own namespace is in desired-host.ts.
import type { ClusterNetworkState, LocalNetworkState, NetworkNode, OverlayNetwork } from '#protocol/network-state.ts';
import type { SandboxSpec } from '#protocol/sandbox.ts';
import { familyOf, parseIp } from '#lib/ip.ts';
import type { PublishedPort } from './desired-host.ts';
import { encryptionAddressOf } from './names.ts';

/** A network that the engine has made with our driver. The engine tells of it once; it is kept in the state directory. */
export interface DriverNetwork {
  readonly engineNetworkId: string;
  readonly networkId: string;
  readonly vxlanId: number;
  readonly mtu?: number;
  /** Known before the swarm's state arrives, so that no interface is ever too large, and nothing leaves in the clear. */
  readonly encrypted?: true;
  /** In CIDR form. */
  readonly gateways: readonly string[];
}

/** A task's namespace that we made, for engines without network drivers. */
export interface Sandbox extends SandboxSpec {
  /** On the gateway bridge, in CIDR form. */
  readonly gatewayAddress: string;
  /** Likewise, where the bridge has IPv6. */
  readonly gatewayAddress6?: string;
}

export interface NetworkInputs {
  readonly cluster: ClusterNetworkState;
  readonly local: LocalNetworkState;
  readonly driverNetworks: readonly DriverNetwork[];
  /** The machine's own addresses with the MTU of their devices. */
  readonly hostAddresses: ReadonlyMap<string, { readonly mtu: number }>;
  readonly gatewaySubnets: readonly string[];
  /** Of IPv6; absent where the bridge has none, or nothing is forwarded from it. */
  readonly gatewaySubnets6?: readonly string[];
  readonly dataPathPort: number;
  /** This node's own WireGuard port; absent while it cannot encrypt. */
  readonly encryptionPort?: number;
  /** Published on this node only, by running sandboxes. */
  readonly hostPorts?: readonly PublishedPort[];
}

/** One overlay network on this node. */
export interface Overlay {
  readonly vxlanId: number;
  readonly mtu: number;
  /** Addresses of the bridge in CIDR form: VIPs are reached, and answers to oneself come, through them. */
  readonly gateways: readonly string[];
  readonly virtualIps: readonly VirtualAddress[];
  /** Those of IPv6; absent on networks without it. */
  readonly virtualIps6?: readonly VirtualAddress[];
  /** Addresses of tasks on nodes that are down, of both families: who speaks to them is told that nobody is there. */
  readonly lost?: readonly string[];
  /** Absent while the swarm has one node: then nothing leaves it. */
  readonly tunnel?: {
    readonly localAddress: string;
    readonly port: number;
    readonly remotes: readonly { readonly address: string; readonly address6?: string; readonly nodeAddress: string }[];
    /** The network is encrypted: the addresses above are those of the WireGuard mesh, and packets leave through its device or not at all. */
    readonly encrypted?: true;
  };
}

export interface VirtualAddress {
  readonly address: string;
  readonly backends: readonly string[];
}

/** The WireGuard mesh between the nodes, for all encrypted networks together. */
export interface Encryption {
  readonly index: number;
  readonly port: number;
  readonly mtu: number;
  readonly peers: readonly { readonly index: number; readonly publicKey: string; readonly endpoint: string }[];
}

/** What VXLAN adds to a packet over each family. */
const VXLAN_OVERHEAD_BYTES = { 4: 50, 6: 70 } as const;
/** What WireGuard adds at most, over IPv4 or IPv6. */
const WIREGUARD_OVERHEAD_BYTES = 80;
/** What IPv6 asks of every link (RFC 8200). */
const SMALLEST_IPV6_MTU = 1280;
/** Docker's overlay has this MTU unless told otherwise. */
const DEFAULT_MTU = 1450;
const USUAL_UNDERLAY_MTU = 1500;

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
  const encrypted = isEncrypted(driver, network);
  const tunnel = network === undefined ? undefined : tunnelOf(network, inputs, encrypted);
  const has6 = driver.gateways.some((gateway) => familyOf(gateway) === 6);
  const mtu = driver.mtu ?? network?.mtu ?? defaultMtu(inputs, encrypted);
  const services = inputs.cluster.services.filter(({ networkId }) => networkId === driver.networkId);
  const virtualIps = services.map(({ virtualIp, backends }) => ({ address: virtualIp, backends: backends.map(({ address }) => address) }));
  const virtualIps6 = services.map(({ virtualIp6, backends }) => ({ address: virtualIp6, backends: backends.flatMap(({ address6 }) => address6 ?? []) }));
  const lost = network === undefined ? [] : unique(endpointsAt(network, lostNodes(inputs)).flatMap(addressesOf));
  return {
    vxlanId: driver.vxlanId,
    // Where the underlay has no room for that much, what is around it travels in pieces.
    mtu: has6 ? Math.max(mtu, SMALLEST_IPV6_MTU) : mtu,
    gateways: driver.gateways,
    virtualIps: sortedVirtualIps(virtualIps),
    ...(has6 ? { virtualIps6: sortedVirtualIps(virtualIps6) } : {}),
    ...(lost.length === 0 ? {} : { lost }),
    ...(tunnel === undefined ? {} : { tunnel }),
  };
}

function sortedVirtualIps(all: readonly { readonly address: string | undefined; readonly backends: readonly string[] }[]): readonly VirtualAddress[] {
  return all
    .flatMap(({ address, backends }) => (address === undefined ? [] : [{ address, backends: unique(backends) }]))
    .sort((a, b) => compare(a.address, b.address));
}

/** Nodes that are down, but this one is there whatever the managers think. */
export function lostNodes(inputs: Pick<NetworkInputs, 'cluster' | 'hostAddresses'>): ReadonlySet<string> {
  const self = ownNode(inputs);
  return new Set(inputs.cluster.nodes.filter((node) => node.down === true && node !== self).map(({ nodeId }) => nodeId));
}

function endpointsAt({ endpoints }: OverlayNetwork, nodes: ReadonlySet<string>): OverlayNetwork['endpoints'] {
  return nodes.size === 0 ? [] : endpoints.filter(({ nodeId }) => nodes.has(nodeId));
}

export function addressesOf({ address, address6 }: { readonly address: string; readonly address6?: string }): readonly string[] {
  return [address, ...(address6 === undefined ? [] : [address6])];
}

export function isEncrypted(driver: DriverNetwork, network: OverlayNetwork | undefined): boolean {
  return driver.encrypted === true || network?.encrypted === true;
}

function tunnelOf(network: OverlayNetwork, inputs: NetworkInputs, encrypted: boolean): Overlay['tunnel'] {
  const self = ownNode(inputs);
  // Traffic of an encrypted network never leaves in the clear: while there is no encryption it does not leave at all.
  if (self === undefined || inputs.cluster.nodes.length < 2 || (encrypted && inputs.encryptionPort === undefined)) return undefined;
  const addressOf = (node: NetworkNode) => (encrypted ? encryptionAddressOf(node.index) : node.dataPathAddress);
  const reachable = inputs.cluster.nodes.filter(encrypted ? canEncrypt : (node) => sharesFamily(node, self));
  const nodes = new Map(reachable.map((node) => [node.nodeId, addressOf(node)]));
  const remotes = network.endpoints.flatMap(({ nodeId, address, address6 }) => {
    const nodeAddress = nodes.get(nodeId);
    return nodeAddress === undefined || nodeId === self.nodeId ? [] : [{ address, ...(address6 === undefined ? {} : { address6 }), nodeAddress }];
  });
  return {
    localAddress: addressOf(self),
    port: inputs.dataPathPort,
    remotes: remotes.sort((a, b) => compare(a.address, b.address)),
    ...(encrypted ? { encrypted } : {}),
  };
}

/** One VXLAN device speaks one family: nodes whose data path is of the other are out of reach. */
export function sharesFamily(a: NetworkNode, b: NetworkNode): boolean {
  return familyOf(a.dataPathAddress) === familyOf(b.dataPathAddress);
}

/** Only what has the form of a key and an address gets into WireGuard's configuration: a node says of itself what these are. */
function canEncrypt({ encryption }: NetworkNode): boolean {
  if (encryption === undefined || !/^[A-Za-z0-9+/]{43}=$/.test(encryption.publicKey)) return false;
  const [, six, four] = /^(?:\[([0-9a-f:.]+)\]|([0-9.]+)):[0-9]{1,5}$/.exec(encryption.endpoint) ?? [];
  return parseIp(six ?? four ?? '') !== undefined;
}

/** Undefined while no encrypted network of this node reaches beyond it: then there is neither device nor process. */
export function deriveEncryption(inputs: NetworkInputs): Encryption | undefined {
  const self = ownNode(inputs);
  const port = inputs.encryptionPort;
  if (self === undefined || port === undefined || !deriveOverlays(inputs).some(({ tunnel }) => tunnel?.encrypted)) return undefined;
  const peers = inputs.cluster.nodes.flatMap((node) => {
    const { index, encryption } = node;
    return encryption === undefined || node.nodeId === self.nodeId || !canEncrypt(node) ? [] : [{ index, ...encryption }];
  });
  return { index: self.index, port, mtu: underlayMtu(inputs) - WIREGUARD_OVERHEAD_BYTES, peers: peers.sort((a, b) => a.index - b.index) };
}

/** The largest packet that fits into the underlay after encapsulation, but never more than everybody expects. */
export function defaultMtu(inputs: NetworkInputs, encrypted = false): number {
  // Inside of WireGuard, VXLAN has IPv4 in any case.
  const overhead = encrypted ? VXLAN_OVERHEAD_BYTES[4] + WIREGUARD_OVERHEAD_BYTES : VXLAN_OVERHEAD_BYTES[familyOf(ownNode(inputs)?.dataPathAddress ?? '')];
  return Math.min(DEFAULT_MTU, underlayMtu(inputs) - overhead);
}

function underlayMtu(inputs: NetworkInputs): number {
  const self = ownNode(inputs);
  return (self && inputs.hostAddresses.get(self.dataPathAddress)?.mtu) ?? USUAL_UNDERLAY_MTU;
}

export function unique(values: readonly string[]): readonly string[] {
  return [...new Set(values)].sort(compare);
}

/** By bytes, not by locale: the same order everywhere. */
export function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
