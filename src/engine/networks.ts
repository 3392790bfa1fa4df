// The engine's networks behind the swarm's: made when the first task of this node needs one, removed when the last one is gone.
// A swarm overlay is a network of our driver with the same subnet and gateway on every node; addresses are given by the managers.
import type { AssignedNetwork } from '#agent/executor.ts';
import { wantsEncryption } from '#domain/encrypted.ts';
import type { Clock } from '#lib/clock.ts';
import { AppError, errorMessage } from '#lib/errors.ts';
import type { Logger } from '#lib/log.ts';
import type { NetworkInspect } from './api-types.ts';
import { GATEWAY_BRIDGE, isOverlay } from './container-config.ts';
import { makeGatewayBridge } from './gateway-bridge.ts';
import { creationSignal, type EngineClient } from './engine-client.ts';
import { instanceLabel, networkLabel } from './labels.ts';
import { makeRoom } from './stale-networks.ts';

export interface BackingNetwork {
  readonly id: string;
  readonly name: string;
}

export interface Networks {
  /** The engine's network for a task's network, made if it is missing. The task counts as a user from now on. */
  use(network: AssignedNetwork, taskId: string, signal: AbortSignal): Promise<BackingNetwork>;
  /** Notes that a task uses a network, without making it: what was found after a restart. */
  noteUse(networkId: string, taskId: string): void;
  /** The task uses none any more; networks without users are removed. */
  release(taskId: string, signal: AbortSignal): Promise<void>;
  /** The engine's network that stands for a swarm network, if it is there. */
  find(networkId: string, signal: AbortSignal): Promise<BackingNetwork | undefined>;
  ensureGatewayBridge(signal: AbortSignal): Promise<void>;
  /** What is known may be wrong: the engine restarted. */
  invalidate(): void;
  /** Removes all that are ours, used or not: for a node that leaves the swarm. */
  destroy(signal: AbortSignal): Promise<void>;
}

export interface NetworksOptions {
  readonly client: EngineClient;
  readonly driverName: string;
  readonly instance: string;
  readonly clock: Clock;
  readonly log: Logger;
}

export function createNetworks({ client, driverName, instance, clock, log }: NetworksOptions): Networks {
  const users = new Map<string, Set<string>>();
  const known = new Map<string, BackingNetwork>();
  const serially = createSerializer();
  let gateway: Promise<void> | undefined;

  function noteUse(networkId: string, taskId: string): void {
    const set = users.get(networkId);
    if (set === undefined) users.set(networkId, new Set([taskId]));
    else set.add(taskId);
  }

  async function listOurs(signal: AbortSignal, networkId?: string): Promise<readonly NetworkInspect[]> {
    const label = [`${instanceLabel}=${instance}`, networkId === undefined ? networkLabel : `${networkLabel}=${networkId}`];
    return client.call<readonly NetworkInspect[]>({ method: 'GET', path: '/networks', query: { filters: JSON.stringify({ label }) }, signal });
  }

  async function find(networkId: string, signal: AbortSignal): Promise<BackingNetwork | undefined> {
    const [found] = await listOurs(signal, networkId);
    return found === undefined ? undefined : { id: found.Id, name: found.Name };
  }

  async function ensure(network: AssignedNetwork, signal: AbortSignal): Promise<BackingNetwork> {
    const cached = known.get(network.id);
    // Somebody may have removed it behind our back; the answer costs a millisecond.
    if (cached !== undefined && (await client.find({ method: 'GET', path: `/networks/${cached.id}`, signal })) !== undefined) return cached;
    const backing = (await find(network.id, signal)) ?? (await create(network, signal));
    known.set(network.id, backing);
    return backing;
  }

  async function create(network: AssignedNetwork, signal: AbortSignal): Promise<BackingNetwork> {
    await makeRoom(network, { client, clock, ours: listOurs }, signal);
    // The swarm's name is what users look for; a network of the engine's own may have it already.
    for (const name of [network.name, `${network.name}-${network.id}`]) {
      try {
        const body = networkBody(network, name, driverName, instance);
        const { Id } = await client.call<{ Id: string }>({ method: 'POST', path: '/networks/create', body, signal: creationSignal(signal) });
        return { id: Id, name };
      } catch (error) {
        if (!(error instanceof AppError && error.code === 'conflict')) throw error;
        log.info({ network: name }, 'the engine has a network of that name already; another name is used');
      }
    }
    throw new AppError('conflict', `network ${network.name}: the engine has networks of that name and of its replacement already`);
  }

  async function removeIfUnused(networkId: string, signal: AbortSignal): Promise<void> {
    if ((users.get(networkId)?.size ?? 0) > 0) return;
    users.delete(networkId);
    known.delete(networkId);
    const backing = await find(networkId, signal);
    if (backing !== undefined) await removeNetwork(backing, signal);
  }

  /** Plain containers stay, without the network: its driver goes with the swarm. Docker does the same. */
  async function disconnectAll(id: string, signal: AbortSignal): Promise<void> {
    const network = await client.find<NetworkInspect>({ method: 'GET', path: `/networks/${id}`, signal });
    for (const Container of Object.keys(network?.Containers ?? {}))
      await client.find({ method: 'POST', path: `/networks/${id}/disconnect`, body: { Container, Force: true }, signal });
  }

  async function removeNetwork({ id, name }: BackingNetwork, signal: AbortSignal): Promise<void> {
    try {
      await client.find({ method: 'DELETE', path: `/networks/${id}`, signal });
    } catch (error) {
      // A plain container on it keeps it: "has active endpoints". Whoever leaves last removes it.
      if (!(error instanceof AppError && error.code !== 'unavailable')) throw error;
      log.info({ network: name, error: errorMessage(error) }, 'a network is still in use');
    }
  }

  return {
    noteUse,
    find,
    async use(network, taskId, signal) {
      if (!isOverlay(network)) return { id: network.name, name: network.name };
      noteUse(network.id, taskId);
      await this.ensureGatewayBridge(signal);
      return serially(network.id, () => ensure(network, signal));
    },
    async release(taskId, signal) {
      for (const [networkId, tasks] of users) {
        if (!tasks.delete(taskId) || tasks.size > 0) continue;
        try {
          await serially(networkId, () => removeIfUnused(networkId, signal));
        } catch (error) {
          // Tried again with the same task.
          if ((users.get(networkId)?.size ?? 0) === 0) noteUse(networkId, taskId);
          throw error;
        }
      }
    },
    async ensureGatewayBridge(signal) {
      // Shared by all who ask at the same time: it does not end with the one who asked first. Whoever asks later looks again, because a prune may
      // have removed it; the answer costs a millisecond.
      gateway ??= makeGatewayBridge(client, instance, log, new AbortController().signal).finally(() => {
        gateway = undefined;
      });
      await gateway;
      signal.throwIfAborted();
    },
    invalidate() {
      known.clear();
    },
    async destroy(signal) {
      // One that is being made would come after its removal.
      await gateway?.catch(() => {});
      const label = [`${instanceLabel}=${instance}`];
      const ours = await client.call<readonly NetworkInspect[]>({ method: 'GET', path: '/networks', query: { filters: JSON.stringify({ label }) }, signal });
      // The gateway bridge last: whoever is on an overlay is on it, too.
      for (const { Id, Name } of [...ours].sort((x, y) => Number(x.Name === GATEWAY_BRIDGE) - Number(y.Name === GATEWAY_BRIDGE))) {
        if (Name !== GATEWAY_BRIDGE) await disconnectAll(Id, signal);
        await removeNetwork({ id: Id, name: Name }, signal);
      }
      users.clear();
      known.clear();
    },
  };
}

/** Of our driver, which finds the rest by the network's id; not internal for the engine, because name queries leave by the gateway bridge. */
function networkBody(network: AssignedNetwork, name: string, driverName: string, instance: string): object {
  const options = {
    'skep.network': network.id,
    'skep.vni': String(network.vxlanId),
    ...(network.mtu === undefined ? {} : { 'skep.mtu': String(network.mtu) }),
    ...(wantsEncryption(network.driver) ? { 'skep.encrypted': 'true' } : {}),
  };
  return {
    Name: name,
    CheckDuplicate: true,
    Driver: driverName,
    Internal: false,
    Attachable: true,
    EnableIPv6: network.subnets.some(({ subnet }) => subnet.includes(':')),
    IPAM: { Driver: 'default', Config: network.subnets.map(ipamPool) },
    Options: options,
    Labels: { ...network.labels, [networkLabel]: network.id, [instanceLabel]: instance },
  };
}

/**
 * The engine may give no address of its own choice: it would be one that the managers give somebody else. A range with nothing in it but the
 * gateway says so, and leaves the rest of the subnet to those who ask for an address.
 */
function ipamPool({ subnet, gateway }: AssignedNetwork['subnets'][number]): object {
  const address = gateway.split('/', 1)[0] ?? gateway;
  return { Subnet: subnet, Gateway: address, IPRange: `${address}/${address.includes(':') ? 128 : 32}` };
}

/** Runs work of the same key one after the other. */
function createSerializer(): <T>(key: string, work: () => Promise<T>) => Promise<T> {
  const tails = new Map<string, Promise<unknown>>();
  return async (key, work) => {
    const previous = tails.get(key);
    const current = (previous ?? Promise.resolve()).then(work, work);
    tails.set(key, current);
    try {
      return await current;
    } finally {
      if (tails.get(key) === current) tails.delete(key);
    }
  };
}
