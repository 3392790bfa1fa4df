// Reads what is in the kernel, as the planners want to see it. Only reads.
import { readdir, readFile } from 'node:fs/promises';
import { familyOf, formatSubnet, parseCidr } from '#lib/ip.ts';
import { GATEWAY_BRIDGE, MARK_OWNER_MASK, type Names } from '../names.ts';
import type { ActualMesh } from '../render/mesh-links.ts';
import { TUNNEL, type ActualLink, type ActualOverlay } from '../render/overlay-links.ts';
import { NAMESPACES, run, runOrThrow } from './run.ts';

interface AddrInfo {
  readonly family: string;
  readonly scope?: string;
  readonly local?: string;
  readonly prefixlen: number;
  readonly label?: string;
}

/** A line of `ip -d -j addr show`; only what is used here. */
interface AddrRow {
  readonly ifname?: string;
  readonly flags?: readonly string[];
  readonly mtu?: number;
  readonly address?: string;
  readonly master?: string;
  readonly linkinfo?: {
    readonly info_kind?: string;
    readonly info_data?: { readonly id?: number; readonly local?: string; readonly local6?: string; readonly port?: number };
    readonly info_slave_data?: { readonly hairpin?: boolean };
  };
  readonly addr_info?: readonly AddrInfo[];
}

export interface HostAddress {
  readonly device: string;
  readonly address: string;
  readonly label: string | undefined;
}

export interface HostLinks {
  readonly links: readonly ActualLink[];
  readonly addresses: ReadonlyMap<string, { readonly mtu: number }>;
  readonly labelled: readonly HostAddress[];
  readonly gatewaySubnets: readonly string[];
  /** None while the machine does not forward IPv6: nothing would get through. */
  readonly gatewaySubnets6: readonly string[];
}

export async function observeHostLinks(gatewayBridge = GATEWAY_BRIDGE): Promise<HostLinks> {
  const rows = await addrRows(undefined);
  const links = rows.flatMap(linkOf);
  const addresses = new Map(rows.flatMap((row) => lasting(row).map(({ local = '' }) => [local, { mtu: row.mtu ?? 0 }] as const)));
  const labelled = rows.flatMap((row) => ipv4(row).map(({ local = '', label }) => ({ device: row.ifname ?? '', address: local, label })));
  const gateway = links.find(({ name }) => name === gatewayBridge);
  const subnets = (gateway?.addresses ?? []).flatMap((cidr) => parseCidr(cidr)?.subnet ?? []);
  const ofFamily = (family: 4 | 6) => subnets.filter((subnet) => subnet.family === family).map(formatSubnet);
  const gatewaySubnets6 = (await forwards6()) ? ofFamily(6) : [];
  return { links, addresses, labelled, gatewaySubnets: ofFamily(4), gatewaySubnets6 };
}

/** A kernel without IPv6 has no such setting. */
export async function forwards6(): Promise<boolean> {
  const text = await readFile('/proc/sys/net/ipv6/conf/all/forwarding', 'utf8').catch(() => '0');
  return text.trim() === '1';
}

export async function observeOverlay(namespace: string): Promise<ActualOverlay> {
  const [rows, localRoutes] = await Promise.all([addrRows(namespace), localRoutesOf(namespace)]);
  const links = rows.flatMap(linkOf);
  const hasTunnel = links.some(({ name }) => name === TUNNEL);
  const [neighbours, forwarding] = hasTunnel
    ? await Promise.all([neighboursOf(TUNNEL, namespace), forwardingOf(TUNNEL, namespace)])
    : [new Map<string, string>(), new Map<string, string>()];
  return { links, localRoutes, neighbours, forwarding };
}

export async function observeMesh(names: Names, { links }: HostLinks): Promise<ActualMesh> {
  const device = links.find(({ name }) => name === names.meshDevice);
  const [rules, rules6] = await Promise.all([ourRules(names, 4), ourRules(names, 6)]);
  const nothing = { neighbours: new Map<string, string>(), routes: new Map<number, string>() };
  if (device === undefined) return { rules, ...nothing, forwarding: new Map(), six: { rules: rules6, ...nothing } };
  const [all, forwarding] = await Promise.all([neighboursOf(device.name), forwardingOf(device.name)]);
  const [routes, routes6] = await Promise.all([routesThrough(device.name, 4), routesThrough(device.name, 6)]);
  const neighbours = (family: 4 | 6) => new Map([...all].filter(([address]) => familyOf(address) === family));
  return { device, rules, neighbours: neighbours(4), forwarding, routes, six: { rules: rules6, neighbours: neighbours(6), routes: routes6 } };
}

/** The names of our overlay namespaces that exist. */
export async function observeNamespaces(names: Names): Promise<readonly string[]> {
  const all = await readdir(NAMESPACES).catch(() => []);
  return all.filter((name) => names.vxlanIdOf(name) !== undefined);
}

async function addrRows(namespace: string | undefined): Promise<readonly AddrRow[]> {
  return json<AddrRow>(await runOrThrow(['ip', ...inside(namespace), '-d', '-j', 'addr', 'show']));
}

function linkOf(row: AddrRow): readonly ActualLink[] {
  const { ifname, linkinfo } = row;
  if (ifname === undefined) return [];
  const data = linkinfo?.info_kind === 'vxlan' ? linkinfo.info_data : undefined;
  return [
    {
      name: ifname,
      kind: linkinfo?.info_kind ?? '',
      mtu: row.mtu ?? 0,
      up: row.flags?.includes('UP') ?? false,
      mac: row.address ?? '',
      ...(row.master === undefined ? {} : { master: row.master }),
      hairpin: linkinfo?.info_slave_data?.hairpin ?? false,
      addresses: lasting(row).map(({ local, prefixlen }) => `${local}/${prefixlen}`),
      ...(data === undefined ? {} : { tunnel: { vxlanId: data.id ?? 0, localAddress: data.local ?? data.local6 ?? '', port: data.port ?? 0 } }),
    },
  ];
}

function ipv4(row: AddrRow): readonly AddrInfo[] {
  return (row.addr_info ?? []).filter(({ family, local }) => family === 'inet' && local !== undefined);
}

/** Those of both families that somebody has given: the kernel gives itself one of IPv6 for each link. */
function lasting(row: AddrRow): readonly AddrInfo[] {
  return (row.addr_info ?? []).filter(({ family, scope, local }) => (family === 'inet' || (family === 'inet6' && scope !== 'link')) && local !== undefined);
}

async function localRoutesOf(namespace: string): Promise<readonly string[]> {
  // Fails in a namespace that has no address yet ("FIB table does not exist").
  const { code, stdout } = await run(['ip', ...inside(namespace), '-j', 'route', 'show', 'table', 'local', 'type', 'local', 'proto', 'static']);
  return code === 0 ? json<{ readonly dst?: string }>(stdout).flatMap(({ dst }) => (dst === undefined ? [] : [dst])) : [];
}

async function neighboursOf(device: string, namespace?: string): Promise<ReadonlyMap<string, string>> {
  const output = await runOrThrow(['ip', ...inside(namespace), '-j', 'neigh', 'show', 'dev', device, 'nud', 'permanent']);
  const rows = json<{ readonly dst?: string; readonly lladdr?: string }>(output);
  return new Map(rows.flatMap(({ dst, lladdr }) => (dst === undefined || lladdr === undefined ? [] : [[dst, lladdr] as const])));
}

async function forwardingOf(device: string, namespace?: string): Promise<ReadonlyMap<string, string>> {
  const output = await runOrThrow(['bridge', ...inside(namespace), '-j', 'fdb', 'show', 'dev', device]);
  const rows = json<{ readonly mac?: string; readonly dst?: string }>(output);
  return new Map(rows.flatMap(({ mac, dst }) => (mac === undefined || dst === undefined ? [] : [[mac, dst] as const])));
}

async function ourRules(names: Names, family: 4 | 6): Promise<ActualMesh['rules']> {
  const argv = ['ip', `-${family}`, '-j', 'rule', 'show'];
  // A kernel without IPv6 has no such rules.
  const output = family === 4 ? await runOrThrow(argv) : (await run(argv)).stdout;
  const rows = json<{ readonly priority?: number; readonly fwmark?: string; readonly table?: string }>(output);
  const ours: readonly number[] = Object.values(names.rulePriority);
  return rows
    .map(({ priority = 0, fwmark = '0', table = '' }) => ({ priority, mark: Number(fwmark), table }))
    .filter(({ priority, mark }) => ours.includes(priority) && (mark & MARK_OWNER_MASK) >>> 0 === names.mark);
}

async function routesThrough(device: string, family: 4 | 6): Promise<ReadonlyMap<number, string>> {
  // Fails when no table but main has a route yet ("FIB table does not exist").
  const { code, stdout } = await run(['ip', `-${family}`, '-j', 'route', 'show', 'table', 'all', 'dev', device]);
  if (code !== 0) return new Map();
  const rows = json<{ readonly dst?: string; readonly gateway?: string; readonly table?: string | number }>(stdout);
  return new Map(rows.flatMap(({ dst, gateway, table }) => (dst === 'default' && gateway !== undefined ? [[Number(table), gateway] as const] : [])));
}

function inside(namespace: string | undefined): readonly string[] {
  return namespace === undefined ? [] : ['-n', namespace];
}

/** iproute2 prints nothing at all for an empty list, and rows of `{}` for what a filter left out. */
function json<Row>(output: string): readonly Row[] {
  return output.trim() === '' ? [] : (JSON.parse(output) as readonly Row[]);
}
