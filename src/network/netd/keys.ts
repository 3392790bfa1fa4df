// This node's pair of WireGuard keys. The private one is in a file of the state directory and in WireGuard, nowhere else.
import { createPrivateKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { chmodSync } from 'node:fs';
import type { Logger } from '#lib/log.ts';
import { assert, present } from '#lib/assert.ts';
import { load, writeDurably } from './state.ts';

export interface WireGuardKeys {
  /** Both in base64, as WireGuard writes them. */
  readonly privateKey: string;
  readonly publicKey: string;
}

/** The keys of an earlier time, or new ones, on the disk when it returns. */
export function loadKeys(path: string, log: Logger): WireGuardKeys {
  const kept = load<{ readonly d?: string; readonly x?: string }>(path, log);
  if (kept?.d !== undefined && kept.x !== undefined) {
    chmodSync(path, 0o600);
    return keysOf(createPrivateKey({ key: { kty: 'OKP', crv: 'X25519', d: kept.d, x: kept.x }, format: 'jwk' }));
  }
  const { privateKey } = generateKeyPairSync('x25519');
  const { d, x } = privateKey.export({ format: 'jwk' });
  writeDurably(path, JSON.stringify({ d, x }));
  return keysOf(privateKey);
}

function keysOf(key: KeyObject): WireGuardKeys {
  const { d, x } = key.export({ format: 'jwk' });
  const base64 = (part: string | undefined) => {
    const bytes = Buffer.from(present(part, 'part of a key'), 'base64url');
    assert(bytes.length === 32, 'a WireGuard key has 32 bytes');
    return bytes.toString('base64');
  };
  return { privateKey: base64(d), publicKey: base64(x) };
}
