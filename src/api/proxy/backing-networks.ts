// Which of the engine's networks only carry a swarm network on this node. Their label says so and never changes, so an answer is kept by id.
import type { SwarmMembership } from '#control/control.ts';
import type { EngineConnection } from '#engine-link/connection.ts';
import { BACKING_LABEL } from '../routes/engine-networks.ts';
import type { SwarmNetworkRef } from './container-networks.ts';

export interface BackingNetworks {
  /** The swarm network behind an engine's network id; undefined for the engine's own. */
  swarmNetworkOf(engineId: string): Promise<SwarmNetworkRef | undefined>;
  /** The same by the engine's name for it, which is all that a container has before it runs. */
  swarmNetworkNamed(engineName: string): Promise<SwarmNetworkRef | undefined>;
  /** Name of the engine's network that carries a swarm network here, if it is there. */
  engineNameOf(swarmId: string): Promise<string | undefined>;
}

interface Known {
  readonly name: string;
  readonly swarmId: string | undefined;
}

/** Networks that are gone are remembered too, for their last events; all are forgotten when there are this many. */
const MAX_KNOWN = 10_000;
/** Names that the engine keeps for its own. */
const ownNetworks: ReadonlySet<string> = new Set(['bridge', 'host', 'none', 'default']);

export function createBackingNetworks({ engine, membership }: { readonly engine: EngineConnection; readonly membership: SwarmMembership }): BackingNetworks {
  const known = new Map<string, Known>();

  async function learn(): Promise<readonly { readonly Id: string; readonly Name: string; readonly Labels?: Readonly<Record<string, string>> | null }[]> {
    const networks = await engine.json<{ Id: string; Name: string; Labels?: Record<string, string> | null }[]>({ method: 'GET', path: '/networks' });
    if (known.size > MAX_KNOWN) known.clear();
    for (const { Id, Name, Labels } of networks) known.set(Id, { name: Name, swarmId: Labels?.[BACKING_LABEL] });
    return networks;
  }

  function refOf(swarmId: string, engineName: string): SwarmNetworkRef {
    const network = membership.info().controlAvailable ? membership.control().networks.find(swarmId) : undefined;
    return { id: swarmId, name: network?.spec.name ?? engineName };
  }

  return {
    async swarmNetworkOf(engineId) {
      if (engineId === '') return undefined;
      if (!known.has(engineId)) await learn();
      const network = known.get(engineId) ?? { name: '', swarmId: undefined };
      // An id that nobody knows any more is not asked for again.
      known.set(engineId, network);
      return network.swarmId === undefined ? undefined : refOf(network.swarmId, network.name);
    },
    async swarmNetworkNamed(engineName) {
      const find = () => [...known.values()].find(({ name, swarmId }) => name === engineName && swarmId !== undefined);
      if (find() === undefined && !ownNetworks.has(engineName)) await learn();
      const swarmId = find()?.swarmId;
      return swarmId === undefined ? undefined : refOf(swarmId, engineName);
    },
    async engineNameOf(swarmId) {
      return (await learn()).find(({ Labels }) => Labels?.[BACKING_LABEL] === swarmId)?.Name;
    },
  };
}
