// The nftables rules of the host's namespace: published ports, and containers without a way out. A published port is answered by translating only
// the destination, first to a node, on that node to a container, so that the container sees the client's own address on every node.
import type { Host, Mesh, PublishedPort } from '../desired-host.ts';
import { familyOf } from '#lib/ip.ts';
import { hex, MARK_MASK, meshAddressOf, meshMacOf, nodeMark, type Names } from '../names.ts';
import { segmentClamp } from './segment-clamp.ts';

/** Addresses of this VXLAN id's device; user networks have other ids (they begin at 4097). */
export const MESH_VXLAN_ID = 4096;

/** Where Docker's engine has containers without a network of their own. */
const PLAIN_BRIDGE = 'docker0';
/** An IPv4 and a TCP header without options. */
const TCP_HEADERS_BYTES = 40;

/** The text for `nft -f` that replaces the table in one transaction; for nothing to do, the text that removes it. */
export function renderHostRules(host: Host, names: Names): string {
  const table = `table ip ${names.table}`;
  const remove = [`${table} {}`, `delete ${table}`];
  if (isIdle(host, names)) return [...remove, ''].join('\n');
  return [
    ...remove,
    `${table} {`,
    ...indent(1, [...host.ports.flatMap((port) => publishedChain(port, names)), ...(host.mesh ? host.ports.flatMap((port) => arrivedChain(port)) : [])]),
    ...indent(1, [...portMap('published', host.ports, 'port'), ...(host.mesh ? portMap('arrived', host.ports, 'arrived') : [])]),
    ...indent(1, [
      ...guardChain(names),
      ...encryptedChains(host, names),
      ...(host.mesh ? [...dataPathChain(host.mesh, names, 4), ...zoneAndMarkChains(host.mesh, names)] : []),
    ]),
    ...indent(1, [...translateChains(host, names), ...filterChains(host, names), ...sourceChain(host, names)]),
    '}',
    '',
  ].join('\n');
}

function isIdle({ ports, withoutEgress, known, mesh, dnsPort, gatewaySubnets, guarded }: Host, { ownsGateway }: Names): boolean {
  if (ownsGateway && gatewaySubnets.length > 0) return false;
  return ports.length === 0 && withoutEgress.length === 0 && known === undefined && mesh === undefined && dnsPort === undefined && guarded === undefined;
}

/** The first stage: in turn to the tasks here and the nodes that have more, each node as often as it has tasks. */
function publishedChain(port: PublishedPort, names: Names): readonly string[] {
  const remote = port.remote.flatMap(({ index, weight }) => Array.from({ length: weight }, () => `${meshAddressOf(index)} . ${port.publishedPort}`));
  return chain(`port_${key(port)}`, balance(port.protocol, [...targets(port), ...remote], `ct mark set ${hex(names.mark)} `));
}

/** The second stage, for what another node passed on: only to tasks here, so nothing goes round in circles. */
function arrivedChain(port: PublishedPort): readonly string[] {
  return chain(`arrived_${key(port)}`, balance(port.protocol, targets(port), ''));
}

function balance(protocol: string, choices: readonly string[], mark: string): readonly string[] {
  const [first] = choices;
  if (first === undefined) return ['meta l4proto tcp reject with tcp reset', 'reject'];
  const match = `meta l4proto ${protocol} ${mark}`;
  if (choices.length === 1) return [`${match}dnat to ${first.replace(' . ', ':')}`];
  return [`${match}dnat ip to numgen inc mod ${choices.length} map { ${choices.map((choice, index) => `${index} : ${choice}`).join(', ')} }`];
}

function targets({ local }: PublishedPort): readonly string[] {
  return local.map(({ address, port }) => `${address} . ${port}`);
}

export function portMap(name: string, ports: readonly PublishedPort[], chainPrefix: string): readonly string[] {
  const elements = ports.map((port) => `${port.protocol} . ${port.publishedPort} : goto ${chainPrefix}_${key(port)}`);
  return [`map ${name} {`, '  type inet_proto . inet_service : verdict;', ...(elements.length === 0 ? [] : [`  elements = { ${elements.join(', ')} };`]), '}'];
}

/** Containers may not talk to the host's 127.0.0.0/8, which route_localnet on their bridge would otherwise allow. */
function guardChain({ gatewayBridge }: Names): readonly string[] {
  return chain('guard', [
    'type filter hook prerouting priority -300; policy accept;',
    `iifname "${gatewayBridge}" ip daddr 127.0.0.0/8 drop`,
    `iifname "${gatewayBridge}" ip saddr 127.0.0.0/8 drop`,
  ]);
}

/** VXLAN packets of encrypted networks (the id is in the bits 96 to 119 after the IP header) neither come nor go but through the WireGuard mesh. */
function encryptedChains({ guarded }: Host, { encryptionDevice }: Names): readonly string[] {
  if (guarded === undefined) return [];
  const match = `udp dport ${guarded.port} @th,96,24 { ${guarded.vxlanIds.join(', ')} } drop`;
  return [
    ...chain('sealed_in', ['type filter hook prerouting priority -300; policy accept;', `iifname != "${encryptionDevice}" ${match}`]),
    ...chain('sealed_out', ['type filter hook output priority -150; policy accept;', `oifname != "${encryptionDevice}" ${match}`]),
  ];
}

/**
 * Containers send nothing to the nodes' data path. Whatever came from there with a node's address, into which theirs is translated, would be taken for a packet of
 * the network whose id it names, although they are not on that network.
 */
export function dataPathChain({ localAddress, port, peers }: Mesh, { gatewayBridge }: Names, family: 4 | 6): readonly string[] {
  const nodes = [localAddress, ...peers.map(({ nodeAddress }) => nodeAddress)].filter((address) => familyOf(address) === family);
  if (nodes.length === 0) return [];
  const to = `${family === 4 ? 'ip' : 'ip6'} daddr { ${[...new Set(nodes)].join(', ')} } udp dport ${port}`;
  return chain('data_path', ['type filter hook prerouting priority -300; policy accept;', `iifname { "${gatewayBridge}", "${PLAIN_BRIDGE}" } ${to} drop`]);
}

/** The same client port may reach us through two nodes: a conntrack zone per node keeps them apart, and a mark leads answers back to the right one. */
export function zoneAndMarkChains(mesh: Mesh, names: Names): readonly string[] {
  if (mesh.peers.length === 0) return [];
  const device = `"${names.meshDevice}"`;
  const zones = mesh.peers.map(({ index }) => `${meshMacOf(index)} : ${index}`).join(', ');
  const marks = mesh.peers.map(({ index }) => `${meshMacOf(index)} : ${hex(nodeMark(names, index))}`).join(', ');
  return [
    ...chain('zones', ['type filter hook prerouting priority -300; policy accept;', `iifname ${device} ct original zone set ether saddr map { ${zones} }`]),
    ...chain('marks', [
      'type filter hook prerouting priority -150; policy accept;',
      `iifname ${device} ct state new ct mark set ether saddr map { ${marks} }`,
      `iifname != ${device} ct direction reply ct mark and ${hex(MARK_MASK)} > ${hex(names.mark)} ct mark and ${hex(MARK_MASK)} <= ${hex(names.mark + 0xffff)} meta mark set ct mark and ${hex(MARK_MASK)}`,
    ]),
  ];
}

/** Every address of the node is published on, but not the resolver's: a service may publish port 53. */
function translateChains({ mesh, dnsPort }: Host, names: Names): readonly string[] {
  const lookup = `ip daddr != ${names.dnsAddress} fib daddr type local meta l4proto . th dport vmap @published`;
  const arrived = mesh ? [`iifname "${names.meshDevice}" ip daddr ${meshAddressOf(mesh.index)} meta l4proto . th dport vmap @arrived`] : [];
  const protocols = dnsPort === undefined ? [] : ['udp', 'tcp'];
  const resolver = protocols.map((protocol) => `ip daddr ${names.dnsAddress} ${protocol} dport 53 dnat to ${names.dnsAddress}:${dnsPort}`);
  return [
    ...chain('pre', [
      'type nat hook prerouting priority -110; policy accept;',
      ...resolver,
      ...arrived,
      `${mesh ? `iifname != "${names.meshDevice}" ` : ''}${lookup}`,
    ]),
    ...chain('out', ['type nat hook output priority -110; policy accept;', lookup]),
  ];
}

/**
 * Containers on internal networks only may answer who reached them, and ask the resolver; they begin nothing else. While one of them starts, its
 * address is unknown: then no unknown address begins anything.
 */
function filterChains({ withoutEgress, known, mesh }: Host, names: Names): readonly string[] {
  const clamp = mesh ? segmentClamp(names.meshDevice, mesh.mtu - TCP_HEADERS_BYTES) : [];
  const others = known === undefined || known.length === 0 ? '' : `ip saddr != { ${known.join(', ')} } `;
  const blocked = [
    ...(withoutEgress.length > 0 ? [{ match: `ip saddr { ${withoutEgress.join(', ')} } `, state: 'ct direction original' }] : []),
    ...(known === undefined ? [] : [{ match: `iifname "${names.gatewayBridge}" ${others}`, state: 'ct state new' }]),
  ];
  const bridge = `"${names.gatewayBridge}"`;
  // On a bridge of our own we do what Docker does on its: containers reach each other over published ports only.
  const separate = names.ownsGateway ? [`iifname ${bridge} oifname ${bridge} ct mark and ${hex(MARK_MASK)} != ${hex(names.mark)} drop`] : [];
  const through = [...clamp, ...separate, ...blocked.map(({ match, state }) => `${match}${state} drop`)];
  const into = blocked.map(({ match, state }) => `${match}ip daddr != ${names.dnsAddress} ${state} drop`);
  return [
    ...(through.length > 0 ? chain('through', ['type filter hook forward priority -150; policy accept;', ...through]) : []),
    ...(into.length > 0 ? chain('in', ['type filter hook input priority -150; policy accept;', ...into]) : []),
  ];
}

/** The three cases in which an answer would not find its way back past us without another source address. */
function sourceChain({ gatewaySubnets, mesh }: Host, names: Names): readonly string[] {
  const ours = `ct mark and ${hex(MARK_MASK)} == ${hex(names.mark)}`;
  const nodes = (mesh ? [mesh.localAddress, ...mesh.peers.map(({ nodeAddress }) => nodeAddress)] : []).filter((address) => familyOf(address) === 4);
  return chain('post', [
    'type nat hook postrouting priority 90; policy accept;',
    `ip saddr 127.0.0.0/8 oifname != "lo" ${ours} masquerade`,
    ...gatewaySubnets.map((subnet) => `ip saddr ${subnet} ip daddr ${subnet} ${ours} masquerade`),
    ...(names.ownsGateway ? gatewaySubnets.map((subnet) => `ip saddr ${subnet} oifname != "${names.gatewayBridge}" masquerade`) : []),
    ...(nodes.length > 0 ? [`ip saddr { ${[...new Set(nodes)].join(', ')} } oifname "${names.meshDevice}" ${ours} masquerade`] : []),
  ]);
}

export function chain(name: string, lines: readonly string[]): readonly string[] {
  return [`chain ${name} {`, ...indent(1, lines), '}'];
}

export function indent(depth: number, lines: readonly string[]): readonly string[] {
  return lines.map((line) => `${'  '.repeat(depth)}${line}`);
}

export function key({ protocol, publishedPort }: PublishedPort): string {
  return `${protocol}_${publishedPort}`;
}
