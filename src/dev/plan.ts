// Pure decisions about a development cluster: which nodes there will be, and which addresses they get.
import { AppError } from '#lib/errors.ts';
import { formatIpv4Subnet, type Ipv4Subnet, ipv4SubnetSize, ipv4SubnetsIn, ipv4SubnetsOverlap, parseIpv4, parseIpv4Cidr } from '#lib/ip.ts';
import type { DevNode, EngineKind, NodeRole } from './description.ts';

/** One manager needs no etcd. */
const DEFAULT_COUNTS: Readonly<Record<NodeRole, number>> = { manager: 1, worker: 2 };
/** A node takes some 300 MB; nobody means more than this. */
const MAX_NODES = 50;

export interface WantedNodes {
  /** Undefined: as many as there are, or the default of a new cluster. */
  readonly managers: number | undefined;
  readonly workers: number | undefined;
  /** Of the nodes that are added. */
  readonly engine: EngineKind;
}

/** All nodes that there are to be, those that there are first. Throws AppError when that cannot be. */
export function planNodes(existing: readonly DevNode[], { managers, workers, engine }: WantedNodes): readonly DevNode[] {
  const counts = { manager: countOf(existing, 'manager', managers), worker: countOf(existing, 'worker', workers) };
  if (counts.manager === 0) throw new AppError('invalidArgument', 'a cluster needs at least one manager');
  if (counts.manager + counts.worker > MAX_NODES) throw new AppError('invalidArgument', `a cluster on one machine has at most ${MAX_NODES} nodes`);
  const nodes = [...existing];
  for (const role of ['manager', 'worker'] as const) {
    for (let number = 1; number <= counts[role]; number += 1) {
      const name = `${role}${number}`;
      if (nodes.some((node) => node.name === name)) continue;
      nodes.push({ name, role, engine, index: Math.max(0, ...nodes.map(({ index }) => index)) + 1 });
    }
  }
  return nodes;
}

function countOf(existing: readonly DevNode[], role: NodeRole, wanted: number | undefined): number {
  const now = existing.filter((node) => node.role === role).length;
  if (existing.length === 0) return wanted ?? DEFAULT_COUNTS[role];
  if (wanted !== undefined && wanted < now)
    throw new AppError(
      'failedPrecondition',
      `there ${now === 1 ? `is 1 ${role}` : `are ${now} ${role}s`} already, and \`skep dev up\` only adds nodes; \`skep dev down\` removes all of them`,
    );
  return wanted ?? now;
}

/**
 * Outside of what Docker and home networks take, and of the beginning of 10.0.0.0/8, where overlay networks get theirs. The second pool is reserved for
 * tests of networks (RFC 2544), for machines whose company uses all of 10.0.0.0/8.
 */
const POOLS: readonly Ipv4Subnet[] = [
  { base: parseIpv4('10.218.0.0') as number, prefix: 16 },
  { base: parseIpv4('198.18.0.0') as number, prefix: 16 },
];
const PREFIX = 24;

/** The first subnet of the pools that overlaps none of the taken ones; undefined when all do. */
export function chooseSubnet(taken: readonly Ipv4Subnet[], pools = POOLS, prefix = PREFIX): Ipv4Subnet | undefined {
  for (const pool of pools) {
    for (const subnet of ipv4SubnetsIn(pool, prefix)) if (!taken.some((other) => ipv4SubnetsOverlap(other, subnet))) return subnet;
  }
  return undefined;
}

/** A subnet as a user gives it. Throws Error with what is wrong. */
export function parseSubnet(text: string): Ipv4Subnet {
  const parsed = parseIpv4Cidr(text);
  if (parsed === undefined) throw new Error('it must be an IPv4 subnet such as 10.218.0.0/24');
  const { address, subnet } = parsed;
  if (address !== subnet.base) throw new Error(`it has host bits; did you mean ${formatIpv4Subnet(subnet)}?`);
  if (subnet.prefix < 16 || subnet.prefix > 28) throw new Error('its prefix length must be from 16 to 28');
  return subnet;
}

/** Throws AppError when the nodes, the switch, the machine and the edges do not all fit. */
export function checkRoom(subnet: Ipv4Subnet, nodes: readonly DevNode[]): void {
  const highest = Math.max(...nodes.map(({ index }) => index));
  if (highest > ipv4SubnetSize(subnet) - 4)
    throw new AppError('invalidArgument', `the subnet ${formatIpv4Subnet(subnet)} is too small for ${nodes.length} nodes`);
}

/** Subnets that the machine uses or reaches in another way: of `ip -j address` and `ip -j route`. The default route is none. */
export function takenSubnets(addresses: unknown, routes: unknown): readonly Ipv4Subnet[] {
  const ofAddresses = listOf(addresses).flatMap(({ addr_info: list }) =>
    listOf(list).map(({ local, prefixlen }) => parseIpv4Cidr(`${String(local)}/${String(prefixlen)}`)?.subnet),
  );
  const ofRoutes = listOf(routes).map(({ dst }) => {
    const text = String(dst);
    return text === 'default' ? undefined : parseIpv4Cidr(text.includes('/') ? text : `${text}/32`)?.subnet;
  });
  return [...ofAddresses, ...ofRoutes].filter((subnet) => subnet !== undefined);
}

function listOf(value: unknown): readonly Readonly<Record<string, unknown>>[] {
  return Array.isArray(value) ? (value as Readonly<Record<string, unknown>>[]) : [];
}
