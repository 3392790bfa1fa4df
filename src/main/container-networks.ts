// Plain containers on swarm networks: each endpoint is an attachment task, which gives it an address that no task has, and makes this node carry
// the network. The proxy decides when to attach and detach (api/proxy/).
import { readdir } from 'node:fs/promises';
import type { ContainerAttachment, ContainerNetworks, SwarmNetworkRef } from '#api/proxy/container-networks.ts';
import type { EngineConnection } from '#engine-link/connection.ts';
import type { Control, SwarmMembership } from '#control/control.ts';
import type { Network, Task } from '#domain/objects.ts';
import { isTerminal } from '#domain/task-state.ts';
import type { Clock } from '#lib/clock.ts';
import { AppError } from '#lib/errors.ts';
import { networkLabel } from '#engine/labels.ts';

export interface ContainerNetworksOptions {
  readonly membership: SwarmMembership;
  readonly engine: EngineConnection;
  readonly clock: Clock;
  /** The resolver for containers on swarm networks; undefined while the node is in no swarm. */
  readonly dnsAddress: () => string | undefined;
}

/** As long as Docker waits for its managers (request timeout of the cluster component). */
const ATTACH_TIMEOUT_MS = 20_000;
/** Names that the engine keeps for itself. */
const predefined = new Set(['bridge', 'host', 'none', 'default', 'nat', '']);

export function createContainerNetworks(options: ContainerNetworksOptions): ContainerNetworks {
  const { membership, engine, dnsAddress } = options;

  const control = (): Control | undefined => (membership.info().controlAvailable ? membership.control() : undefined);

  async function findEngineNetwork({ id, name }: SwarmNetworkRef, signal: AbortSignal): Promise<string> {
    const filters = JSON.stringify({ label: { [`${networkLabel}=${id}`]: true } });
    const [found] = await engine.json<readonly { readonly Name: string }[]>({
      method: 'GET',
      path: '/networks',
      query: new URLSearchParams({ filters }),
      signal,
    });
    if (found === undefined) throw new AppError('notFound', `network ${name} not found`);
    return found.Name;
  }

  return {
    async resolve(nameOrId) {
      const network = predefined.has(nameOrId) ? undefined : control()?.networks.find(nameOrId);
      // The ingress network is one of them, so that it is refused in the swarm's words.
      return network && refOf(network);
    },
    async attach(network, owner, addresses, signal) {
      const { networks } = membership.control();
      const task = await networks.attach(network.id, owner, addresses);
      try {
        await untilRunning(options, task.id, signal);
        const engineNetwork = (await namespaceOf(task.id)) ?? (await findEngineNetwork(network, signal));
        return attachmentOf(task, engineNetwork, dnsAddress());
      } catch (error) {
        await networks.detach(task.id);
        throw error;
      }
    },
    async detach(attachmentId) {
      await control()?.networks.detach(attachmentId);
    },
    async attachments() {
      const { nodeId } = membership.info();
      const tasks = control()?.tasks.list({ runtime: ['attachment'] }) ?? [];
      return tasks.flatMap(({ id, nodeId: taskNode, spec, status, desiredState, networks }) => {
        const [network] = networks;
        const isLive = spec.runtime.kind === 'attachment' && taskNode === nodeId && desiredState === 'running' && !isTerminal(status.state);
        return isLive && network !== undefined && spec.runtime.kind === 'attachment'
          ? [{ id, owner: spec.runtime.containerId, networkId: network.networkId }]
          : [];
      });
    },
  };
}

/** Where netd has made a namespace for the attachment, because the engine is Podman: the container's network mode. */
async function namespaceOf(taskId: string): Promise<string | undefined> {
  const names = await readdir('/run/netns').catch(() => []);
  const name = names.find((candidate) => candidate.endsWith(`-t-${taskId}`));
  return name === undefined ? undefined : `ns:/run/netns/${name}`;
}

function refOf({ id, spec }: Network): SwarmNetworkRef {
  return { id, name: spec.name };
}

function attachmentOf({ id, networks }: Task, engineNetwork: string, dns: string | undefined): ContainerAttachment {
  const addresses = networks.flatMap((network) => network.addresses).map((address) => address.split('/', 1)[0] ?? address);
  const ipv4Address = addresses.find((address) => !address.includes(':'));
  const ipv6Address = addresses.find((address) => address.includes(':'));
  return {
    id,
    engineNetwork,
    ...(ipv4Address === undefined ? {} : { ipv4Address }),
    ...(ipv6Address === undefined ? {} : { ipv6Address }),
    ...(dns === undefined ? {} : { dns: [dns] }),
  };
}

/** The agent has made the engine's network when the attachment task runs. */
function untilRunning({ membership, clock }: ContainerNetworksOptions, taskId: string, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const finish = (error?: Error) => {
      unwatch();
      cancel();
      signal.removeEventListener('abort', abort);
      if (error === undefined) resolve();
      else reject(error);
    };
    const abort = () => finish(new AppError('aborted', 'the client went away'));
    const look = () => {
      try {
        const { status } = membership.control().tasks.get(taskId);
        if (status.state === 'running') finish();
        else if (isTerminal(status.state)) finish(new AppError('unknown', status.error ?? status.message));
      } catch (error) {
        // Removed meanwhile, or this node has left the swarm.
        finish(error as Error);
      }
    };
    const cancel = clock.schedule(ATTACH_TIMEOUT_MS, () =>
      finish(
        new AppError(
          'deadlineExceeded',
          'attaching to network failed, make sure your network options are correct and check manager logs: context deadline exceeded',
        ),
      ),
    );
    const unwatch = membership.onEvents((events) => {
      if (events.some(({ object }) => object.id === taskId)) queueMicrotask(look);
    });
    signal.addEventListener('abort', abort, { once: true });
    look();
  });
}
