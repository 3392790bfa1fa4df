// The cluster data key on this manager's disk: as it is, or wrapped with the unlock key when autolock is on.
import { AppError, errorMessage } from '#lib/errors.ts';
import type { Logger } from '#lib/log.ts';
import { readFileIfPresent, writeFileAtomically } from '#platform/files.ts';
import { RESTORE_OR_LEAVE } from './membership-texts.ts';
import { unwrapDataKey, wrapDataKey } from '#store/seal.ts';

export type StoredDataKey =
  | { readonly kind: 'plain'; readonly key: Uint8Array }
  | { readonly kind: 'locked'; readonly unlock: (unlockKey: Uint8Array) => Uint8Array };

const PLAIN = 'plain:';
const WRAPPED = 'wrapped:';

/** Undefined when there is none. */
export function readDataKey(path: string): StoredDataKey | undefined {
  const text = readFileIfPresent(path)?.trim();
  if (text === undefined) return undefined;
  if (text.startsWith(PLAIN)) return { kind: 'plain', key: Buffer.from(text.slice(PLAIN.length), 'base64') };
  if (text.startsWith(WRAPPED)) return { kind: 'locked', unlock: (unlockKey) => unwrapDataKey(text.slice(WRAPPED.length), unlockKey) };
  throw new AppError('dataLoss', `${path} is damaged; ${RESTORE_OR_LEAVE}`);
}

/** Without an unlock key the data key lies open, readable by root only. Nothing is written when it would say the same. */
export function writeDataKey(path: string, dataKey: Uint8Array, unlockKey: Uint8Array | undefined): void {
  const stored = readDataKey(path);
  if (unlockKey === undefined) {
    if (stored?.kind !== 'plain') writeFileAtomically(path, PLAIN + Buffer.from(dataKey).toString('base64'));
  } else if (stored?.kind !== 'locked' || !opens(stored, unlockKey)) {
    writeFileAtomically(path, WRAPPED + wrapDataKey(dataKey, unlockKey));
  }
}

function opens(stored: Extract<StoredDataKey, { kind: 'locked' }>, unlockKey: Uint8Array): boolean {
  try {
    stored.unlock(unlockKey);
    return true;
  } catch {
    return false;
  }
}

/** Throws AppError in Docker's words when the key does not fit. */
export function unlockDataKey(dataKey: Extract<StoredDataKey, { kind: 'locked' }>, unlockKey: Uint8Array): Uint8Array {
  try {
    return dataKey.unlock(unlockKey);
  } catch (error) {
    throw new AppError('unauthenticated', 'swarm could not be unlocked: invalid key provided', { cause: error });
  }
}

export interface DataKeyKeeperOptions {
  readonly file: string;
  readonly dataKey: Uint8Array;
  /** Undefined while autolock is off. */
  readonly unlockKey: () => Uint8Array | undefined;
  /** What else lies on this disk as autolock wants it; tried again with the key's file when it throws. */
  readonly keepLocked: (isLocked: boolean) => void;
  /** The key does not lie open any more. */
  readonly onLocked: () => void;
  readonly log: Logger;
}

/** Keeps the file as the swarm's autolock wants it; to be called when that may have changed, and at any other event: what a full disk did not take is tried again. */
export function createDataKeyKeeper({ file, dataKey, unlockKey, keepLocked, onLocked, log }: DataKeyKeeperOptions): (mayHaveChanged: boolean) => void {
  let isKept = true;
  let isLocked = false;
  return (mayHaveChanged) => {
    if (!mayHaveChanged && isKept) return;
    const key = unlockKey();
    try {
      writeDataKey(file, dataKey, key);
      keepLocked(key !== undefined);
    } catch (error) {
      if (isKept) log.error({ file, error: errorMessage(error) }, "this manager's keys could not be written as autolock wants them; it is tried again");
      isKept = false;
      return;
    }
    isKept = true;
    if (key !== undefined && !isLocked) onLocked();
    isLocked = key !== undefined;
  };
}
