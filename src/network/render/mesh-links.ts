// The mesh between the nodes for published ports: one VXLAN device in the host's namespace with an address per node, and per other node a routing
// table that leads answers back to it. There is none while the swarm has one node.
import type { Mesh } from '../desired-host.ts';
import { hex, MARK_MASK, MARK_OWNER_MASK, meshAddress6Of, meshAddressOf, meshMacOf, nodeMark, type Names } from '../names.ts';
import { steps, type Step } from './commands.ts';
import { MESH_VXLAN_ID } from './host-nft.ts';
import type { ActualLink } from './overlay-links.ts';

export interface ActualMesh {
  readonly device?: ActualLink;
  readonly neighbours: ReadonlyMap<string, string>;
  readonly forwarding: ReadonlyMap<string, string>;
  /** Our policy routing rules: priority, mark and table as `ip rule` has them. */
  readonly rules: readonly { readonly priority: number; readonly mark: number; readonly table: string }[];
  /** Next hops of our routing tables, by table number. */
  readonly routes: ReadonlyMap<number, string>;
  /** Likewise of IPv6. */
  readonly six: Pick<ActualMesh, 'neighbours' | 'rules' | 'routes'>;
}

export function planMesh(mesh: Mesh | undefined, actual: ActualMesh, names: Names): readonly Step[] {
  const keep = mesh !== undefined && actual.device !== undefined && sameDevice(mesh, actual.device);
  const device = keep ? actual.device : undefined;
  const forwarding = keep ? actual.forwarding : new Map<string, string>();
  const four: Family = { addressOf: meshAddressOf, peers: (mesh?.peers ?? []).map(({ index }) => index), actual: keep ? actual : withoutDevice(actual) };
  const six: Family = { addressOf: meshAddress6Of, peers: mesh?.peers6 ?? [], actual: keep ? actual.six : withoutDevice(actual.six) };
  return steps(
    { tool: 'ip', lines: actual.device !== undefined && !keep ? [`link del ${names.meshDevice}`] : [] },
    { tool: 'ip', lines: mesh === undefined ? [] : deviceLines(mesh, device, names) },
    { tool: 'ip', lines: neighbourLines(four, names) },
    { tool: 'bridge', lines: forwardingLines(mesh, forwarding, names) },
    { tool: 'ip', lines: [...ruleLines(four, names), ...routeLines(four, names)] },
    { tool: 'ip', lines: neighbourLines(six, names) },
    { tool: 'ip', family: 6, lines: [...ruleLines(six, names), ...routeLines(six, names)] },
  );
}

/** What the mesh is in one family: who is in it, and what is there of it. */
interface Family {
  readonly addressOf: (index: number) => string;
  readonly peers: readonly number[];
  readonly actual: Pick<ActualMesh, 'neighbours' | 'rules' | 'routes'>;
}

/** Neighbours and routes went with the device that they led through. */
function withoutDevice({ rules }: Family['actual']): Family['actual'] {
  return { rules, neighbours: new Map(), routes: new Map() };
}

function deviceLines(mesh: Mesh, actual: ActualLink | undefined, names: Names): readonly string[] {
  const device = names.meshDevice;
  const address = `${meshAddressOf(mesh.index)}/16`;
  const address6 = `${meshAddress6Of(mesh.index)}/64`;
  const add6 = mesh.peers6 === undefined || actual?.addresses.includes(address6) ? [] : [`addr replace ${address6} dev ${device} nodad`];
  return [
    ...(actual === undefined
      ? [`link add ${device} address ${meshMacOf(mesh.index)} type vxlan id ${MESH_VXLAN_ID} dstport ${mesh.port} local ${mesh.localAddress} nolearning`]
      : []),
    ...(actual?.addresses.includes(address) ? [] : [`addr replace ${address} dev ${device}`]),
    ...add6,
    ...(actual?.mtu === mesh.mtu && actual.up ? [] : [`link set ${device} mtu ${mesh.mtu} up`]),
  ];
}

function neighbourLines({ addressOf, peers, actual: { neighbours } }: Family, names: Names): readonly string[] {
  const wanted = new Map(peers.map((index) => [addressOf(index), meshMacOf(index)]));
  return [
    ...[...neighbours.keys()].filter((address) => !wanted.has(address)).map((address) => `neigh del ${address} dev ${names.meshDevice}`),
    ...[...wanted]
      .filter(([address, mac]) => neighbours.get(address) !== mac)
      .map(([address, mac]) => `neigh replace ${address} lladdr ${mac} dev ${names.meshDevice} nud permanent`),
  ];
}

function forwardingLines(mesh: Mesh | undefined, actual: ReadonlyMap<string, string>, names: Names): readonly string[] {
  const wanted = new Map((mesh?.peers ?? []).map(({ index, nodeAddress }) => [meshMacOf(index), nodeAddress]));
  return [
    ...[...actual].filter(([mac]) => !wanted.has(mac)).map(([mac, node]) => `fdb del ${mac} dev ${names.meshDevice} dst ${node} self`),
    ...[...wanted]
      .filter(([mac, node]) => actual.get(mac) !== node)
      .map(([mac, node]) => `fdb replace ${mac} dev ${names.meshDevice} dst ${node} self permanent`),
  ];
}

/**
 * Marked packets go back to the node they came through. What this machine itself sends is excepted first: an encapsulated packet inherits the mark
 * of the one inside and would be led into the mesh again.
 */
function ruleLines({ peers: indexes, actual: { rules } }: Family, names: Names): readonly string[] {
  const peers = indexes.map((index) => nodeMark(names, index));
  const hasException = rules.some(({ priority }) => priority === names.rulePriority.exception);
  const present = new Set(rules.filter(({ priority }) => priority === names.rulePriority.nodes).map(({ mark }) => mark));
  const exception = `pref ${names.rulePriority.exception} iif lo fwmark ${hex(names.mark)}/${hex(MARK_OWNER_MASK)} lookup main`;
  return [
    ...(peers.length > 0 && !hasException ? [`rule add ${exception}`] : []),
    ...[...present].filter((mark) => !peers.includes(mark)).map((mark) => `rule del ${nodeRule(mark, names)}`),
    ...peers.filter((mark) => !present.has(mark)).map((mark) => `rule add ${nodeRule(mark, names)}`),
    ...(peers.length === 0 && hasException ? [`rule del ${exception}`] : []),
  ];
}

function nodeRule(mark: number, names: Names): string {
  return `pref ${names.rulePriority.nodes} fwmark ${hex(mark)}/${hex(MARK_MASK)} lookup ${mark}`;
}

function routeLines({ addressOf, peers, actual: { routes } }: Family, names: Names): readonly string[] {
  return peers
    .filter((index) => routes.get(nodeMark(names, index)) !== addressOf(index))
    .map((index) => `route replace default via ${addressOf(index)} dev ${names.meshDevice} table ${nodeMark(names, index)}`);
}

function sameDevice(mesh: Mesh, actual: ActualLink): boolean {
  return actual.tunnel?.localAddress === mesh.localAddress && actual.tunnel.port === mesh.port && actual.mac === meshMacOf(mesh.index);
}
