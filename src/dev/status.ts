// What there is of clusters: nodes, their state, links, addresses and sockets. Asked of the kernel each time.
import { AppError } from '#lib/errors.ts';
import { type KnownCluster, knownClusters, readCluster } from './cluster.ts';
import { addressOf, type DevNode, type EngineKind, type NodeRole } from './description.ts';
import { linkText } from './link.ts';
import { type Machine, machinesOf } from './machine.ts';
import { nodePlaceOf, placeOf, SWITCH } from './names.ts';
import { type NodeState, stateOf } from './node.ts';
import { type LinkFacts, linkFacts } from './switch.ts';

export interface NodeStatus {
  readonly name: string;
  readonly cluster: string;
  readonly role: NodeRole;
  readonly engine: EngineKind;
  readonly state: NodeState;
  /** Empty when the node is off. */
  readonly link: string;
  readonly address: string;
  readonly socket: string;
  readonly engineSocket: string;
}

export async function statusOf({ place, cluster }: KnownCluster): Promise<readonly NodeStatus[]> {
  const hub = machinesOf(place.folder).get(SWITCH);
  const facts: LinkFacts = hub === undefined ? { from: [], to: [], slow: new Map() } : await linkFacts(hub);
  return cluster.nodes.map((node) => {
    const { name, role, engine } = node;
    const state = stateOf(place, node);
    const { socket, engineSocket } = nodePlaceOf(place, name);
    const link =
      state === 'stopped' || hub === undefined ? '' : linkText({ from: facts.from.includes(name), to: facts.to.includes(name), slow: facts.slow.get(name) });
    return { name, cluster: place.name, role, engine, state, link, address: addressOf(cluster, node), socket, engineSocket };
  });
}

/** Throws AppError `notFound`, which names those that there are. */
export function findCluster(base: string, name: string): KnownCluster {
  const place = placeOf(base, name);
  const cluster = readCluster(place);
  if (cluster !== undefined) return { place, cluster };
  const others = knownClusters(base).map((known) => known.place.name);
  const hint = others.length === 0 ? '`skep dev up` makes one' : `there ${others.length === 1 ? 'is' : 'are'} ${others.join(', ')} (--name)`;
  throw new AppError('notFound', `there is no cluster ${name}: ${hint}`);
}

/** Throws AppError `notFound`, which names those that there are. */
export function findNode({ place, cluster }: KnownCluster, name: string): DevNode {
  const node = cluster.nodes.find((known) => known.name === name);
  if (node === undefined)
    throw new AppError(
      'notFound',
      `the cluster ${place.name} has no node ${JSON.stringify(name)}; it has ${cluster.nodes.map((known) => known.name).join(', ')}`,
    );
  return node;
}

/** Throws AppError when the cluster does not run at all. */
export function switchOf({ place }: KnownCluster): Machine {
  const hub = machinesOf(place.folder).get(SWITCH);
  if (hub === undefined)
    throw new AppError('failedPrecondition', `the cluster ${place.name} does not run: \`skep dev up --name ${place.name}\` starts it again`);
  return hub;
}

/** A manager's node that runs, or undefined. */
export function reachableManager(nodes: readonly NodeStatus[]): NodeStatus | undefined {
  return nodes.find(({ role, state }) => role === 'manager' && state === 'running');
}
