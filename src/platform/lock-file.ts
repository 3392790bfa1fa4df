// The kernel's lock on a file, held through SQLite because Node has no call for it: it ends with the process, however that ends, so there is no stale lock to
// judge.
import { chmodSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';

export interface FileLock {
  release(): void;
}

/** Makes the file if need be. Undefined when another process holds it; throws when it cannot be locked at all. */
export function tryLockFile(path: string): FileLock | undefined {
  const database = new DatabaseSync(path);
  try {
    chmodSync(path, 0o600);
    database.exec('PRAGMA journal_mode=MEMORY; PRAGMA busy_timeout=0; BEGIN EXCLUSIVE');
  } catch (error) {
    database.close();
    if (error instanceof Error && /locked|busy/i.test(error.message)) return undefined;
    throw error;
  }
  return { release: () => database.close() };
}
