// What a swarm's state becomes when it is restored on one node: the same swarm, with this node as its only manager. Pure.
import type { Cluster, Node, NodeDescription, StoreObject } from '#domain/objects.ts';
import { splitHostPort } from './addresses.ts';

export interface RestoredSelf {
  readonly nodeId: string;
  /** host:port */
  readonly advertiseAddr: string;
  /** Of the key of its new certificate. */
  readonly keyDigest: string;
  readonly epoch: number;
}

/**
 * What is added to the backup's revision. Clients, name servers and data planes have seen versions since then, and must not take what comes now for old: a swarm
 * that commits a thousand times a second needs twelve days for as many.
 */
const REVISION_LEAP = 1_000_000_000;

const MAX_KEYS = 4;

export function restoredRevision(revision: number): number {
  return revision + REVISION_LEAP;
}

export function restoredObjects(objects: readonly StoreObject[], self: RestoredSelf): readonly StoreObject[] {
  return objects.map((object) => {
    if (object.kind === 'cluster') return { ...withoutEtcd(object), epoch: self.epoch, formerManagers: formerManagers(objects, self.advertiseAddr) };
    if (object.kind !== 'node') return object;
    return object.id === self.nodeId ? asOnlyManager(object, self) : asWorker(object);
  });
}

/** Everybody who was a manager somewhere else: also this node, if it was at another address. */
export function formerManagers(objects: readonly StoreObject[], advertiseAddr: string): NonNullable<Cluster['formerManagers']> {
  const all = objects.flatMap((object) => {
    if (object.kind === 'cluster') return object.formerManagers ?? [];
    return object.kind === 'node' && object.manager !== undefined ? [{ nodeId: object.id, address: object.manager.address }] : [];
  });
  return [...new Map(all.map((manager) => [manager.address, manager])).values()].filter(({ address }) => address !== advertiseAddr);
}

/** Managers of old that are still running somewhere must not find their way into a new etcd: it will have another authority. */
function withoutEtcd({ etcdAuthority: _authority, ...cluster }: Cluster): Cluster {
  return cluster;
}

/** Its daemon may be another one now, and tells again what it is: until then its level counts as the oldest. */
function asOnlyManager({ description, ...node }: Node, { advertiseAddr, keyDigest }: RestoredSelf): Node {
  return {
    ...node,
    ...(description === undefined ? {} : { description: withoutDaemon(description) }),
    role: 'manager',
    spec: { ...node.spec, role: 'manager' },
    status: { ...node.status, address: splitHostPort(advertiseAddr).host },
    manager: { leader: true, reachability: 'reachable', address: advertiseAddr },
    keyDigests: [keyDigest, ...(node.keyDigests ?? [])].slice(0, MAX_KEYS),
  };
}

function withoutDaemon({ daemon: _daemon, ...description }: NodeDescription): NodeDescription {
  return description;
}

function asWorker(node: Node): Node {
  if (node.manager === undefined && node.spec.role === 'worker' && node.role === 'worker') return node;
  const { manager: _manager, ...rest } = node;
  return { ...rest, role: 'worker', spec: { ...rest.spec, role: 'worker' } };
}

/** What the user must know or do now. */
export function restoreWarnings(objects: readonly StoreObject[], self: Pick<RestoredSelf, 'nodeId' | 'advertiseAddr'>): readonly string[] {
  const nodes = objects.filter((object): object is Node => object.kind === 'node');
  const managers = nodes.filter(({ manager }) => manager !== undefined);
  const others = managers.filter(({ id }) => id !== self.nodeId);
  const workers = nodes.filter(({ id, manager }) => id !== self.nodeId && manager === undefined);
  const known = managers.map(({ manager }) => manager?.address ?? '');
  const warnings: string[] = [];
  if (others.length > 0)
    warnings.push(
      `This node is the only manager now. Those of before give their part up and become its workers once they can be reached from here, and may be promoted again: ${others.map(nameOf).join(', ')}.`,
    );
  if (workers.length > 0 && !known.includes(self.advertiseAddr))
    warnings.push(
      `Workers look for their managers at ${known.join(', ')}, and this one is at ${self.advertiseAddr}: they go on with what they run, and do not find it. ` +
        'Restore on a machine with such an address, or use "docker swarm leave" and "docker swarm join" on each worker.',
    );
  return warnings;
}

function nameOf({ id, description }: Node): string {
  return description === undefined ? id : `${description.hostname} (${id})`;
}
