// Which of several managers leads. The manager whose etcd member leads the cluster takes the leader's key at once after each election, so a change of leader
// takes as long as etcd's own election. The key's revision is the fence of everything that a leader's control loops write: whoever lost it cannot write.
// The key hangs on a lease, so that a manager whose etcd goes on without it loses it too; then any manager may take it.
import type { EtcdClient } from '#etcd/client.ts';
import type { KeyValue } from '#etcd/messages.ts';
import type { Clock } from '#lib/clock.ts';
import { errorMessage } from '#lib/errors.ts';
import type { Logger } from '#lib/log.ts';
import type { Fence } from '#store/backend.ts';

export interface LiveManager {
  readonly nodeId: string;
  /** host:port */
  readonly address: string;
}

export interface Leadership {
  /** Whom this manager takes for the leader now. */
  leader(): LiveManager | undefined;
  /** Managers whose daemons have shown that they are alive within the last seconds, this one included. */
  live(): ReadonlyMap<string, LiveManager>;
  /** True while this manager's member of etcd hears of a leader: writes may succeed. */
  hasQuorum(): boolean;
  /** Campaigns until the signal aborts, then gives everything up so that another takes over at once. */
  run(signal: AbortSignal): Promise<void>;
}

export interface LeadershipOptions {
  readonly client: EtcdClient;
  readonly self: LiveManager;
  /** Leads until the signal aborts. */
  readonly lead: (fence: Fence, signal: AbortSignal) => Promise<void>;
  readonly clock: Clock;
  readonly log: Logger;
  readonly prefix?: string;
}

const TICK_MS = 100;
const LEASE_SECONDS = 3;
const KEEP_MS = 1_000;
/** A leader that hears of no quorum for this long stops deciding; its writes would not succeed anyway. */
const LEADERLESS_MS = 2_000;
/** The manager beside etcd's leader takes a key that is free; after this long any other does. */
const FREE_MS = 1_000;

interface LeaderKey extends LiveManager {
  /** etcd's term in which it was taken. */
  readonly term: number;
}

interface Live {
  readonly leader: { readonly value: LeaderKey; readonly revision: number } | undefined;
  readonly managers: ReadonlyMap<string, LiveManager>;
}

export function createLeadership(options: LeadershipOptions): Leadership {
  return new Campaign(options);
}

class Campaign implements Leadership {
  private readonly options: LeadershipOptions;
  private readonly prefix: string;
  private known: Live = { leader: undefined, managers: new Map() };
  private lease: string | undefined;
  private keptAt = 0;
  private quorumAt = -Infinity;
  private freeSince: number | undefined;
  private term: { readonly fence: Fence; readonly stop: AbortController; readonly done: Promise<void> } | undefined;

  constructor(options: LeadershipOptions) {
    this.options = options;
    this.prefix = options.prefix ?? 'skep-live/';
  }

  leader(): LiveManager | undefined {
    return this.hasQuorum() ? this.known.leader?.value : undefined;
  }

  live(): ReadonlyMap<string, LiveManager> {
    return this.known.managers;
  }

  hasQuorum(): boolean {
    return this.options.clock.elapsed() - this.quorumAt < LEADERLESS_MS;
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.options;
    while (!signal.aborted) {
      await this.tick().catch((error: unknown) => log.debug({ error: errorMessage(error) }, 'etcd does not answer the campaign'));
      if (!this.hasQuorum()) await this.standDown('etcd has no quorum');
      await clock.sleep(TICK_MS, signal).catch(() => {});
    }
    await this.standDown('this manager stops');
    if (this.lease !== undefined) await this.options.client.revokeLease(this.lease).catch(() => {});
  }

  private async tick(): Promise<void> {
    const { client, clock, self } = this.options;
    const status = await client.status();
    if (status.leaderId === undefined || status.isLearner) return;
    this.quorumAt = clock.elapsed();
    this.known = readLive((await client.range({ key: this.prefix, prefix: true, serializable: true })).items, this.prefix);
    await this.keepAlive();
    const { leader } = this.known;
    if (this.term !== undefined && leader?.revision !== this.term.fence.revision) await this.standDown('another manager leads');
    this.freeSince = leader === undefined ? (this.freeSince ?? clock.elapsed()) : undefined;
    if (this.term !== undefined) return;
    const leadsEtcd = status.leaderId === status.memberId;
    const isFree = this.freeSince !== undefined && clock.elapsed() - this.freeSince >= FREE_MS;
    // A key of this manager that it does not hold is one of its former life.
    const isOlder = leader === undefined || leader.value.term < status.term || leader.value.nodeId === self.nodeId;
    if ((leadsEtcd && isOlder) || isFree) await this.take(status.term);
  }

  private async take(term: number): Promise<void> {
    const { client, self, log, lead } = this.options;
    const key = `${this.prefix}leader`;
    const { leader } = this.known;
    const condition = leader === undefined ? { key, createRevision: 0 } : { key, modRevision: leader.revision };
    const value = JSON.stringify({ ...self, term } satisfies LeaderKey);
    const { succeeded, revision } = await client.txn({ compare: [condition], success: [{ key, value, ...this.leased() }] });
    if (!succeeded) return;
    this.known = { ...this.known, leader: { value: { ...self, term }, revision } };
    log.info({ term }, 'this manager leads the swarm');
    const stop = new AbortController();
    const fence = { key, revision };
    const done = lead(fence, stop.signal).catch((error: unknown) => log.error({ error: errorMessage(error) }, 'leading ended with an error'));
    this.term = { fence, stop, done };
  }

  private async standDown(reason: string): Promise<void> {
    if (this.term === undefined) return;
    const { stop, done } = this.term;
    this.term = undefined;
    this.options.log.info({ reason }, 'this manager does not lead any more');
    stop.abort();
    await done;
  }

  /** Shows the others that this manager is alive. */
  private async keepAlive(): Promise<void> {
    const { client, clock, self } = this.options;
    if (this.lease !== undefined && clock.elapsed() - this.keptAt >= KEEP_MS) {
      if (!(await client.keepLease(this.lease))) this.lease = undefined;
      this.keptAt = clock.elapsed();
    }
    if (this.lease === undefined) {
      this.lease = await client.grantLease(LEASE_SECONDS);
      this.keptAt = clock.elapsed();
    } else if (this.known.managers.has(self.nodeId)) return;
    const key = `${this.prefix}manager/${self.nodeId}`;
    await client.txn({ compare: [], success: [{ key, value: JSON.stringify(self), ...this.leased() }] });
  }

  private leased(): { readonly lease?: string } {
    return this.lease === undefined ? {} : { lease: this.lease };
  }
}

function readLive(items: readonly KeyValue[], prefix: string): Live {
  const managers = new Map<string, LiveManager>();
  let leader: Live['leader'];
  for (const { key, value, modRevision } of items) {
    if (key === `${prefix}leader`) leader = { value: JSON.parse(value) as LeaderKey, revision: modRevision };
    else {
      const manager = JSON.parse(value) as LiveManager;
      managers.set(manager.nodeId, manager);
    }
  }
  return { leader, managers };
}
