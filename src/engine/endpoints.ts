// What the node's data plane must know of containers: where on the gateway bridge they are, and their process.
import type { Task } from '#domain/objects.ts';
import type { ContainerState, LocalEndpoint } from '#agent/executor.ts';
import { withoutPrefix } from '#lib/ip.ts';
import type { ContainerInspect, NetworkInspect } from './api-types.ts';
import { GATEWAY_BRIDGE } from './container-config.ts';
import type { EngineClient } from './engine-client.ts';
import type { Parts } from './parts.ts';

export async function containerEndpoint(parts: Parts, task: Task, state: ContainerState, signal: AbortSignal): Promise<LocalEndpoint | undefined> {
  const { containerId, pid } = state;
  const networkIds = task.networks.map(({ networkId }) => networkId);
  const gateway = await gatewayAddressesOf(parts.client, containerId, signal);
  const nameservers = task.spec.runtime.kind === 'container' ? (task.spec.runtime.container.dns?.nameservers ?? []) : [];
  return {
    taskId: task.id,
    containerId,
    pid,
    networkIds,
    ...gateway,
    ...(nameservers.length === 0 ? {} : { nameservers }),
  };
}

/** The engine attaches containers of remote drivers to its gateway bridge by itself; only the bridge's own description tells the address. */
async function gatewayAddressesOf(
  client: EngineClient,
  containerId: string,
  signal: AbortSignal,
): Promise<Pick<LocalEndpoint, 'gatewayAddress' | 'gatewayAddress6'>> {
  const bridge = await client.find<NetworkInspect>({ method: 'GET', path: `/networks/${GATEWAY_BRIDGE}`, signal });
  const { IPv4Address = '', IPv6Address = '' } = bridge?.Containers?.[containerId] ?? {};
  return {
    ...(IPv4Address === '' ? {} : { gatewayAddress: withoutPrefix(IPv4Address) }),
    ...(IPv6Address === '' ? {} : { gatewayAddress6: withoutPrefix(IPv6Address) }),
  };
}

/** The plain container that has the attachment's address, once it runs. */
export async function attachmentEndpoint(parts: Parts, task: Task, signal: AbortSignal): Promise<LocalEndpoint | undefined> {
  const { client, networks, attachments } = parts;
  attachments.add(task.id);
  for (const { networkId, addresses } of task.networks) {
    networks.noteUse(networkId, task.id);
    const backing = await networks.find(networkId, signal);
    const network = backing && (await client.find<NetworkInspect>({ method: 'GET', path: `/networks/${backing.id}`, signal }));
    const wanted = new Set(addresses.map((address) => address.split('/', 1)[0]));
    const found = Object.entries(network?.Containers ?? {}).find(([, { IPv4Address }]) => wanted.has(IPv4Address.split('/', 1)[0]));
    if (found === undefined) continue;
    const [containerId] = found;
    const container = await client.find<ContainerInspect>({ method: 'GET', path: `/containers/${containerId}/json`, signal });
    return {
      taskId: task.id,
      containerId,
      pid: container?.State.Pid ?? 0,
      networkIds: task.networks.map((attachment) => attachment.networkId),
      ...(await gatewayAddressesOf(client, containerId, signal)),
    };
  }
  return undefined;
}
