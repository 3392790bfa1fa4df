// Versions of secrets and configs. Their content cannot be changed, so a changed one becomes a new object under the same logical name. The first version has
// the name that Docker's CLI would give it; later ones add the beginning of their digest.
import { Buffer } from 'node:buffer';
import { createHash, scryptSync, timingSafeEqual } from 'node:crypto';
import type { ConfigSpec, Labels, SecretSpec } from '#domain/spec.ts';
import { equalSpecs } from '#lib/equal.ts';

/** On versions after the first: what the stack calls it. */
export const LOGICAL_NAME_LABEL = 'com.docker.skep.name';
/** On secrets: a slow, salted digest of the content. Everybody can read labels, so it must not help in guessing. */
export const DIGEST_LABEL = 'com.docker.skep.digest';

/** Names of secrets and configs end here (SwarmKit). */
const MAX_NAME_LENGTH = 64;
const VERSION_DIGITS = 10;
/** About 50 ms a guess. */
const SCRYPT = { N: 16_384, r: 8, p: 1 } as const;
const DIGEST_BYTES = 32;

export function withoutVersionLabels(labels: Labels): Labels {
  const { [LOGICAL_NAME_LABEL]: _name, [DIGEST_LABEL]: _digest, ...others } = labels;
  return others;
}

/** The name of a version that is not the first. */
export function versionName(logicalName: string, digest: string): string {
  const digits = digest.slice(-DIGEST_BYTES * 2).slice(0, VERSION_DIGITS);
  return `${logicalName.slice(0, MAX_NAME_LENGTH - VERSION_DIGITS - 1)}-${digits}`;
}

/** Of a config's content, and of how it is made a file. */
export function configDigest(spec: Pick<ConfigSpec, 'data' | 'templating'>): string {
  return createHash('sha256')
    .update(spec.data)
    .update('\0')
    .update(JSON.stringify(spec.templating ?? null))
    .digest('hex');
}

/** "scrypt:<salt>:<hash>", both in hexadecimal. */
export function secretDigest(spec: Pick<SecretSpec, 'data' | 'driver' | 'templating'>, salt: string): string {
  return `scrypt:${salt}:${hashOf(spec, salt).toString('hex')}`;
}

function hashOf({ data = '', driver, templating }: Pick<SecretSpec, 'data' | 'driver' | 'templating'>, salt: string): Buffer {
  return scryptSync(`${data}\0${JSON.stringify([driver ?? null, templating ?? null])}`, Buffer.from(salt, 'hex'), DIGEST_BYTES, SCRYPT);
}

/** The salt of a digest that was made here. */
export function saltOf(digest: string | undefined): string | undefined {
  return /^scrypt:([0-9a-f]{16,}):[0-9a-f]{64}$/.exec(digest ?? '')?.[1];
}

/** Whether a secret that is there has this content: by its digest. One without a digest is taken for another, because nobody can tell. */
export function isSameSecret(wanted: SecretSpec, existing: SecretSpec): boolean {
  if (wanted.driver !== undefined || existing.driver !== undefined)
    return equalSpecs(wanted.driver, existing.driver) && equalSpecs(wanted.templating, existing.templating);
  const digest = existing.labels[DIGEST_LABEL];
  const salt = saltOf(digest);
  if (digest === undefined || salt === undefined) return false;
  const expected = Buffer.from(digest.slice(-DIGEST_BYTES * 2), 'hex');
  return timingSafeEqual(expected, hashOf(wanted, salt));
}

export function isSameConfig(wanted: ConfigSpec, existing: ConfigSpec): boolean {
  return wanted.data === existing.data && equalSpecs(wanted.templating, existing.templating);
}
