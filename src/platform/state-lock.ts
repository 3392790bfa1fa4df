// Keeps a second daemon off a state directory.
import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';
import { AppError, errorMessage } from '#lib/errors.ts';
import { type FileLock, tryLockFile } from './lock-file.ts';

export type StateLock = FileLock;

/** Throws AppError `failedPrecondition` when another process holds the directory. */
export function lockStateDirectory(directory: string): StateLock {
  let lock: FileLock | undefined;
  try {
    lock = tryLockFile(join(directory, 'skepd.lock'));
  } catch (cause) {
    throw new AppError(
      'failedPrecondition',
      `cannot lock the state directory ${directory}: ${isReadOnly(directory) ? 'it is on a read-only file system' : errorMessage(cause)}`,
      { cause },
    );
  }
  if (lock === undefined) throw new AppError('failedPrecondition', `another skepd uses the state directory ${directory}`);
  return lock;
}

/** The lock itself only says that it cannot open a file. */
function isReadOnly(directory: string): boolean {
  try {
    accessSync(directory, constants.W_OK);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EROFS';
  }
}
