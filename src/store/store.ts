// The store as the rest of the program sees it: a view in memory, commits, and an ordered watch.
// It is the same whatever engine keeps the data (sqlite/, memory.ts, later etcd/); those implement StoreBackend in backend.ts.
import type { Change, StoreEvent, View, Writer } from '#domain/view.ts';
import type { Fence } from './backend.ts';

export interface Store {
  /** The newest committed state. */
  readonly view: View;
  /**
   * Commits all changes or none. Resolves with the new revision once they are durable and visible in `view`.
   * Rejects with AppError `conflict` when an object changed meanwhile, `alreadyExists` when a claim is taken (message says by what),
   * `resourceExhausted` when the disk is full, `unavailable` when the engine cannot be reached or the fence is lost.
   */
  commit(writer: Writer, changes: readonly Change[]): Promise<number>;
  /**
   * Reads, decides and commits, again from the start after a conflict (at most 10 times). `decide` is synchronous and pure
   * but for the view that it is given; it may throw an AppError to give up.
   */
  update<T>(writer: Writer, decide: (view: View) => { readonly changes: readonly Change[]; readonly result: T }): Promise<T>;
  /**
   * Calls `listener` synchronously after each commit, in order of revision, with all events of that commit.
   * A listener must not throw and must not take long; returns a function that stops it.
   */
  watch(listener: (revision: number, events: readonly StoreEvent[]) => void): () => void;
  /** The same store for a control loop: what it commits is refused with `unavailable` once the fence no longer holds. */
  fenced(fence: Fence): Store;
  /**
   * Looks through what is kept for values that are not as they were written, and writes them again: what is in memory is whole. Resolves with what it found,
   * for instance "service abc".
   */
  mend(signal: AbortSignal): Promise<readonly string[]>;
  close(): Promise<void>;
}
