// Sealing: secrets, CA keys and join tokens are encrypted before they reach the store, with the cluster's data key. When autolock is on,
// the data key itself is kept only wrapped by the unlock key. Who holds which key, and where it lies, is the manager's business.
import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';
import { assert } from '#lib/assert.ts';
import type { Random } from '#lib/clock.ts';
import { AppError } from '#lib/errors.ts';

export interface Sealer {
  /** AES-256-GCM with a random nonce. `context` ("secret/<id>") must be the same for opening: sealed text cannot be moved elsewhere. */
  seal(plain: Uint8Array, context: string): string;
  /** Throws AppError `internal` when the text was damaged, comes from another context or was sealed with another key. */
  open(sealed: string, context: string): Uint8Array;
}

export const DATA_KEY_BYTES = 32;
const VERSION = 'skep1:';
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const SALT_BYTES = 16;

const UNLOCK_KEY_BYTES = 32;
const UNLOCK_KEY_PREFIX = 'SWMKEY-1-';
/** 32 bytes are 43 characters of base64 without padding. */
const unlockKeyPattern = /^SWMKEY-1-[A-Za-z0-9+/]{43}$/;

const systemRandom: Random = { bytes: (count) => randomBytes(count) };

export function createDataKey(random: Random = systemRandom): Uint8Array {
  return random.bytes(DATA_KEY_BYTES);
}

export function createSealer(dataKey: Uint8Array, random: Random = systemRandom): Sealer {
  assert(dataKey.length === DATA_KEY_BYTES, 'a data key has 32 bytes');
  return {
    seal: (plain, context) => VERSION + encrypt(dataKey, plain, context, random).toString('base64'),
    open(sealed, context) {
      const plain = sealed.startsWith(VERSION) ? decrypt(dataKey, Buffer.from(sealed.slice(VERSION.length), 'base64'), context) : undefined;
      if (!plain) throw new AppError('internal', `${context} cannot be unsealed: it was damaged, or sealed with another key`);
      return plain;
    },
  };
}

/** The data key, encrypted so that only the unlock key opens it. */
export function wrapDataKey(dataKey: Uint8Array, unlockKey: Uint8Array, random: Random = systemRandom): string {
  const salt = random.bytes(SALT_BYTES);
  return VERSION + Buffer.concat([salt, encrypt(wrappingKey(unlockKey, salt), dataKey, 'data-key', random)]).toString('base64');
}

/** Throws AppError `unauthenticated` in Docker's words when the unlock key is not the one. */
export function unwrapDataKey(wrapped: string, unlockKey: Uint8Array): Uint8Array {
  const bytes = Buffer.from(wrapped.startsWith(VERSION) ? wrapped.slice(VERSION.length) : '', 'base64');
  const dataKey = decrypt(wrappingKey(unlockKey, bytes.subarray(0, SALT_BYTES)), bytes.subarray(SALT_BYTES), 'data-key');
  if (!dataKey) throw new AppError('unauthenticated', 'swarm could not be unlocked: invalid key provided');
  return dataKey;
}

export function createUnlockKey(random: Random = systemRandom): Uint8Array {
  return random.bytes(UNLOCK_KEY_BYTES);
}

/** What users see and type: `SWMKEY-1-` and base64 without padding. */
export function formatUnlockKey(unlockKey: Uint8Array): string {
  assert(unlockKey.length === UNLOCK_KEY_BYTES, 'an unlock key has 32 bytes');
  return UNLOCK_KEY_PREFIX + Buffer.from(unlockKey).toString('base64').replace(/=+$/, '');
}

export function parseUnlockKey(text: string): Uint8Array {
  if (!unlockKeyPattern.test(text)) throw new AppError('invalidArgument', 'invalid key string');
  return Buffer.from(text.slice(UNLOCK_KEY_PREFIX.length), 'base64');
}

/** The unlock key is random and full-length, so it needs no slow derivation; the salt keeps wrappings of one key apart. */
function wrappingKey(unlockKey: Uint8Array, salt: Uint8Array): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', unlockKey, salt, 'skep data key', DATA_KEY_BYTES));
}

/** nonce · ciphertext · tag */
function encrypt(key: Uint8Array, plain: Uint8Array, context: string, random: Random): Buffer {
  const nonce = random.bytes(NONCE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(context));
  return Buffer.concat([nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
}

function decrypt(key: Uint8Array, bytes: Buffer, context: string): Uint8Array | undefined {
  if (bytes.length < NONCE_BYTES + TAG_BYTES) return undefined;
  const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES });
  decipher.setAAD(Buffer.from(context)).setAuthTag(bytes.subarray(-TAG_BYTES));
  try {
    return Buffer.concat([decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES)), decipher.final()]);
  } catch {
    return undefined;
  }
}
