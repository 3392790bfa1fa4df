// An overlay namespace's devices, addresses, routes and forwarding entries: what it is against what it must be, as the commands between. A bridge
// joins the containers' veth ends and, when there are other nodes, a VXLAN device whose entries are all static: nothing is learned, nothing flooded.
import type { Overlay } from '../desired.ts';
import { macOf, type Names } from '../names.ts';
import { familyOf } from '#lib/ip.ts';
import { steps, type Step } from './commands.ts';

export const BRIDGE = 'br0';
export const TUNNEL = 'vxlan0';

export interface ActualLink {
  readonly name: string;
  readonly kind: string;
  readonly mtu: number;
  readonly up: boolean;
  readonly mac: string;
  readonly master?: string;
  readonly hairpin: boolean;
  /** In CIDR form. */
  readonly addresses: readonly string[];
  readonly tunnel?: { readonly vxlanId: number; readonly localAddress: string; readonly port: number };
}

export interface ActualOverlay {
  readonly links: readonly ActualLink[];
  /** Addresses that the namespace takes for its own because we said so. */
  readonly localRoutes: readonly string[];
  /** Static entries of the tunnel: task address → MAC, MAC → node address. */
  readonly neighbours: ReadonlyMap<string, string>;
  readonly forwarding: ReadonlyMap<string, string>;
}

/** What a namespace has right after it was made. */
export const EMPTY_OVERLAY: ActualOverlay = { links: [], localRoutes: [], neighbours: new Map(), forwarding: new Map() };

export function planOverlayLinks(overlay: Overlay, actual: ActualOverlay, names: Names): readonly Step[] {
  const namespace = names.namespace(overlay.vxlanId);
  const tunnel = actual.links.find(({ name }) => name === TUNNEL);
  const keepTunnel = tunnel !== undefined && overlay.tunnel !== undefined && sameTunnel(overlay, tunnel);
  const stale = tunnel !== undefined && !keepTunnel ? [`link del ${TUNNEL}`] : [];
  const entries = keepTunnel ? actual : EMPTY_OVERLAY;
  return steps(
    { tool: 'ip', namespace, lines: [...bridgeLines(overlay, actual), ...stale] },
    // Made from the host's namespace, so that its packets leave there, but never visible in it.
    { tool: 'ip', lines: keepTunnel ? [] : createTunnel(overlay, namespace, names) },
    { tool: 'ip', namespace, lines: [...tunnelLines(overlay, keepTunnel ? tunnel : undefined), ...portLines(overlay, actual), ...routeLines(overlay, actual)] },
    { tool: 'ip', namespace, lines: neighbourLines(overlay, entries) },
    { tool: 'bridge', namespace, lines: forwardingLines(overlay, entries) },
  );
}

function bridgeLines(overlay: Overlay, { links }: ActualOverlay): readonly string[] {
  const bridge = links.find(({ name }) => name === BRIDGE);
  const loopback = links.find(({ name }) => name === 'lo');
  const [gateway] = overlay.gateways;
  const mac = gateway === undefined ? '02:42:ff:ff:ff:01' : macOf(bare(gateway));
  const addresses = [...overlay.gateways, ...(overlay.virtualIps6 ?? []).map(({ address }) => `${address}/128`)];
  return [
    ...(loopback?.up ? [] : ['link set lo up']),
    ...(bridge === undefined ? [`link add ${BRIDGE} type bridge forward_delay 0${overlay.virtualIps6 === undefined ? '' : ' mcast_snooping 0'}`] : []),
    ...(bridge?.mac === mac ? [] : [`link set ${BRIDGE} address ${mac}`]),
    ...addresses.filter((address) => !bridge?.addresses.includes(address)).map((address) => `addr replace ${address} dev ${BRIDGE}${flagsOf(address)}`),
    ...(bridge?.addresses ?? []).filter((address) => !addresses.includes(address)).map((address) => `addr del ${address} dev ${BRIDGE}`),
    ...(bridge?.mtu === overlay.mtu ? [] : [`link set ${BRIDGE} mtu ${overlay.mtu}`]),
    ...(bridge?.up ? [] : [`link set ${BRIDGE} up`]),
  ];
}

/**
 * Neighbours are told of an IPv6 address only by the interface that has it, so the bridge has the virtual ones itself, and answers for them at once. It
 * never sends from them (they count as deprecated): that a task reaching itself sees the gateway is the rules' doing.
 */
function flagsOf(address: string): string {
  if (familyOf(address) === 4) return '';
  return address.endsWith('/128') ? ' nodad preferred_lft 0' : ' nodad';
}

/** Bound to the WireGuard device when the network is encrypted: when that goes, the tunnel goes with it, instead of sending by another way. */
function createTunnel({ tunnel, vxlanId }: Overlay, namespace: string, { encryptionDevice }: Names): readonly string[] {
  if (tunnel === undefined) return [];
  const through = tunnel.encrypted ? ` dev ${encryptionDevice}` : '';
  return [`link add ${TUNNEL} netns ${namespace} type vxlan id ${vxlanId} dstport ${tunnel.port} local ${tunnel.localAddress}${through} proxy nolearning`];
}

function tunnelLines(overlay: Overlay, actual: ActualLink | undefined): readonly string[] {
  if (overlay.tunnel === undefined) return [];
  const inOrder = actual?.master === BRIDGE && actual.mtu === overlay.mtu && actual.up;
  // It answers for neighbours, and has no business of its own.
  const quiet = overlay.virtualIps6 === undefined ? '' : ' addrgenmode none';
  return inOrder ? [] : [`link set ${TUNNEL} mtu ${overlay.mtu} master ${BRIDGE}${quiet} up`];
}

/** Every container's port sends back what came from it when it is meant for itself: a task may reach its own service. */
function portLines(overlay: Overlay, { links }: ActualOverlay): readonly string[] {
  const ports = links.filter(({ kind }) => kind === 'veth');
  return ports.flatMap(({ name, master, up, hairpin, mtu }) => [
    ...(mtu === overlay.mtu ? [] : [`link set ${name} mtu ${overlay.mtu}`]),
    ...(master === BRIDGE && up ? [] : [`link set ${name} master ${BRIDGE} up`]),
    ...(hairpin && master === BRIDGE ? [] : [`link set ${name} type bridge_slave hairpin on`]),
  ]);
}

/** The bridge answers for every virtual address, because the namespace takes them for its own. */
function routeLines({ virtualIps }: Overlay, { localRoutes }: ActualOverlay): readonly string[] {
  const wanted = virtualIps.map(({ address }) => address);
  return [
    ...localRoutes.filter((address) => !wanted.includes(address)).map((address) => `route del local ${address}/32 dev lo table local proto static`),
    ...wanted.filter((address) => !localRoutes.includes(address)).map((address) => `route replace local ${address}/32 dev lo table local proto static`),
  ];
}

function neighbourLines({ tunnel }: Overlay, { neighbours }: ActualOverlay): readonly string[] {
  const wanted = new Map(
    (tunnel?.remotes ?? []).flatMap(({ address, address6 }) =>
      [address, ...(address6 === undefined ? [] : [address6])].map((one) => [one, macOf(address)] as const),
    ),
  );
  return [
    ...[...neighbours.keys()].filter((address) => !wanted.has(address)).map((address) => `neigh del ${address} dev ${TUNNEL}`),
    ...[...wanted]
      .filter(([address, mac]) => neighbours.get(address) !== mac)
      .map(([address, mac]) => `neigh replace ${address} lladdr ${mac} dev ${TUNNEL} nud permanent`),
  ];
}

function forwardingLines({ tunnel }: Overlay, { forwarding }: ActualOverlay): readonly string[] {
  const wanted = new Map((tunnel?.remotes ?? []).map(({ address, nodeAddress }) => [macOf(address), nodeAddress]));
  return [
    ...[...forwarding].filter(([mac]) => !wanted.has(mac)).map(([mac, node]) => `fdb del ${mac} dev ${TUNNEL} dst ${node} self`),
    ...[...wanted].filter(([mac, node]) => forwarding.get(mac) !== node).map(([mac, node]) => `fdb replace ${mac} dev ${TUNNEL} dst ${node} self permanent`),
  ];
}

function sameTunnel({ vxlanId, tunnel }: Overlay, { tunnel: actual }: ActualLink): boolean {
  return actual?.vxlanId === vxlanId && actual.localAddress === tunnel?.localAddress && actual.port === tunnel.port;
}

function bare(address: string): string {
  return address.split('/', 1)[0] ?? address;
}
