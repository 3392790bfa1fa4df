// The rules of the host's namespace for IPv6, where the gateway bridge has it: what host-nft.ts is for IPv4, with what differs. Published ports are answered
// the same way in two stages, so the container sees the client's own address on every node.
import type { Host, Host6, PublishedPort } from '../desired-host.ts';
import { hex, MARK_MASK, meshAddress6Of, type Names } from '../names.ts';
import { chain, indent, key, portMap, dataPathChain, zoneAndMarkChains } from './host-nft.ts';
import { segmentClamp } from './segment-clamp.ts';

/** An IPv6 and a TCP header without options. */
const TCP_HEADERS_BYTES = 60;

/**
 * Not published on: the loopback address, because the kernel takes nothing with it as a source to or from a device (the held ports' own sockets answer
 * there), and addresses of one link, which answers from a container would have to leave from.
 */
const LOCAL_ONLY = 'ip6 daddr != { ::1, fe80::/10 }';

/** The text for `nft -f` that replaces the table in one transaction; without IPv6, the text that removes it. */
export function renderHostRules6(host: Host, names: Names): string {
  const table = `table ip6 ${names.table}`;
  const remove = [`${table} {}`, `delete ${table}`];
  const { six, mesh } = host;
  if (six === undefined) return [...remove, ''].join('\n');
  const ports = host.ports.filter((port) => port.six !== undefined);
  const arrives = mesh?.peers6 !== undefined;
  return [
    ...remove,
    `${table} {`,
    ...indent(1, [...ports.flatMap((port) => publishedChain(port, names)), ...(arrives ? ports.flatMap(arrivedChain) : [])]),
    ...indent(1, [...portMap('published', ports, 'port'), ...(arrives ? portMap('arrived', ports, 'arrived') : [])]),
    ...indent(1, mesh === undefined ? [] : dataPathChain(mesh, names, 6)),
    ...indent(1, mesh === undefined ? [] : zoneAndMarkChains({ ...mesh, peers: mesh.peers.filter(({ index }) => mesh.peers6?.includes(index)) }, names)),
    ...indent(1, [...translateChains(host, names), ...filterChains(six, host, names), ...sourceChain(six, host, names)]),
    '}',
    '',
  ].join('\n');
}

interface Target {
  readonly address: string;
  readonly port: number;
}

function publishedChain(port: PublishedPort, names: Names): readonly string[] {
  const remote = (port.six?.remote ?? []).flatMap(({ index, weight }) =>
    Array.from({ length: weight }, () => ({ address: meshAddress6Of(index), port: port.publishedPort })),
  );
  return chain(`port_${key(port)}`, balance(port.protocol, [...(port.six?.local ?? []), ...remote], `ct mark set ${hex(names.mark)} `));
}

function arrivedChain(port: PublishedPort): readonly string[] {
  return chain(`arrived_${key(port)}`, balance(port.protocol, port.six?.local ?? [], ''));
}

function balance(protocol: string, choices: readonly Target[], mark: string): readonly string[] {
  const [first] = choices;
  if (first === undefined) return ['meta l4proto tcp reject with tcp reset', 'reject'];
  const match = `meta l4proto ${protocol} ${mark}`;
  if (choices.length === 1) return [`${match}dnat to [${first.address}]:${first.port}`];
  const map = choices.map(({ address, port }, index) => `${index} : ${address} . ${port}`).join(', ');
  return [`${match}dnat ip6 to numgen inc mod ${choices.length} map { ${map} }`];
}

function translateChains({ mesh }: Host, names: Names): readonly string[] {
  const lookup = `${LOCAL_ONLY} fib daddr type local meta l4proto . th dport vmap @published`;
  const device = `"${names.meshDevice}"`;
  const arrived = mesh?.peers6 === undefined ? [] : [`iifname ${device} ip6 daddr ${meshAddress6Of(mesh.index)} meta l4proto . th dport vmap @arrived`];
  return [
    ...chain('pre', ['type nat hook prerouting priority -110; policy accept;', ...arrived, `${mesh ? `iifname != ${device} ` : ''}${lookup}`]),
    ...chain('out', ['type nat hook output priority -110; policy accept;', lookup]),
  ];
}

/**
 * As for IPv4; and containers have an address of one link each that nobody has given them: from it they get nowhere, or those on internal networks
 * would get to this node. On the engine's bridge, too, containers reach each other over published ports only: not every engine sees to that for IPv6.
 */
function filterChains({ withoutEgress, known }: Host6, { mesh }: Host, names: Names): readonly string[] {
  const bridge = `"${names.gatewayBridge}"`;
  const clamp = mesh ? segmentClamp(names.meshDevice, mesh.mtu - TCP_HEADERS_BYTES) : [];
  const others = known === undefined || known.length === 0 ? '' : `ip6 saddr != { ${known.join(', ')} } `;
  const blocked = [
    `iifname ${bridge} ip6 saddr fe80::/10 meta l4proto != ipv6-icmp drop`,
    ...(withoutEgress.length > 0 ? [`ip6 saddr { ${withoutEgress.join(', ')} } ct direction original drop`] : []),
    ...(known === undefined ? [] : [`iifname ${bridge} ${others}ct state new drop`]),
  ];
  const separate = `iifname ${bridge} oifname ${bridge} meta l4proto != ipv6-icmp ct mark and ${hex(MARK_MASK)} != ${hex(names.mark)} drop`;
  return [
    ...chain('through', ['type filter hook forward priority -150; policy accept;', ...clamp, separate, ...blocked]),
    ...chain('in', ['type filter hook input priority -150; policy accept;', ...blocked]),
  ];
}

/** Where an answer would not find its way back past us; and what containers begin outside goes there under this node's address. */
function sourceChain({ gatewaySubnets }: Host6, { mesh }: Host, names: Names): readonly string[] {
  const ours = `ct mark and ${hex(MARK_MASK)} == ${hex(names.mark)}`;
  const nodes = (mesh ? [mesh.localAddress, ...mesh.peers.map(({ nodeAddress }) => nodeAddress)] : []).filter((address) => address.includes(':'));
  return chain('post', [
    'type nat hook postrouting priority 90; policy accept;',
    ...gatewaySubnets.map((subnet) => `ip6 saddr ${subnet} ip6 daddr ${subnet} ${ours} masquerade`),
    ...gatewaySubnets.map((subnet) => `ip6 saddr ${subnet} oifname != "${names.gatewayBridge}" masquerade`),
    // Whatever address this node uses, the other may have it, too.
    ...(mesh ? [`fib saddr type local oifname "${names.meshDevice}" ${ours} masquerade`] : []),
    ...(nodes.length > 0 ? [`ip6 saddr { ${[...new Set(nodes)].join(', ')} } oifname "${names.meshDevice}" ${ours} masquerade`] : []),
  ]);
}
