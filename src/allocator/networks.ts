// Networks: their subnets, gateways and VXLAN ids. What is taken is what the networks of the view have; two networks never overlap.
import type { Network, NetworkState } from '#domain/objects.ts';
import type { IpamPool } from '#domain/spec.ts';
import { DEFAULT_ADDRESS_POOL, DEFAULT_SUBNET_SIZE } from '#domain/defaults.ts';
import type { View } from '#domain/view.ts';
import {
  formatIpv4,
  formatIpv4Subnet,
  type Ipv4Subnet,
  ipv4SubnetContains,
  ipv4SubnetCovers,
  ipv4SubnetsOverlap,
  lastIpv4,
  parseIpv4,
  parseIpv4Cidr,
} from '#lib/ip.ts';
import type { Round } from './round.ts';

/** SwarmKit's: the ingress network of a new swarm has 4096; here the mesh between nodes has it always, so no other network ever gets it. */
const INGRESS_VXLAN_ID = 4096;
const LAST_VXLAN_ID = 2 ** 24 - 1;
const VXLAN_OPTION = 'com.docker.network.driver.overlay.vxlanid_list';

// libnetwork's words.
const POOL_OVERLAPS = 'Pool overlaps with other one on this address space';
const NO_POOL = 'could not find an available, non-overlapping IPv4 address pool among the defaults to assign to the network';

/** Gives a network what it lacks, or writes why it cannot have it. */
export function allocateNetwork(round: Round, network: Network): void {
  if (network.state !== undefined) return;
  const result = stateFor(round, network);
  if ('error' in result) {
    if (network.allocationError !== result.error) round.changeNetwork({ ...network, allocationError: result.error });
    return;
  }
  const { allocationError: _solved, ...rest } = network;
  round.changeNetwork({ ...rest, state: result });
}

/** Those with wishes first, then in the order in which they were made: a default must not take what somebody asked for. */
export function byUrgency(a: Network, b: Network): number {
  return Number(b.spec.ingress) - Number(a.spec.ingress) || Number(hasWishes(b)) - Number(hasWishes(a)) || a.createdAt - b.createdAt || (a.id < b.id ? -1 : 1);
}

function hasWishes(network: Network): boolean {
  return wishedPools(network).length > 0;
}

/** Pools with an IPv4 subnet. As Docker's swarm, tasks get no IPv6 addresses; such pools are kept in the spec only. */
function wishedPools(network: Network): readonly IpamPool[] {
  return (network.spec.ipam?.configs ?? []).filter(({ subnet }) => subnet !== undefined && subnet !== '' && !subnet.includes(':'));
}

type Result = NetworkState | { readonly error: string };

function stateFor(round: Round, network: Network): Result {
  const name = network.spec.driver?.name || 'overlay';
  const options = network.spec.driver?.options;
  // Networks of the engine's own drivers (bridge, host, macvlan …) exist on each node for itself.
  if (name !== 'overlay') return { driver: { name, ...(options === undefined ? {} : { options }) }, pools: [] };
  const others = round.networks().filter((other) => other.id !== network.id);
  const pools = poolsFor(round.view, network, others);
  if ('error' in pools) return pools;
  const vxlanId = vxlanIdFor(network, others);
  if (vxlanId === undefined) return { error: 'could not assign vxlan id: requested bit is already allocated' };
  return { driver: { name, options: { ...options, [VXLAN_OPTION]: String(vxlanId) } }, vxlanId, pools: pools.pools };
}

function vxlanIdFor(network: Network, others: readonly Network[]): number | undefined {
  const used = new Set(others.map((other) => other.state?.vxlanId));
  const wished = Number(network.spec.driver?.options?.[VXLAN_OPTION] || Number.NaN);
  if (!Number.isNaN(wished))
    return Number.isInteger(wished) && wished > 0 && wished <= LAST_VXLAN_ID && wished !== INGRESS_VXLAN_ID && !used.has(wished) ? wished : undefined;
  if (network.spec.ingress && !used.has(INGRESS_VXLAN_ID)) return INGRESS_VXLAN_ID;
  // Serial: behind the highest, so that the id of a removed network rests for a while.
  const highest = others.reduce((max, other) => Math.max(max, isSerial(other) ? (other.state?.vxlanId ?? 0) : 0), INGRESS_VXLAN_ID);
  for (let id = highest + 1; id <= LAST_VXLAN_ID; id++) if (!used.has(id)) return id;
  for (let id = INGRESS_VXLAN_ID + 1; id <= highest; id++) if (!used.has(id)) return id;
  return undefined;
}

function isSerial(network: Network): boolean {
  return network.spec.driver?.options?.[VXLAN_OPTION] === undefined;
}

type Pools = { readonly pools: NetworkState['pools'] } | { readonly error: string };

function poolsFor(view: View, network: Network, others: readonly Network[]): Pools {
  const used = others.flatMap((other) => subnetsOf(other));
  const wished = wishedPools(network);
  if (wished.length === 0) {
    const subnet = defaultSubnet(view, others, used);
    return subnet === undefined ? { error: NO_POOL } : { pools: [poolOf(network, subnet, network.spec.ipam?.configs[0] ?? {})] };
  }
  const pools: NetworkState['pools'][number][] = [];
  for (const config of wished) {
    const subnet = parseIpv4Cidr(config.subnet ?? '')?.subnet;
    if (subnet === undefined) return { error: `invalid subnet ${config.subnet}` };
    if (used.some((other) => ipv4SubnetsOverlap(other, subnet))) return { error: POOL_OVERLAPS };
    used.push(subnet);
    pools.push(poolOf(network, subnet, config));
  }
  return { pools };
}

function subnetsOf(network: Network): readonly Ipv4Subnet[] {
  return (network.state?.pools ?? []).flatMap(({ subnet }) => parseIpv4Cidr(subnet)?.subnet ?? []);
}

/** Serial: behind the highest default subnet in use, then the first gap. */
function defaultSubnet(view: View, others: readonly Network[], used: readonly Ipv4Subnet[]): Ipv4Subnet | undefined {
  const [cluster] = view.list('cluster');
  const prefix = cluster?.subnetSize || DEFAULT_SUBNET_SIZE;
  const configured = (cluster?.defaultAddressPools ?? []).flatMap((text) => parseIpv4Cidr(text)?.subnet ?? []);
  const defaults = configured.length > 0 ? configured : [parseIpv4Cidr(DEFAULT_ADDRESS_POOL)?.subnet ?? { base: 0, prefix: 8 }];
  const given = others.filter((other) => !hasWishes(other)).flatMap(subnetsOf);
  for (const pool of defaults) {
    const highest = given.reduce((max, subnet) => (ipv4SubnetCovers(pool, subnet) ? Math.max(max, lastIpv4(subnet) + 1) : max), pool.base);
    const found = firstFree(pool, prefix, used, highest);
    if (found) return found;
  }
  for (const pool of defaults) {
    const found = firstFree(pool, prefix, used, pool.base);
    if (found) return found;
  }
  return undefined;
}

/** The first subnet at or behind `from` that overlaps none in use; jumps over those in use rather than trying each address. */
function firstFree(pool: Ipv4Subnet, prefix: number, used: readonly Ipv4Subnet[], from: number): Ipv4Subnet | undefined {
  const size = 2 ** (32 - Math.max(prefix, pool.prefix));
  for (let base = Math.ceil(from / size) * size; base + size - 1 <= lastIpv4(pool); ) {
    const candidate = { base, prefix: Math.max(prefix, pool.prefix) };
    const obstacle = used.find((subnet) => ipv4SubnetsOverlap(subnet, candidate));
    if (obstacle === undefined) return candidate;
    base = Math.ceil((lastIpv4(obstacle) + 1) / size) * size;
  }
  return undefined;
}

function poolOf(network: Network, subnet: Ipv4Subnet, { gateway, range }: IpamPool): NetworkState['pools'][number] {
  const rangeSubnet = range ? parseIpv4Cidr(range)?.subnet : undefined;
  return {
    subnet: formatIpv4Subnet(subnet),
    gateway: gateway || formatIpv4(defaultGateway(network, subnet, rangeSubnet ?? subnet)),
    ...(rangeSubnet === undefined ? {} : { range: formatIpv4Subnet(rangeSubnet) }),
  };
}

/** The first address of the range that is nobody else's, as libnetwork takes it. */
function defaultGateway(network: Network, subnet: Ipv4Subnet, range: Ipv4Subnet): number {
  const reserved = new Set((network.spec.ipam?.configs ?? []).flatMap((config) => Object.values(config.reserved ?? {}).map(parseIpv4)));
  const first = range.base === subnet.base && subnet.prefix <= 30 ? range.base + 1 : range.base;
  for (let address = first; address <= lastIpv4(range); address++) if (!reserved.has(address) && ipv4SubnetContains(subnet, address)) return address;
  return first;
}
