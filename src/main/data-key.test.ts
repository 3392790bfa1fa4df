import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { silentLogger } from '#lib/log.ts';
import { createDataKey, createUnlockKey } from '#store/seal.ts';
import { createDataKeyKeeper, readDataKey } from './data-key.ts';

test('the file follows autolock; what a full disk did not take is said once, and tried again at the next event', (context) => {
  const folder = mkdtempSync(join(tmpdir(), 'skep-data-key-'));
  context.after(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, 'data-key');
  const errors: string[] = [];
  let unlockKey: Uint8Array | undefined;
  let locked = 0;
  const kept: boolean[] = [];
  const keep = createDataKeyKeeper({
    file,
    dataKey: createDataKey(),
    unlockKey: () => unlockKey,
    keepLocked: (isLocked) => void kept.push(isLocked),
    onLocked: () => locked++,
    log: { ...silentLogger, error: (_fields: object, message: string) => void errors.push(message) },
  });
  keep(true);
  assert.equal(readDataKey(file)?.kind, 'plain');
  unlockKey = createUnlockKey();
  // Nothing can be written where a folder is.
  mkdirSync(`${file}.new`);
  for (const mayHaveChanged of [true, false, false]) keep(mayHaveChanged);
  assert.deepEqual([readDataKey(file)?.kind, errors.length, locked], ['plain', 1, 0]);
  rmdirSync(`${file}.new`);
  keep(false);
  assert.deepEqual([readDataKey(file)?.kind, locked], ['locked', 1]);
  unlockKey = createUnlockKey();
  keep(true);
  assert.equal(locked, 1);
  assert.deepEqual(kept, [false, true, true]);
});
