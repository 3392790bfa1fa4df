// What protects a backup: the swarm's data key opens it, and lies in its header as the swarm keeps it (open, or wrapped by the unlock key when autolock is on),
// or wrapped by a passphrase that the user gave.
import { scrypt } from 'node:crypto';
import type { BackupKey } from '#lib/backup-header.ts';
import type { Random } from '#lib/clock.ts';
import { AppError } from '#lib/errors.ts';
import { parseUnlockKey, unwrapDataKey, wrapDataKey } from '../seal.ts';

export type Protection =
  | { readonly kind: 'none' }
  | { readonly kind: 'unlock-key'; readonly unlockKey: Uint8Array }
  | { readonly kind: 'passphrase'; readonly passphrase: string };

/** scrypt's N, with r 8 and p 1: 128 MB and about half a second for each guess (OWASP's first choice). */
const COST = 2 ** 17;
/** A file may say less (an older program) or somewhat more; not so much that reading it takes all memory. */
const MAX_COST = 2 ** 20;
const SALT_BYTES = 16;
const KEY_BYTES = 32;

export const MIN_PASSPHRASE_LENGTH = 8;

export async function protectKey(dataKey: Uint8Array, protection: Protection, random: Random): Promise<BackupKey> {
  switch (protection.kind) {
    case 'none':
      return { kind: 'plain', key: Buffer.from(dataKey).toString('base64') };
    case 'unlock-key':
      return { kind: 'unlock-key', wrapped: wrapDataKey(dataKey, protection.unlockKey, random) };
    case 'passphrase': {
      if (protection.passphrase.length < MIN_PASSPHRASE_LENGTH)
        throw new AppError('invalidArgument', `a passphrase has at least ${MIN_PASSPHRASE_LENGTH} characters`);
      const salt = random.bytes(SALT_BYTES);
      const wrapped = wrapDataKey(dataKey, await derive(protection.passphrase, salt, COST), random);
      return { kind: 'passphrase', wrapped, salt: Buffer.from(salt).toString('base64'), cost: COST };
    }
  }
}

/** The data key. `secret` is what the user gave: the unlock key or the passphrase; empty: nothing. Throws AppError `unauthenticated` when it does not open it. */
export async function openKey(key: BackupKey, secret: string): Promise<Uint8Array> {
  switch (key.kind) {
    case 'plain':
      return Buffer.from(key.key, 'base64');
    case 'unlock-key':
      if (secret === '') throw new AppError('unauthenticated', 'the backup is of a swarm with autolock: the unlock key of that time is needed to restore it');
      return opened('unlock key', () => unwrapDataKey(key.wrapped, parseUnlockKey(secret)));
    case 'passphrase': {
      if (secret === '') throw new AppError('unauthenticated', 'the backup is protected by a passphrase, which is needed to restore it');
      if (!(key.cost <= MAX_COST)) throw new AppError('invalidArgument', 'the backup asks for more memory than any that skepd writes; it was tampered with');
      const derived = await derive(secret, Buffer.from(key.salt, 'base64'), key.cost);
      return opened('passphrase', () => unwrapDataKey(key.wrapped, derived));
    }
  }
}

function opened(what: string, open: () => Uint8Array): Uint8Array {
  try {
    return open();
  } catch (error) {
    if (error instanceof AppError && error.code !== 'unauthenticated') throw error;
    throw new AppError('unauthenticated', `this ${what} does not open the backup; nothing was changed`, { cause: error });
  }
}

function derive(passphrase: string, salt: Uint8Array, cost: number): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    scrypt(passphrase.normalize('NFC'), salt, KEY_BYTES, { N: cost, r: 8, p: 1, maxmem: 256 * cost * 8 }, (error, key) => {
      if (error === null) resolve(key);
      else reject(new AppError('invalidArgument', 'the backup is damaged: its passphrase parameters make no sense', { cause: error }));
    });
  });
}
