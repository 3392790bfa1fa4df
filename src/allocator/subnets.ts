// The subnets and gateways of one network in one address family: those that the user asked for, else the next of the cluster's pools. What is taken is
// what the other networks have.
import { DEFAULT_ADDRESS_POOL, DEFAULT_SUBNET_SIZE, IPV6_SUBNET_SIZE } from '#domain/defaults.ts';
import type { Cluster, Network, NetworkState } from '#domain/objects.ts';
import type { IpamPool } from '#domain/spec.ts';
import type { View } from '#domain/view.ts';
import { familyOf, formatIp, formatSubnet, type IpSubnet, lastAddress, parseCidr, subnetContains, subnetCovers, subnetSize, subnetsOverlap } from '#lib/ip.ts';
import { uniqueLocalPool } from '#lib/unique-local.ts';
import { ofFamily, usualForm } from './address-book.ts';

type Pool = NetworkState['pools'][number];
type Pools = { readonly pools: readonly Pool[] } | { readonly error: string };

// libnetwork's words.
const POOL_OVERLAPS = 'Pool overlaps with other one on this address space';
const noPool = (family: 4 | 6) => `could not find an available, non-overlapping IPv${family} address pool among the defaults to assign to the network`;

/** What the user asked for in a family. */
export function wishedPools(network: Network, family: 4 | 6): readonly IpamPool[] {
  return (network.spec.ipam?.configs ?? []).filter(({ subnet = '' }) => subnet !== '' && familyOf(subnet) === family);
}

export function subnetsFor(view: View, network: Network, others: readonly Network[], family: 4 | 6): Pools {
  const used = others.flatMap((other) => subnetsOf(other, family));
  const wished = wishedPools(network, family);
  if (wished.length === 0) {
    const subnet = defaultSubnet(view, others, used, family);
    return subnet === undefined ? { error: noPool(family) } : { pools: [poolOf(network, subnet, {})] };
  }
  const pools: Pool[] = [];
  for (const config of wished) {
    const subnet = parseCidr(config.subnet ?? '')?.subnet;
    if (subnet === undefined) return { error: `invalid subnet ${config.subnet}` };
    if (used.some((other) => subnetsOverlap(other, subnet))) return { error: POOL_OVERLAPS };
    used.push(subnet);
    pools.push(poolOf(network, subnet, config));
  }
  return { pools };
}

function subnetsOf(network: Network, family: 4 | 6): readonly IpSubnet[] {
  return (network.state?.pools ?? []).flatMap(({ subnet: text }) => {
    const subnet = parseCidr(text)?.subnet;
    return subnet?.family === family ? [subnet] : [];
  });
}

/** Serial: behind the highest default subnet in use, then the first gap. */
function defaultSubnet(view: View, others: readonly Network[], used: readonly IpSubnet[], family: 4 | 6): IpSubnet | undefined {
  const [cluster] = view.list('cluster');
  const prefix = family === 4 ? cluster?.subnetSize || DEFAULT_SUBNET_SIZE : IPV6_SUBNET_SIZE;
  const defaults = defaultPools(cluster, family);
  const given = others.filter((other) => wishedPools(other, family).length === 0).flatMap((other) => subnetsOf(other, family));
  for (const pool of defaults) {
    const highest = given.reduce((max, subnet) => (subnetCovers(pool, subnet) && lastAddress(subnet) >= max ? lastAddress(subnet) + 1n : max), pool.base);
    const found = firstFree(pool, prefix, used, highest);
    if (found) return found;
  }
  for (const pool of defaults) {
    const found = firstFree(pool, prefix, used, pool.base);
    if (found) return found;
  }
  return undefined;
}

function defaultPools(cluster: Cluster | undefined, family: 4 | 6): readonly IpSubnet[] {
  const subnets = (texts: readonly string[]) => texts.flatMap((text) => parseCidr(text)?.subnet ?? []);
  const configured = subnets(ofFamily(cluster?.defaultAddressPools ?? [], family));
  return configured.length > 0 ? configured : family === 4 ? subnets([DEFAULT_ADDRESS_POOL]) : [uniqueLocalPool(cluster?.id ?? '')];
}

/** The first subnet at or behind `from` that overlaps none in use; jumps over those in use rather than trying each address. */
function firstFree(pool: IpSubnet, prefix: number, used: readonly IpSubnet[], from: bigint): IpSubnet | undefined {
  const wanted = { family: pool.family, prefix: Math.max(prefix, pool.prefix) };
  const size = subnetSize(wanted);
  const roundUp = (address: bigint) => ((address + size - 1n) / size) * size;
  for (let base = roundUp(from); base + size - 1n <= lastAddress(pool); ) {
    const candidate = { ...wanted, base };
    const obstacle = used.find((subnet) => subnetsOverlap(subnet, candidate));
    if (obstacle === undefined) return candidate;
    base = roundUp(lastAddress(obstacle) + 1n);
  }
  return undefined;
}

function poolOf(network: Network, subnet: IpSubnet, { gateway, range }: IpamPool): Pool {
  const rangeSubnet = range ? parseCidr(range)?.subnet : undefined;
  return {
    subnet: formatSubnet(subnet),
    gateway: gateway ? usualForm(gateway) : defaultGateway(network, subnet, rangeSubnet ?? subnet),
    ...(rangeSubnet === undefined ? {} : { range: formatSubnet(rangeSubnet) }),
  };
}

/** The first address of the range that is nobody else's, as libnetwork takes it. */
function defaultGateway(network: Network, { family, ...subnet }: IpSubnet, range: IpSubnet): string {
  const reserved = new Set((network.spec.ipam?.configs ?? []).flatMap((config) => Object.values(config.reserved ?? {}).map(usualForm)));
  const hasEdge = subnet.prefix <= (family === 4 ? 30 : 126);
  const first = range.base === subnet.base && hasEdge ? range.base + 1n : range.base;
  for (let value = first; value <= lastAddress(range); value++) {
    const address = formatIp({ family, value });
    if (!reserved.has(address) && subnetContains({ family, ...subnet }, { family, value })) return address;
  }
  return formatIp({ family, value: first });
}
