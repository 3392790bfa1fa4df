// Network specs. Checks and texts are the Docker daemon's and SwarmKit's (manager/controlapi/network.go).
import { AppError, rpcError } from '#lib/errors.ts';
import { familyOf, type IpSubnet, parseCidr, parseIp, subnetContains, subnetCovers, subnetsOverlap } from '#lib/ip.ts';
import { PREDEFINED_LABEL } from '../predefined-network.ts';
import type { IpamPool, NetworkSpec } from '../spec.ts';
import { validateAnnotations } from './annotations.ts';

/** Drivers that the swarm or every engine brings; there are no network plugins in a swarm's scope. */
const DRIVERS: ReadonlySet<string> = new Set(['overlay', 'bridge', 'host', 'null', 'macvlan', 'ipvlan']);

/** Throws AppError in Docker's words. */
export function validateNetworkSpec(spec: NetworkSpec): void {
  const driver = spec.driver?.name || 'overlay';
  for (const { subnet = '' } of spec.ipam?.configs ?? []) {
    if (subnet !== '' && parseCidr(subnet) === undefined) throw new AppError('invalidArgument', `Invalid subnet ${subnet} : invalid CIDR address: ${subnet}`);
  }
  if (spec.ingress && driver !== 'overlay') throw rpcError('unimplemented', 'only overlay driver is currently supported for ingress network');
  if (spec.attachable && spec.ingress) throw rpcError('invalidArgument', 'ingress network cannot be attachable');
  validateAnnotations(spec);
  if (Object.hasOwn(spec.labels, PREDEFINED_LABEL)) {
    throw rpcError('permissionDenied', `label ${PREDEFINED_LABEL} is for internally created predefined networks and cannot be applied by users`);
  }
  if (!DRIVERS.has(driver)) throw new AppError('notFound', `plugin "${driver}" not found`);
  const ipamDriver = spec.ipam?.driver?.name || 'default';
  if (ipamDriver !== 'default' && ipamDriver !== 'null') throw new AppError('notFound', `plugin "${ipamDriver}" not found`);
  for (const pool of spec.ipam?.configs ?? []) validatePool(pool);
  if (spec.ipv6 && driver === 'overlay') validateIpv6(spec);
}

/** The kernel takes IPv6 away from a device whose packets are smaller (RFC 8200). */
export const SMALLEST_IPV6_MTU = 1280;
const MTU_OPTION = 'com.docker.network.driver.mtu';
/** Edge, gateway, and two more. */
const LONGEST_IPV6_PREFIX = 126;
/** Loopback and unspecified, IPv4 in IPv6 form, one link only, many at once: no subnets for hosts. */
const UNUSABLE_IPV6 = ['::/8', 'fe80::/10', 'ff00::/8'];

/** Docker has no words for these: there, they fail on the nodes. */
function validateIpv6({ driver, ipam }: NetworkSpec): void {
  const mtu = driver?.options?.[MTU_OPTION];
  if (mtu !== undefined && Number(mtu) < SMALLEST_IPV6_MTU)
    throw new AppError('invalidArgument', `a network with IPv6 needs an MTU of at least ${SMALLEST_IPV6_MTU}, not ${MTU_OPTION}=${mtu}`);
  for (const { subnet = '' } of ipam?.configs ?? []) {
    const parsed = parseCidr(subnet)?.subnet;
    if (parsed?.family !== 6) continue;
    if (parsed.prefix > LONGEST_IPV6_PREFIX)
      throw rpcError(
        'invalidArgument',
        `ipam configuration: subnet ${subnet} is too small: an IPv6 subnet has a prefix of at most ${LONGEST_IPV6_PREFIX} bits`,
      );
    if (UNUSABLE_IPV6.some((text) => overlaps(text, parsed)))
      throw rpcError('invalidArgument', `ipam configuration: subnet ${subnet} is not one of unicast addresses; private ones are in fd00::/8`);
  }
}

function overlaps(text: string, subnet: IpSubnet): boolean {
  const other = parseCidr(text)?.subnet;
  return other !== undefined && subnetsOverlap(other, subnet);
}

/** What a network's creator should know: a subnet that has no effect. Docker is silent about it. */
export function networkWarnings({ ipv6, ipam }: NetworkSpec): readonly string[] {
  const ignored = ipv6 ? [] : (ipam?.configs ?? []).flatMap(({ subnet = '' }) => (parseCidr(subnet)?.subnet.family === 6 ? [subnet] : []));
  return ignored.map((subnet) => `subnet ${subnet} is not used: the network is made without IPv6 (--ipv6)`);
}

function validatePool({ subnet = '', range = '', gateway = '', reserved = {} }: IpamPool): void {
  if (subnet === '' && range === '' && gateway === '') return;
  const parsed = parseCidr(subnet)?.subnet;
  // IPv4 in IPv6 form: it would be taken for a subnet of both.
  if (parsed === undefined || parsed.family !== familyOf(subnet)) throw rpcError('invalidArgument', `ipam configuration: invalid subnet ${subnet}`);
  if (range !== '') {
    const inner = parseCidr(range)?.subnet;
    if (inner === undefined) throw rpcError('invalidArgument', `ipam configuration: invalid range ${range}`);
    if (!subnetCovers(parsed, inner)) throw rpcError('invalidArgument', `ipam configuration: subnet ${subnet} does not contain range ${range}`);
  }
  if (gateway !== '') {
    const address = parseIp(gateway);
    if (address === undefined) throw rpcError('invalidArgument', `ipam configuration: invalid gateway ${gateway}`);
    if (!subnetContains(parsed, address)) throw rpcError('invalidArgument', `ipam configuration: subnet ${subnet} does not contain gateway ${gateway}`);
  }
  for (const text of Object.values(reserved)) {
    const address = parseIp(text);
    if (address === undefined) throw rpcError('invalidArgument', `ipam configuration: invalid auxiliary address ${text}`);
    if (!subnetContains(parsed, address)) throw rpcError('invalidArgument', `ipam configuration: subnet ${subnet} does not contain auxiliary address ${text}`);
  }
}
