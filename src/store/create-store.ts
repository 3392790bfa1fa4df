// The store on top of any engine: it turns changes into writes with their expected versions and claims, keeps the state in memory, and
// tells watchers. Durability, order and conflicts are the engine's business (backend.ts).
import type { StoreObject } from '#domain/objects.ts';
import { claimsOf } from '#domain/claims.ts';
import type { Change, StoreEvent, View, Writer } from '#domain/view.ts';
import { assert } from '#lib/assert.ts';
import type { Clock } from '#lib/clock.ts';
import { AppError } from '#lib/errors.ts';
import type { BackendResult, Fence, StoreBackend, StoredWrite } from './backend.ts';
import { claimedError } from './claimed-error.ts';
import type { Store } from './store.ts';
import { createTables, type Tables } from './tables.ts';
import { assertSpecFits } from './weight.ts';
import { assertMayWrite } from './writers.ts';

export interface StoreOptions {
  readonly backend: StoreBackend;
  /** Where createdAt and updatedAt come from. Default: the system's clock. */
  readonly clock?: Pick<Clock, 'now'>;
}

const MAX_UPDATE_TRIES = 10;

type Listener = (revision: number, events: readonly StoreEvent[]) => void;

export async function createStore({ backend, clock = { now: () => Date.now() } }: StoreOptions): Promise<Store> {
  const { revision, objects } = await backend.load();
  const tables = createTables(revision, objects);
  const listeners = new Set<Listener>();
  backend.subscribe((committedRevision, writes) => {
    const events = tables.apply(committedRevision, writes);
    // Whoever starts to watch now begins with the next commit.
    const audience = [...listeners];
    for (const listener of audience) tell(listener, committedRevision, events);
  });

  const commitWith =
    (fence?: Fence): Store['commit'] =>
    async (writer: Writer, changes: readonly Change[]) => {
      if (changes.length === 0) return tables.view.revision;
      const writes = prepareWrites(tables, writer, changes, clock.now());
      return revisionOf(await backend.commit(writes, fence), tables.view, changes);
    };

  function storeWith(commit: Store['commit']): Store {
    return {
      view: tables.view,
      commit,
      update: createUpdate(tables.view, commit),
      watch(listener) {
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
      fenced: (fence) => storeWith(commitWith(fence)),
      mend: (signal) => mend(backend, storeWith(commit), signal),
      close: () => backend.close(),
    };
  }
  return storeWith(commitWith());
}

async function mend(backend: StoreBackend, store: Store, signal: AbortSignal): Promise<readonly string[]> {
  const found: string[] = [];
  for await (const { kind, id } of backend.damaged?.(signal) ?? []) {
    // Whoever rewrote or removed it meanwhile has mended it, too.
    await store.update('manager', (view) => {
      const object = view.get(kind, id);
      return { changes: object === undefined ? [] : [{ action: 'update', object }], result: undefined };
    });
    found.push(`${kind} ${id}`);
  }
  return found;
}

/** A listener that throws breaks its contract, not the commit: the error surfaces as an uncaught one and stops the program. */
function tell(listener: Listener, revision: number, events: readonly StoreEvent[]): void {
  try {
    listener(revision, events);
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}

function createUpdate(view: View, commit: Store['commit']): Store['update'] {
  // Whoever lost a race takes turns with the other losers: among any number of contenders for one object each gets its try.
  let turn: Promise<unknown> = Promise.resolve();
  return async function update(writer, decide) {
    const attempt = async () => {
      const { changes, result } = decide(view);
      await commit(writer, changes);
      return result;
    };
    try {
      return await attempt();
    } catch (error) {
      if (!isConflict(error)) throw error;
    }
    const retried = turn.then(() => retry(attempt, MAX_UPDATE_TRIES - 1));
    turn = retried.catch(() => {});
    return retried;
  };
}

async function retry<T>(attempt: () => Promise<T>, tries: number): Promise<T> {
  for (let left = tries; ; left--) {
    try {
      return await attempt();
    } catch (error) {
      if (left <= 1 || !isConflict(error)) throw error;
    }
  }
}

function isConflict(error: unknown): boolean {
  return error instanceof AppError && error.code === 'conflict';
}

/** Checks what can be checked against the view, and says what the engine shall write under which conditions. */
function prepareWrites({ view }: Tables, writer: Writer, changes: readonly Change[], now: number): readonly StoredWrite[] {
  const seen = new Set<string>();
  return changes.map((change) => {
    const { kind, id } = change.object;
    assert(!seen.has(`${kind}/${id}`), `${writer} changes ${kind} ${id} twice in one commit`);
    seen.add(`${kind}/${id}`);
    const previous: StoreObject | undefined = view.get(kind, id);
    const expectedVersion = change.action === 'create' ? 0 : change.object.version;
    const isCurrent = change.action === 'create' ? !previous : previous?.version === expectedVersion;
    if (!isCurrent) throw conflictError(kind, id);
    if (change.action === 'remove') {
      assertMayWrite(writer, previous, undefined);
      return { kind, id, expectedVersion, addClaims: [], removeClaims: previous ? claimsOf(previous) : [] };
    }
    assertMayWrite(writer, previous, change.object);
    if (writer === 'control') assertSpecFits(change.object);
    const createdAt = previous?.createdAt ?? (change.object.createdAt || now);
    // Whoever creates may name a later time than now, to keep an order; nothing was changed before it was made.
    const object: StoreObject = { ...change.object, version: 0, createdAt, updatedAt: Math.max(now, createdAt) };
    const before = previous ? claimsOf(previous) : [];
    const after = claimsOf(object);
    return {
      kind,
      id,
      object,
      expectedVersion,
      addClaims: after.filter((claim) => !before.includes(claim)),
      removeClaims: before.filter((claim) => !after.includes(claim)),
    };
  });
}

function revisionOf(result: BackendResult, view: View, changes: readonly Change[]): number {
  switch (result.kind) {
    case 'committed':
      return result.revision;
    case 'conflict':
      throw conflictError(result.objectKind, result.id);
    case 'claimed':
      throw claimedError(result.claim, view, changes);
  }
}

function conflictError(kind: string, id: string): AppError {
  return new AppError('conflict', `${kind} ${id} was changed by somebody else meanwhile; read it again and repeat the change`);
}
