// Keeps a second daemon off a state directory.
import { join } from 'node:path';
import { AppError } from '#lib/errors.ts';
import { type FileLock, tryLockFile } from './lock-file.ts';

export type StateLock = FileLock;

/** Throws AppError `failedPrecondition` when another process holds the directory. */
export function lockStateDirectory(directory: string): StateLock {
  let lock: FileLock | undefined;
  try {
    lock = tryLockFile(join(directory, 'skepd.lock'));
  } catch (cause) {
    throw new AppError('failedPrecondition', `cannot lock the state directory ${directory}`, { cause });
  }
  if (lock === undefined) throw new AppError('failedPrecondition', `another skepd uses the state directory ${directory}`);
  return lock;
}
