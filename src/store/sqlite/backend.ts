// The engine of a single manager: one SQLite file, one process, one writer. A commit is acknowledged once it is on disk (WAL with
// synchronous=FULL). Commits that wait together share a transaction and so its fsync, which is what a commit costs.
import { chmodSync, closeSync, fsyncSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { ObjectKind, StoreObject } from '#domain/objects.ts';
import { AppError, errorMessage } from '#lib/errors.ts';
import type { BackendResult, ObjectKey, StoreBackend, StoredWrite } from '../backend.ts';
import { isIntact } from '../checked-json.ts';
import { prepareSchema } from './schema.ts';
import { damagedError, storeError } from './sqlite-error.ts';
import { createRows, type Rows } from './rows.ts';

interface Waiting {
  readonly writes: readonly StoredWrite[];
  readonly resolve: (result: BackendResult) => void;
  readonly reject: (error: unknown) => void;
}

/** A transaction holds the event loop, with the view and the watchers that hear of it: some 20 ms for 500 writes. One commit may be larger, it cannot be split. */
const MAX_WRITES_PER_TRANSACTION = 500;
/** Beyond this the disk has stopped; it bounds the memory that waiting commits take. */
const MAX_WAITING_COMMITS = 10_000;
/** Objects that are read between two turns of the event loop, about a millisecond. */
const PAGE = 200;
export interface SqliteOptions {
  readonly path: string;
  /** How long opening waits (blocking) for a predecessor that is about to end. Default 2,000. */
  readonly lockTimeoutMs?: number;
}

/** Opens or creates the file (mode 0600) and keeps it for this process alone. Throws an AppError that says what is wrong with it. */
export function openSqliteBackend({ path, lockTimeoutMs = 2_000 }: SqliteOptions): StoreBackend {
  const database = openDatabase(path, lockTimeoutMs);
  const rows = createRows(database);
  const waiting: Waiting[] = [];
  let revision = 0;
  let listener: ((revision: number, writes: readonly StoredWrite[]) => void) | undefined;
  let isClosed = false;

  function flush(): void {
    const group = takeGroup(waiting);
    if (group.length === 0) return;
    if (waiting.length > 0) setImmediate(flush);
    const committed: { readonly revision: number; readonly writes: readonly StoredWrite[] }[] = [];
    let results: readonly BackendResult[];
    try {
      results = inTransaction(database, () => {
        const outcome = group.map(({ writes }): BackendResult => {
          const refused = rows.refusal(writes);
          if (refused) return refused;
          const next = revision + committed.length + 1;
          rows.write(writes, next);
          committed.push({ revision: next, writes });
          return { kind: 'committed', revision: next };
        });
        if (committed.length > 0) rows.setRevision(revision + committed.length);
        return outcome;
      });
    } catch (error) {
      for (const { reject } of group) reject(storeError(error, path));
      return;
    }
    for (const commit of committed) {
      revision = commit.revision;
      listener?.(commit.revision, commit.writes);
    }
    for (const [index, { resolve }] of group.entries()) resolve(results[index] as BackendResult);
  }

  return {
    async load() {
      const loaded = loadAll(rows, path);
      revision = loaded.revision;
      return loaded;
    },
    commit(writes) {
      if (isClosed) return Promise.reject(new AppError('unavailable', 'the store is closed'));
      if (waiting.length >= MAX_WAITING_COMMITS) {
        return Promise.reject(new AppError('resourceExhausted', `${waiting.length} changes wait for the disk that holds ${path}; try again later`));
      }
      return new Promise((resolve, reject) => {
        waiting.push({ writes, resolve, reject });
        // After everything that the event loop has at hand now: commits of requests that came together go together.
        if (waiting.length === 1) setImmediate(flush);
      });
    },
    subscribe(next) {
      listener = next;
    },
    async *damaged(signal) {
      let after: ObjectKey = { kind: '' as ObjectKind, id: '' };
      for (;;) {
        await nextTurn();
        if (isClosed || signal.aborted) return;
        const page = rows.page(after, PAGE);
        for (const { kind, id, body } of page) if (!isIntact(body)) yield { kind, id };
        const last = page.at(-1);
        if (last === undefined) return;
        after = last;
      }
    },
    async close() {
      if (isClosed) return;
      isClosed = true;
      while (waiting.length > 0) flush();
      listener = undefined;
      database.close();
    },
  };
}

export function openDatabase(path: string, timeout: number): DatabaseSync {
  let database: DatabaseSync | undefined;
  try {
    createPrivateFile(path);
    database = new DatabaseSync(path, { timeout });
    // The lock keeps a second daemon out; and without sharers there is no -shm file.
    database.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL');
    database.exec('PRAGMA journal_size_limit = 16777216; PRAGMA cache_size = -4096; PRAGMA temp_store = MEMORY');
    prepareSchema(database, path);
    const check = database.prepare('PRAGMA quick_check(1)').get()?.['quick_check'];
    if (check !== 'ok') throw damagedError(path, String(check));
    return database;
  } catch (error) {
    if (database?.isOpen) database.close();
    throw storeError(error, path);
  }
}

/** SQLite gives the files beside it (-wal) the same mode. */
function createPrivateFile(path: string): void {
  try {
    closeSync(openSync(path, 'a', 0o600));
    chmodSync(path, 0o600);
    const folder = openSync(dirname(path), 'r');
    fsyncSync(folder);
    closeSync(folder);
  } catch (error) {
    throw new AppError('unavailable', `${path} cannot be opened for writing (${errorMessage(error)}); check the folder's owner, permissions and mount`, {
      cause: error,
    });
  }
}

function loadAll(rows: Rows, path: string): { readonly revision: number; readonly objects: readonly StoreObject[] } {
  try {
    return { revision: rows.revision(), objects: rows.objects() };
  } catch (error) {
    if (error instanceof SyntaxError) throw damagedError(path, error.message, { cause: error });
    throw storeError(error, path);
  }
}

/** Runs and commits, or rolls everything back and throws. */
function inTransaction<T>(database: DatabaseSync, run: () => T): T {
  database.exec('BEGIN IMMEDIATE');
  try {
    const result = run();
    database.exec('COMMIT');
    return result;
  } catch (error) {
    // On a full disk SQLite may have rolled back by itself.
    if (database.isTransaction) database.exec('ROLLBACK');
    throw error;
  }
}

/** Takes commits from the front, at least one. */
function takeGroup(waiting: Waiting[]): readonly Waiting[] {
  let writeCount = 0;
  let length = 0;
  while (length < waiting.length && (length === 0 || writeCount < MAX_WRITES_PER_TRANSACTION)) writeCount += waiting[length++]?.writes.length ?? 0;
  return waiting.splice(0, length);
}
