// Keeps a second daemon off a state directory. The lock is the kernel's lock on a file, held through SQLite because Node has no call for it:
// it ends with the process, however that ends, so there is no stale lock to judge.
import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { AppError } from '#lib/errors.ts';

export interface StateLock {
  release(): void;
}

/** Throws AppError `failedPrecondition` when another process holds the directory. */
export function lockStateDirectory(directory: string): StateLock {
  const path = join(directory, 'skepd.lock');
  const database = new DatabaseSync(path);
  try {
    chmodSync(path, 0o600);
    database.exec('PRAGMA journal_mode=MEMORY; PRAGMA busy_timeout=0; BEGIN EXCLUSIVE');
  } catch (error) {
    database.close();
    const busy = error instanceof Error && /locked|busy/i.test(error.message);
    throw new AppError('failedPrecondition', busy ? `another skepd uses the state directory ${directory}` : `cannot lock the state directory ${directory}`, {
      cause: error,
    });
  }
  return { release: () => database.close() };
}
