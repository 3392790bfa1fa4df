// What an engine must do to keep the store: load everything, commit a batch conditionally, and tell of commits in order.
// SQLite implements it in one process; etcd can with one transaction per batch (compare mod-revisions and claim keys).
import type { ObjectKind, StoreObject } from '#domain/objects.ts';

export interface StoredWrite {
  readonly kind: ObjectKind;
  readonly id: string;
  /** The new object; its `version` is set to the commit's revision by the engine's caller. Absent: delete. */
  readonly object?: StoreObject;
  /** Version that must be stored now; 0: the id must be free. */
  readonly expectedVersion: number;
  readonly addClaims: readonly string[];
  readonly removeClaims: readonly string[];
}

/** A condition beside the writes: whoever wrote this key last, at this revision of the engine, still holds it. Engines of one process need none. */
export interface Fence {
  readonly key: string;
  readonly revision: number;
}

export type BackendResult =
  | { readonly kind: 'committed'; readonly revision: number }
  | { readonly kind: 'conflict'; readonly objectKind: ObjectKind; readonly id: string }
  | { readonly kind: 'claimed'; readonly claim: string };

export interface ObjectKey {
  readonly kind: ObjectKind;
  readonly id: string;
}

export interface StoreBackend {
  /** Everything stored and the revision it stands at. Called once, before anything else. */
  load(): Promise<{ readonly revision: number; readonly objects: readonly StoreObject[] }>;
  /**
   * Writes all or nothing, durably. `revisionHint` is the caller's current revision; the result's revision is larger.
   * Failures of the medium reject with AppError `resourceExhausted` (disk full) or `unavailable`; so does a fence that no longer holds.
   */
  commit(writes: readonly StoredWrite[], fence?: Fence): Promise<BackendResult>;
  /**
   * Commits in order, also those of others, from the loaded revision on. An engine with one writer calls it within `commit`,
   * before resolving.
   */
  subscribe(listener: (revision: number, writes: readonly StoredWrite[]) => void): void;
  /** Reads everything again from where it is kept, a little at a time, and gives what is not as it was written (checked-json.ts). */
  damaged?(signal: AbortSignal): AsyncIterable<ObjectKey>;
  close(): Promise<void>;
}
