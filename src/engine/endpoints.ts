// What the node's data plane must know of containers: where on the gateway bridge they are, and their process.
import type { Task } from '#domain/objects.ts';
import type { ContainerState, LocalEndpoint } from '#agent/executor.ts';
import type { ContainerInspect, NetworkInspect } from './api-types.ts';
import { GATEWAY_BRIDGE } from './container-config.ts';
import type { EngineClient } from './engine-client.ts';
import type { Parts } from './parts.ts';

export async function containerEndpoint(parts: Parts, task: Task, state: ContainerState, signal: AbortSignal): Promise<LocalEndpoint | undefined> {
  const { containerId, pid } = state;
  const networkIds = task.networks.map(({ networkId }) => networkId);
  const gatewayAddress = await gatewayAddressOf(parts.client, containerId, signal);
  const nameservers = task.spec.runtime.kind === 'container' ? (task.spec.runtime.container.dns?.nameservers ?? []) : [];
  return {
    taskId: task.id,
    containerId,
    pid,
    networkIds,
    ...(gatewayAddress === undefined ? {} : { gatewayAddress }),
    ...(nameservers.length === 0 ? {} : { nameservers }),
  };
}

/** The engine attaches containers of remote drivers to its gateway bridge by itself; only the bridge's own description tells the address. */
async function gatewayAddressOf(client: EngineClient, containerId: string, signal: AbortSignal): Promise<string | undefined> {
  const bridge = await client.find<NetworkInspect>({ method: 'GET', path: `/networks/${GATEWAY_BRIDGE}`, signal });
  return bridge?.Containers?.[containerId]?.IPv4Address.split('/', 1)[0] || undefined;
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
    const gatewayAddress = await gatewayAddressOf(client, containerId, signal);
    return {
      taskId: task.id,
      containerId,
      pid: container?.State.Pid ?? 0,
      networkIds: task.networks.map((attachment) => attachment.networkId),
      ...(gatewayAddress === undefined ? {} : { gatewayAddress }),
    };
  }
  return undefined;
}
