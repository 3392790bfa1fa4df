// What the leader keeps true about the managers: who is reachable and who leads, that demoted and removed nodes are out of etcd, and that a node that gave up
// on the way to becoming a manager does not stay a learner.
import type { ManagerStatus, Node } from '#domain/objects.ts';
import type { Change, View } from '#domain/view.ts';
import type { EtcdClient } from '#etcd/client.ts';
import type { Member } from '#etcd/messages.ts';
import type { Clock } from '#lib/clock.ts';
import { AppError, errorMessage } from '#lib/errors.ts';
import type { Logger } from '#lib/log.ts';
import type { LiveManager } from '#manager/leadership.ts';
import type { Store } from '#store/store.ts';

export interface ManagerKeeperOptions {
  readonly client: EtcdClient;
  /** Fenced. */
  readonly store: Store;
  readonly selfId: string;
  readonly live: () => ReadonlyMap<string, LiveManager>;
  readonly clock: Clock;
  readonly log: Logger;
}

const TICK_MS = 500;
/** A learner catches up within seconds; one that has not has died on the way. */
const LEARNER_TIMEOUT_MS = 150_000;

/** Until the signal aborts. */
export async function keepManagers(options: ManagerKeeperOptions, signal: AbortSignal): Promise<void> {
  const { store, clock, log } = options;
  const learners = new Map<string, number>();
  let wake = new AbortController();
  const unwatch = store.watch((_revision, events) => {
    if (events.some(({ object }) => object.kind === 'node')) wake.abort();
  });
  try {
    while (!signal.aborted) {
      wake = new AbortController();
      await keepOnce(options, learners, signal).catch((error: unknown) => log.debug({ error: errorMessage(error) }, 'the managers could not be looked after'));
      await clock.sleep(TICK_MS, AbortSignal.any([signal, wake.signal])).catch(() => {});
    }
  } finally {
    unwatch();
  }
}

async function keepOnce(options: ManagerKeeperOptions, learners: Map<string, number>, signal: AbortSignal): Promise<void> {
  const { client, store, selfId, live, clock, log } = options;
  const members = await client.members();
  for (const member of outdatedMembers(members, store.view, learners, clock.elapsed())) {
    if (signal.aborted) return;
    if (member.name === selfId) {
      await handOver(options, members);
      return;
    }
    log.info({ node: member.name, address: member.peerUrls[0] }, 'a member that is no manager any more is taken out of etcd');
    await client.removeMember(member.id);
  }
  const names = new Set((await client.members()).filter(({ isLearner }) => !isLearner).map(({ name }) => name));
  await store.update('manager', (view) => ({ changes: statusChanges(view, names, { selfId, live: live() }), result: undefined }));
}

/** Members without a node that is to be a manager. */
function outdatedMembers(members: readonly Member[], view: View, learners: Map<string, number>, now: number): readonly Member[] {
  for (const { id, isLearner } of members) {
    if (!isLearner) learners.delete(id);
    else if (!learners.has(id)) learners.set(id, now);
  }
  return members.filter(({ id, name, isLearner }) => {
    if (isLearner) return now - (learners.get(id) ?? now) > LEARNER_TIMEOUT_MS;
    return name !== '' && view.get('node', name)?.spec.role !== 'manager';
  });
}

/** Pure: what must change in the nodes. */
export function statusChanges(
  view: View,
  members: ReadonlySet<string>,
  { selfId, live }: { readonly selfId: string; readonly live: ReadonlyMap<string, LiveManager> },
): readonly Change[] {
  return [...view.list('node')].flatMap((node): readonly Change[] => {
    const next = members.has(node.id) ? asManager(node, selfId, live.get(node.id)) : asWorker(node);
    return JSON.stringify(next) === JSON.stringify(node) ? [] : [{ action: 'update', object: next }];
  });
}

function asManager(node: Node, selfId: string, alive: LiveManager | undefined): Node {
  const address = alive?.address ?? node.manager?.address ?? '';
  const manager: ManagerStatus = { leader: node.id === selfId, reachability: alive === undefined ? 'unreachable' : 'reachable', address };
  return { ...node, role: 'manager', manager };
}

/** A node that is to become a manager and has not yet keeps the role that it has. */
function asWorker(node: Node): Node {
  const { manager: _manager, ...rest } = node;
  return { ...rest, role: 'worker' };
}

/** The leader itself is demoted: another one leads first, and takes it out then. */
async function handOver({ client, selfId, live, log }: ManagerKeeperOptions, members: readonly Member[]): Promise<void> {
  const heir = members.find(({ name, isLearner }) => name !== selfId && !isLearner && live().has(name));
  if (heir === undefined) throw new AppError('unavailable', 'there is no other manager to lead');
  log.info({ node: heir.name }, 'this manager was demoted; another one leads from now on');
  await client.moveLeader(heir.id);
}
