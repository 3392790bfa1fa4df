// Tasks whose namespace is made before their container, because the engine knows no network drivers (Podman).
import { wantsEncryption } from '#domain/encrypted.ts';
import { extrasOfLabels } from '#domain/extras.ts';
import type { Task } from '#domain/objects.ts';
import type { ContainerSpec, PortConfig } from '#domain/spec.ts';
import type { AssignedNetwork, AssignedTask } from '#agent/executor.ts';
import { AppError } from '#lib/errors.ts';
import { familyOf, withoutPrefix } from '#lib/ip.ts';
import type { SandboxPlace, SandboxSpec } from '#protocol/sandbox.ts';
import { isOverlay } from './container-config.ts';
import { hostPortsLabel } from './labels.ts';

/** What netd is asked for; undefined for a task on a network of the engine's own (host, none …), which the engine attaches. */
export function sandboxSpec({ task, networks }: AssignedTask): SandboxSpec | undefined {
  const others = networks.filter((network) => !isOverlay(network));
  const [other] = others;
  if (other !== undefined && others.length < networks.length)
    throw new AppError('invalidArgument', `network ${other.name}: on a Podman node a task is on overlay networks or on one of the engine's own, not on both`);
  if (other !== undefined && (task.endpoint?.ports ?? []).some(({ publishMode }) => publishMode === 'ingress'))
    throw new AppError('invalidArgument', `network ${other.name}: on a Podman node a task on it cannot have ports published through the ingress`);
  if (other !== undefined || hasNoNetwork(task)) return undefined;
  return {
    taskId: task.id,
    networks: task.networks.map(({ networkId, addresses }) => {
      const network = networks.find(({ id }) => id === networkId);
      if (network === undefined) throw new AppError('notFound', `network ${networkId} not found`);
      return sandboxNetwork(network, addresses);
    }),
    hostPorts: (task.endpoint?.ports ?? []).filter(({ publishMode }) => publishMode === 'host'),
  };
}

/** `network_mode: none`: the engine gives it a namespace with nothing in it. */
function hasNoNetwork({ spec: { runtime } }: Task): boolean {
  return runtime.kind === 'container' && extrasOfLabels(runtime.container.labels).networkMode === 'none';
}

function sandboxNetwork({ id, name, vxlanId, mtu, subnets, driver }: AssignedNetwork, addresses: readonly string[]): SandboxSpec['networks'][number] {
  const address = addresses.find((candidate) => familyOf(candidate) === 4);
  const address6 = addresses.find((candidate) => familyOf(candidate) === 6);
  if (vxlanId === undefined || address === undefined) throw new AppError('invalidArgument', `network ${name} has no IPv4 address for the task`);
  const gateways = subnets.map(({ subnet, gateway }) => withPrefix(gateway, subnet));
  return {
    networkId: id,
    vxlanId,
    gateways,
    address: withPrefix(address, subnets[0]?.subnet ?? ''),
    ...(address6 === undefined ? {} : { address6 }),
    ...(mtu === undefined ? {} : { mtu }),
    ...(wantsEncryption(driver) ? { encrypted: true } : {}),
  };
}

function withPrefix(address: string, subnet: string): string {
  return address.includes('/') ? address : `${address}/${subnet.split('/')[1] ?? '24'}`;
}

/** The container's name in its own eyes: Docker's default is the container's id, which is not known before. */
export function sandboxHostname(task: Task, { hostname }: ContainerSpec): string {
  return hostname || task.id.slice(0, 12);
}

/** /etc/hosts as Docker writes it; Podman's would begin with the node's own. */
export function hostsFile(hostname: string, { hosts = [] }: ContainerSpec, { networks }: SandboxSpec): string {
  return [
    '127.0.0.1\tlocalhost',
    '::1\tlocalhost ip6-localhost ip6-loopback',
    'fe00::0\tip6-localnet',
    'ff00::0\tip6-mcastprefix',
    'ff02::1\tip6-allnodes',
    'ff02::2\tip6-allrouters',
    ...hosts.map((line) => line.split(/\s+/).join('\t')),
    ...networks.flatMap(({ address, address6 }) => [address, ...(address6 === undefined ? [] : [address6])].map((one) => `${withoutPrefix(one)}\t${hostname}`)),
    '',
  ].join('\n');
}

/** The container tells the ports that were chosen: the engine does not know of them. */
export function hostPortLabels({ hostPorts }: SandboxPlace): Readonly<Record<string, string>> {
  return hostPorts.length === 0 ? {} : { [hostPortsLabel]: JSON.stringify(hostPorts) };
}

export function hostPortsOf(labels: Readonly<Record<string, string>> | null): readonly PortConfig[] {
  const text = labels?.[hostPortsLabel];
  return text === undefined ? [] : (JSON.parse(text) as readonly PortConfig[]);
}
