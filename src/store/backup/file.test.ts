import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Cluster, Node, StoreObject } from '#domain/objects.ts';
import { BACKUP_FORMAT, joinBackup, splitBackup } from '#lib/backup-header.ts';
import { AppError } from '#lib/errors.ts';
import { makeService } from '../fixtures.ts';
import { createDataKey, createUnlockKey, formatUnlockKey } from '../seal.ts';
import { type BackupContents, readBackup, writeBackup } from './file.ts';
import type { Protection } from './key.ts';

const meta = { version: 3, createdAt: 1, updatedAt: 2 };
const cluster = { ...meta, kind: 'cluster', id: 'c1' } as unknown as Cluster;
const node = { ...meta, kind: 'node', id: 'n1' } as unknown as Node;
const self = { nodeId: 'n1', listenAddr: '0.0.0.0:2377', advertiseAddr: '192.0.2.1:2377', dataPathAddr: '192.0.2.1', dataPathPort: 4789 };
const dataKey = createDataKey();
const random = { bytes: (count: number) => randomBytes(count) };

function contents(...more: readonly StoreObject[]): BackupContents {
  return { revision: 42, objects: [cluster, node, ...more], node: self };
}
const write = (protection: Protection = { kind: 'none' }, held = contents(makeService('a'))) =>
  writeBackup(held, { createdAt: 1_700_000_000_000, program: '1.2.3', dataKey, protection, random });

async function failureOf(bytes: Buffer, secret = ''): Promise<AppError> {
  const error: unknown = await readBackup(bytes, secret).then(
    () => assert.fail('was read'),
    (caught: unknown) => caught,
  );
  assert(error instanceof AppError, String(error));
  return error;
}

test('what is written is read again, whatever the objects hold', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.string({ unit: 'binary' }), { maxLength: 500 }), async (names) => {
      const held = contents(...names.map((name, index) => makeService(`s${index}`, { name, version: index })));
      const { contents: read, header, dataKey: key } = await readBackup(await write({ kind: 'none' }, held), '');
      assert.deepEqual(read, JSON.parse(JSON.stringify(held)));
      assert.deepEqual([header.clusterId, header.nodeId, header.revision, header.createdAt], ['c1', 'n1', 42, '2023-11-14T22:13:20.000Z']);
      assert.deepEqual(Buffer.from(key), Buffer.from(dataKey));
    }),
    { numRuns: 30 },
  );
});

test('the event loop turns again and again while a large state is written', async () => {
  const many = Array.from({ length: 20_000 }, (_, index) => makeService(`s${index}`));
  let turns = 0;
  const counting = setInterval(() => turns++, 0);
  await write({ kind: 'none' }, contents(...many));
  clearInterval(counting);
  assert(turns >= 20, `${turns} turns`);
});

test('nothing of the contents can be seen without the key', async () => {
  const file = await write({ kind: 'passphrase', passphrase: 'correct horse' });
  assert.doesNotMatch(file.toString('latin1'), /service|busybox/);
  assert(!file.includes(Buffer.from(dataKey)) && !file.includes(Buffer.from(dataKey).toString('base64')));
});

test('it opens with its passphrase or its unlock key, and with nothing else', async () => {
  const locked = await write({ kind: 'passphrase', passphrase: 'correct horse' });
  assert.equal((await readBackup(locked, 'correct horse')).contents.objects.length, 3);
  assert.deepEqual(
    [(await failureOf(locked)).code, (await failureOf(locked, 'wrong horse')).message],
    ['unauthenticated', 'this passphrase does not open the backup; nothing was changed'],
  );
  const unlockKey = createUnlockKey();
  const autolocked = await write({ kind: 'unlock-key', unlockKey });
  assert.equal((await readBackup(autolocked, formatUnlockKey(unlockKey))).contents.objects.length, 3);
  assert.match((await failureOf(autolocked)).message, /the unlock key of that time is needed/);
  assert.match((await failureOf(autolocked, formatUnlockKey(createUnlockKey()))).message, /this unlock key does not open the backup/);
  assert.match((await failureOf(autolocked, 'SWMKEY')).message, /invalid key string/);
  await assert.rejects(write({ kind: 'passphrase', passphrase: 'short' }), /at least 8 characters/);
});

test('a file that was cut off anywhere, or in which any bit changed, is refused', async () => {
  const file = await write();
  await fc.assert(
    fc.asyncProperty(fc.nat(file.length - 1), fc.nat(7), async (at, bit) => {
      const flipped = Buffer.from(file);
      flipped.writeUInt8(flipped.readUInt8(at) ^ (1 << bit), at);
      assert.match((await failureOf(flipped)).message, /is damaged|is not a backup of a swarm|made by a newer skepd/);
      assert.match((await failureOf(file.subarray(0, at))).message, /is damaged|is not a backup of a swarm/);
    }),
  );
});

test('a checksum that was made to fit does not help: the seal covers header and contents', async () => {
  const { header, headerLine, sealed } = splitBackup(await write());
  const other = Buffer.from(sealed);
  other.writeUInt8(other.readUInt8(5) ^ 1, 5);
  assert.match((await failureOf(joinBackup(headerLine, [other]))).message, /its seal does not fit its contents/);
  assert.match((await failureOf(joinBackup(JSON.stringify({ ...header, clusterId: 'other' }), [sealed]))).message, /its seal does not fit/);
  assert.match((await failureOf(joinBackup('{"schema":1}', [sealed]))).message, /its header cannot be read/);
  for (const key of [{}, { kind: 'plain' }, { kind: 'unlock-key', wrapped: 7 }, { kind: 'passphrase', wrapped: '', salt: '', cost: -1 }])
    assert.match((await failureOf(joinBackup(JSON.stringify({ ...header, key }), [sealed]), 'x')).message, /its header cannot be read/);
  assert.match(
    (await failureOf(joinBackup(JSON.stringify({ ...header, key: { kind: 'passphrase', wrapped: '', salt: '', cost: 2 ** 40 } }), [sealed]), 'x')).message,
    /tampered with/,
  );
});

test('a file of a newer program is named as such', async () => {
  const file = await write();
  const later = Buffer.concat([Buffer.from(`SKEP-BACKUP ${BACKUP_FORMAT + 1}`), file.subarray(file.indexOf('\n'))]);
  assert.match((await failureOf(later)).message, /made by a newer skepd \(format 2\) than this one/);
  const { header, headerLine, sealed } = splitBackup(file);
  assert(headerLine.length > 0);
  assert.match((await failureOf(joinBackup(JSON.stringify({ ...header, schema: 9 }), [sealed]))).message, /newer skepd \(schema 9, skepd 1\.2\.3\)/);
  const strange = await write({ kind: 'none' }, contents({ ...meta, kind: 'volume', id: 'v' } as unknown as StoreObject));
  assert.match((await failureOf(strange)).message, /holds a volume, which this skepd does not know: restore it with skepd 1\.2\.3/);
});

test('a file without a whole swarm is refused', async () => {
  for (const objects of [[node], [cluster], [cluster, cluster, node]])
    assert.match((await failureOf(await write({ kind: 'none' }, { ...contents(), objects }))).message, /does not hold a whole swarm/);
});

test('a file that is larger than what a restore takes is not made', async () => {
  const facts = { createdAt: 1_700_000_000_000, program: '1.2.3', dataKey, protection: { kind: 'none' }, random } as const;
  const { length } = await writeBackup(contents(), facts);
  assert.equal((await writeBackup(contents(), { ...facts, maxBytes: length + 100 })).length <= length + 100, true);
  await assert.rejects(writeBackup(contents(), { ...facts, maxBytes: 100 }), { code: 'resourceExhausted', message: /too large for a backup/ });
});
