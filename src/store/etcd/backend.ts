// The engine of several managers: etcd. A commit is one transaction; every manager hears of all commits, its own too, from one ordered watch of the local
// member. A commit resolves when that watch has brought it, so the view shows it by then.
import type { StoreObject } from '#domain/objects.ts';
import type { EtcdClient } from '#etcd/client.ts';
import { isNoLeader } from '#etcd/client.ts';
import type { WatchEvent } from '#etcd/messages.ts';
import { MAX_TXN_OPERATIONS } from '#etcd/process.ts';
import type { Clock } from '#lib/clock.ts';
import { AppError, errorMessage, rpcError } from '#lib/errors.ts';
import type { Logger } from '#lib/log.ts';
import type { BackendResult, Fence, ObjectKey, StoreBackend, StoredWrite } from '../backend.ts';
import { DEFAULT_PREFIX, keysUnder } from './keys.ts';
import { damagedObjects, readSnapshot, type Snapshot } from './snapshot.ts';
import { claimedTwice, createTransaction, FENCED, type Transaction } from './transaction.ts';
import { commitsOfReload, createRevisionBook, writesOfEvents } from './writes.ts';

export interface EtcdBackendOptions {
  readonly client: EtcdClient;
  readonly clock: Clock;
  readonly log: Logger;
  readonly prefix?: string;
}

/** An election takes about a second: a commit waits for its end rather than fail. After this long without a leader commits fail at once. */
const LEADERLESS_MS = 4_000;
const COMMIT_TIMEOUT_MS = 6_000;
/** A member that has not noticed yet that its leader is gone passes commits on to nobody: they are tried again soon. */
const TRY_TIMEOUT_MS = 1_000;
/** A commit of more operations than this may take longer than that by itself. */
const SMALL_COMMIT = 200;
const RETRY_MS = 50;
const RECONNECT_MS = 50;
/** Between etcd's answer and the watch's news lies the local member only. */
const DELIVERY_TIMEOUT_MS = 10_000;
/** It bounds the memory that waiting commits take. */
const MAX_WAITING_COMMITS = 10_000;

/** SwarmKit's words. */
const NO_LEADER = "The swarm does not have a leader. It's possible that too few managers are online. Make sure more than half of the managers are online.";

export function openEtcdBackend(options: EtcdBackendOptions): StoreBackend {
  return new EtcdBackend(options);
}

type Listener = (revision: number, writes: readonly StoredWrite[]) => void;

class EtcdBackend implements StoreBackend {
  private readonly options: EtcdBackendOptions;
  private readonly prefix: string;
  private readonly keys: ReturnType<typeof keysUnder>;
  private isClosed = false;
  /** Ends the watch, once nobody waits for its news any more. */
  private readonly closing = new AbortController();
  private readonly book = createRevisionBook();
  private listener: Listener | undefined;
  private base = 0;
  /** Revision of etcd up to which the listener has been told. */
  private delivered = 0;
  private readonly deliveries = new Set<{ readonly revision: number; readonly resolve: () => void }>();
  /** The last commit that uses a key, by key. */
  private readonly tails = new Map<string, Promise<unknown>>();
  private readonly underWay = new Set<Promise<unknown>>();
  private leaderlessSince: number | undefined;
  private watching: Promise<void> = Promise.resolve();

  constructor(options: EtcdBackendOptions) {
    this.options = options;
    this.prefix = options.prefix ?? DEFAULT_PREFIX;
    this.keys = keysUnder(this.prefix);
  }

  async load(): Promise<{ readonly revision: number; readonly objects: readonly StoreObject[] }> {
    const snapshot = await readSnapshot(this.options.client, this.prefix);
    this.base = snapshot.meta.base;
    this.delivered = snapshot.revision;
    this.book.reset(snapshot);
    this.watching = this.keepWatching();
    const objects = snapshot.objects.map(({ object, modRevision }) => ({ ...object, version: object.version || this.base + modRevision }));
    return { revision: this.base + snapshot.revision, objects };
  }

  subscribe(listener: Listener): void {
    this.listener = listener;
  }

  commit(writes: readonly StoredWrite[], fence?: Fence): Promise<BackendResult> {
    if (this.isClosed) return Promise.reject(closedError());
    if (this.underWay.size >= MAX_WAITING_COMMITS)
      return Promise.reject(new AppError('resourceExhausted', `${this.underWay.size} changes wait for etcd; try again later`));
    const transaction = createTransaction(writes, this.keys, (key, version) => this.book.modRevisionOf(key, version, this.base), fence);
    if (transaction.request.success.length > MAX_TXN_OPERATIONS || transaction.request.compare.length > MAX_TXN_OPERATIONS)
      return Promise.reject(new AppError('resourceExhausted', `a change of ${writes.length} objects at once is too large for etcd`));
    const twice = claimedTwice(writes);
    const before = transaction.keys.flatMap((key) => this.tails.get(key) ?? []);
    const result = Promise.allSettled(before).then(() => (twice === undefined ? this.send(transaction) : { kind: 'claimed' as const, claim: twice }));
    this.follow(transaction.keys, result);
    return result;
  }

  damaged(signal: AbortSignal): AsyncIterable<ObjectKey> {
    return damagedObjects(this.options.client, this.prefix, signal);
  }

  async close(): Promise<void> {
    if (this.isClosed) return;
    this.isClosed = true;
    await Promise.allSettled(this.underWay);
    this.closing.abort();
    await this.watching;
    this.listener = undefined;
  }

  /** Commits with a key in common go one after the other; all others go side by side. */
  private follow(keys: readonly string[], result: Promise<unknown>): void {
    const settled = result.catch(() => {});
    this.underWay.add(settled);
    for (const key of keys) this.tails.set(key, settled);
    void settled.then(() => {
      this.underWay.delete(settled);
      for (const key of keys) if (this.tails.get(key) === settled) this.tails.delete(key);
    });
  }

  /**
   * Tries until there is an answer, for as long as an election may take. A try that gets none, because the leader went away with it, may have been written or
   * not: the next one finds that out.
   */
  private async send(transaction: Transaction): Promise<BackendResult> {
    const { request } = transaction;
    const { client, clock } = this.options;
    const giveUpAt = clock.elapsed() + COMMIT_TIMEOUT_MS;
    const timeoutMs = request.success.length > SMALL_COMMIT ? COMMIT_TIMEOUT_MS : TRY_TIMEOUT_MS;
    for (let isUncertain = false; ; ) {
      try {
        const result = await client.txn({ ...request, readValues: isUncertain }, timeoutMs);
        this.leaderlessSince = undefined;
        const revision = result.succeeded ? result.revision : isUncertain ? transaction.writtenAt(result) : undefined;
        if (revision === undefined) return transaction.refusal(result);
        await this.delivery(revision);
        return { kind: 'committed', revision: this.base + revision };
      } catch (error) {
        if (!mayPass(error)) throw commitError(error);
        if (isNoLeader(error)) this.leaderlessSince ??= clock.elapsed();
        else isUncertain = true;
        const isHopeless = this.leaderlessSince !== undefined && clock.elapsed() - this.leaderlessSince >= LEADERLESS_MS;
        if (isHopeless || clock.elapsed() >= giveUpAt || this.isClosed) throw rpcError('unknown', NO_LEADER, { cause: error });
      }
      await clock.sleep(RETRY_MS);
    }
  }

  private delivery(revision: number): Promise<void> {
    if (this.delivered >= revision) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const waiter = { revision, resolve: () => done(resolve) };
      const done = (settle: () => void) => {
        cancel();
        this.deliveries.delete(waiter);
        settle();
      };
      const late = () => reject(new AppError('unavailable', 'the change was written, but this manager has not heard of it from etcd in time'));
      const cancel = this.options.clock.schedule(DELIVERY_TIMEOUT_MS, () => done(late));
      this.deliveries.add(waiter);
    });
  }

  private async keepWatching(): Promise<void> {
    const { clock, log } = this.options;
    const { signal } = this.closing;
    while (!signal.aborted) {
      try {
        await this.watch();
      } catch (error) {
        if (!signal.aborted) log.debug({ error: errorMessage(error) }, 'the watch of etcd ended; it is begun again');
      }
      await clock.sleep(RECONNECT_MS, signal).catch(() => {});
    }
  }

  private async watch(): Promise<void> {
    const { client, log } = this.options;
    for await (const message of client.watch({ prefix: this.prefix, startRevision: this.delivered + 1 }, this.closing.signal)) {
      if (message.kind === 'events') this.deliver(message.events);
      else if (message.kind === 'progress') this.arrive(message.revision);
      else if (message.kind === 'cancelled') {
        if (message.compactRevision === 0) throw new AppError('unavailable', message.reason);
        log.info({ revision: this.delivered }, 'this manager was away for too long to follow etcd step by step; it reads everything again');
        this.reload(await readSnapshot(client, this.prefix));
        return;
      }
    }
  }

  private deliver(events: readonly WatchEvent[]): void {
    for (let start = 0; start < events.length; ) {
      const revision = events[start]?.modRevision ?? 0;
      let end = start;
      while (events[end]?.modRevision === revision) end++;
      // After a reconnect a revision may come once more.
      if (revision > this.delivered) {
        const writes = writesOfEvents(events.slice(start, end), this.keys, this.book);
        if (writes.length > 0) this.listener?.(this.base + revision, writes);
        this.arrive(revision);
      }
      start = end;
    }
  }

  private reload(snapshot: Snapshot): void {
    const commits = commitsOfReload(snapshot, this.keys, this.book);
    this.book.reset(snapshot);
    for (const { revision, writes } of commits) this.listener?.(this.base + revision, writes);
    this.arrive(snapshot.revision);
  }

  private arrive(revision: number): void {
    this.delivered = Math.max(this.delivered, revision);
    for (const waiter of this.deliveries) if (waiter.revision <= this.delivered) waiter.resolve();
  }
}

function closedError(): AppError {
  return new AppError('unavailable', 'the store is closed');
}

/** etcd is between two leaders, or this member is being started again. */
function mayPass(error: unknown): boolean {
  return error instanceof AppError && error.message !== FENCED && (error.code === 'unavailable' || error.code === 'deadlineExceeded');
}

function commitError(error: unknown): unknown {
  if (error instanceof AppError && error.code === 'resourceExhausted' && error.message.includes('space exceeded'))
    return new AppError('resourceExhausted', 'the store in etcd has reached its limit of 4 GiB; remove what is not needed', { cause: error });
  return error;
}
