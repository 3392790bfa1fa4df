import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { createTestSwarm } from '#control/testing/swarm.ts';
import { silentLogger } from '#lib/log.ts';
import { createFakeClock, createSeededRandom } from '#lib/testing/fake-clock.ts';
import { readBackup } from '#store/backup/file.ts';
import { createDataKey, createUnlockKey, formatUnlockKey } from '#store/seal.ts';
import { createBackups } from './backups.ts';
import { listSnapshots } from './snapshots.ts';
import { createStateDirectory } from './state-directory.ts';

test('when autolock is turned on, the data key lies open in no snapshot any more, and each still holds what it held', async (context) => {
  const path = mkdtempSync(join(tmpdir(), 'skep-backups-'));
  context.after(() => rmSync(path, { recursive: true, force: true }));
  const directory = createStateDirectory(path);
  const { store } = await createTestSwarm([]);
  const [node] = [...store.view.list('node')];
  const clock = createFakeClock();
  const dataKey = createDataKey();
  const errors: object[] = [];
  let unlockKey: Uint8Array | undefined;
  const backups = createBackups({
    store,
    dataKey,
    unlockKey: () => unlockKey,
    swarm: { nodeId: node?.id ?? '', role: 'manager', listenAddr: '', advertiseAddr: '192.0.2.1:2377', dataPathAddr: '', dataPathPort: 4789 },
    directory,
    snapshots: { intervalMs: 0, keep: 5 },
    clock,
    random: createSeededRandom(5),
    log: { ...silentLogger, error: (fields: object) => void errors.push(fields) },
  });
  const first = await backups.snapshots.take('scheduled');
  await clock.advance(1_000);
  const second = await backups.snapshots.take('before-etcd');
  const held = await readBackup(readFileSync(first), '');
  unlockKey = createUnlockKey();
  const key = formatUnlockKey(unlockKey);
  await backups.lockSnapshots();
  assert.deepEqual(errors, []);
  for (const file of [first, second]) {
    await assert.rejects(readBackup(readFileSync(file), ''), { code: 'unauthenticated' });
    assert(!readFileSync(file).includes(Buffer.from(dataKey).toString('base64')));
    assert.equal(statSync(file).mode & 0o777, 0o600);
  }
  const locked = await readBackup(readFileSync(first), key);
  assert.deepEqual([locked.contents, locked.header.createdAt], [held.contents, held.header.createdAt]);
  const before = readFileSync(second);
  await backups.lockSnapshots();
  assert(readFileSync(second).equals(before), 'one that is locked stays as it is');
  assert.equal(listSnapshots(directory.snapshotFolder).length, 2);
  unlockKey = undefined;
  await clock.advance(1_000);
  const damaged = await backups.snapshots.take('scheduled');
  writeFileSync(damaged, readFileSync(damaged).subarray(0, -40));
  unlockKey = createUnlockKey();
  await backups.lockSnapshots();
  assert.deepEqual(
    errors.map((fields) => (fields as { path: string }).path),
    [damaged],
  );
});
