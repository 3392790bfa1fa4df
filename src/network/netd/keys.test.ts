import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { silentLogger } from '#lib/log.ts';
import { loadKeys } from './keys.ts';

test('a node keeps its keys, in a file that nobody else may read, and no two nodes have the same', () => {
  const folder = mkdtempSync(join(tmpdir(), 'skep-keys-'));
  try {
    const path = join(folder, 'wireguard.key');
    const keys = loadKeys(path, silentLogger);
    assert.equal(statSync(path).mode & 0o777, 0o600);
    assert.match(keys.publicKey, /^[A-Za-z0-9+/]{43}=$/);
    assert.notEqual(keys.publicKey, keys.privateKey);
    assert.deepEqual(loadKeys(path, silentLogger), keys);
    assert.notEqual(loadKeys(join(folder, 'other.key'), silentLogger).publicKey, keys.publicKey);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
