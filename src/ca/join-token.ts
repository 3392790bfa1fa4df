// Join tokens: `SWMTKN-1-<digest of the root certificate>-<secret>`. The digest lets a node that joins trust the manager it talks to; the
// secret tells the manager which role to grant.
import { createHash, timingSafeEqual } from 'node:crypto';
import type { Random } from '#lib/clock.ts';
import { AppError, rpcError } from '#lib/errors.ts';

export interface JoinToken {
  /** SHA-256 of the root's PEM text, in hexadecimal. */
  readonly rootDigest: string;
  readonly secret: string;
}

/** 256 bits take 50 digits of base 36, 128 bits take 25 (SwarmKit, ca/config.go). */
const DIGEST_LENGTH = 50;
const SECRET_LENGTH = 25;
const SECRET_BYTES = 16;
const tokenPattern = /^SWMTKN-1-([0-9a-z]{50})-([0-9a-z]{25})$/;

export function createJoinSecret(random: Random): string {
  return BigInt(`0x${Buffer.from(random.bytes(SECRET_BYTES)).toString('hex')}`)
    .toString(36)
    .padStart(SECRET_LENGTH, '0');
}

/** Over the PEM text as it is stored, final newline included: that is what SwarmKit hashes. */
export function digestOfRoot(rootPem: string): string {
  return createHash('sha256').update(rootPem).digest('hex');
}

export function formatJoinToken(rootPem: string, secret: string): string {
  const digest = BigInt(`0x${digestOfRoot(rootPem)}`)
    .toString(36)
    .padStart(DIGEST_LENGTH, '0');
  return `SWMTKN-1-${digest}-${secret}`;
}

export function parseJoinToken(token: string): JoinToken {
  if (token === '') throw rpcError('invalidArgument', 'A valid join token is necessary to join this cluster');
  const [, digest, secret] = tokenPattern.exec(token) ?? [];
  const rootDigest = digest && fromBase36(digest).toString(16).padStart(64, '0');
  if (!secret || rootDigest?.length !== 64) throw new AppError('unknown', 'invalid join token');
  return { rootDigest, secret };
}

/** Throws in Docker's words when the root is not the one that the token promises. */
export function assertRootDigest(rootPem: string, { rootDigest }: JoinToken): void {
  if (!isSame(digestOfRoot(rootPem), rootDigest)) throw new AppError('unknown', `remote CA does not match fingerprint. Expected: ${rootDigest}`);
}

/** In constant time: how long it takes tells nothing of where two secrets differ. */
export function isSameSecret(left: string, right: string): boolean {
  return isSame(left, right);
}

function isSame(left: string, right: string): boolean {
  const [a, b] = [left, right].map((text) => createHash('sha256').update(text).digest());
  return a !== undefined && b !== undefined && timingSafeEqual(a, b);
}

function fromBase36(digits: string): bigint {
  let value = 0n;
  for (const digit of digits) value = value * 36n + BigInt(Number.parseInt(digit, 36));
  return value;
}
