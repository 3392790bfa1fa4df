// What a development cluster is meant to be: the contents of its cluster.json. What runs of it is asked of the kernel each time, never written down.
import { AppError } from '#lib/errors.ts';
import { formatIpv4, formatIpv4Subnet, type Ipv4Subnet, lastIpv4, parseIpv4Cidr } from '#lib/ip.ts';

export const engineKinds = ['docker', 'podman'] as const;
export type EngineKind = (typeof engineKinds)[number];

export const nodeRoles = ['manager', 'worker'] as const;
export type NodeRole = (typeof nodeRoles)[number];

export interface DevNode {
  readonly name: string;
  /** What it joins as. Promoting it later does not change this. */
  readonly role: NodeRole;
  readonly engine: EngineKind;
  /** Its address is this many after the subnet's first. Never given twice. */
  readonly index: number;
}

export interface DevCluster {
  readonly subnet: Ipv4Subnet;
  /** In the order in which they were added. */
  readonly nodes: readonly DevNode[];
}

export function addressOf({ subnet }: DevCluster, { index }: DevNode): string {
  return formatIpv4(subnet.base + index);
}

/** The machine's own address on the cluster's network: the last one. */
export function hostAddressOf({ subnet }: DevCluster): string {
  return formatIpv4(lastIpv4(subnet) - 1);
}

/** The switch's address, which is the nodes' way to everything else: the last but one. */
export function gatewayOf({ subnet }: DevCluster): string {
  return formatIpv4(lastIpv4(subnet) - 2);
}

export function printDescription({ subnet, nodes }: DevCluster): string {
  return `${JSON.stringify({ subnet: formatIpv4Subnet(subnet), nodes }, undefined, 2)}\n`;
}

/** Throws AppError when the text is none of ours. */
export function parseDescription(text: string, file: string): DevCluster {
  const bad = () => new AppError('failedPrecondition', `${file} is damaged; \`skep dev down\` removes the cluster`);
  let value: { subnet?: unknown; nodes?: unknown };
  try {
    value = (JSON.parse(text) ?? {}) as typeof value;
  } catch {
    throw bad();
  }
  const subnet = typeof value.subnet === 'string' ? parseIpv4Cidr(value.subnet)?.subnet : undefined;
  if (subnet === undefined || !Array.isArray(value.nodes) || !value.nodes.every(isNode)) throw bad();
  return { subnet, nodes: value.nodes };
}

function isNode(value: unknown): value is DevNode {
  if (typeof value !== 'object' || value === null) return false;
  const { name, role, engine, index } = value as Record<string, unknown>;
  if (typeof name !== 'string' || !/^(manager|worker)[1-9]\d*$/.test(name)) return false;
  return nodeRoles.some((known) => known === role) && engineKinds.some((known) => known === engine) && Number.isInteger(index);
}
