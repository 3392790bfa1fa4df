// What is done for a member of etcd by and by, on a real one.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { careOnce, isWorthDefragmenting } from '#etcd/care.ts';
import type { MemberStatus } from '#etcd/messages.ts';
import { quietLog, startTestEtcd } from '../lib/etcd.ts';

const MB = 1024 * 1024;
const status: MemberStatus = { memberId: '1', leaderId: '2', term: 2, isLearner: false, dbSize: 0, dbSizeInUse: 0, errors: [] };

test('a file is rewritten when most of it is unused, and on the leader only when that is much', () => {
  assert.equal(isWorthDefragmenting({ ...status, dbSize: 300 * MB, dbSizeInUse: 100 * MB }), true);
  assert.equal(isWorthDefragmenting({ ...status, dbSize: 300 * MB, dbSizeInUse: 200 * MB }), false);
  assert.equal(isWorthDefragmenting({ ...status, dbSize: 100 * MB, dbSizeInUse: 1 * MB }), false);
  assert.equal(isWorthDefragmenting({ ...status, leaderId: '1', dbSize: 300 * MB, dbSizeInUse: 100 * MB }), false);
});

test('a member that is well is left alone, one whose file is rewritten answers as before', async (t) => {
  const etcd = await startTestEtcd();
  t.after(() => etcd.stop());
  const { client } = etcd.process;
  await client.txn({ compare: [], success: [{ key: 'a', value: 'x' }] });
  await careOnce(client, quietLog);
  await client.defragment();
  const { memberId } = await client.status();
  await client.disarm(memberId);
  assert.equal((await client.range({ key: 'a' })).items[0]?.value, 'x');
});

test('a file that has reached its limit by writes alone takes writes again once it was looked after', async (t) => {
  const quotaBytes = 16 * MB;
  const etcd = await startTestEtcd({ quotaBytes });
  t.after(() => etcd.stop());
  const { client } = etcd.process;
  const write = () => client.txn({ compare: [], success: [{ key: 'skep/o/config/1', value: 'x'.repeat(500_000) }] });
  let writes = 0;
  await assert.rejects(async () => {
    for (; writes < 200; writes++) await write();
  }, /database space exceeded/);
  assert(writes > 10, `${writes} writes`);
  await careOnce(client, quietLog, quotaBytes);
  const { dbSize, errors } = await client.status();
  assert(dbSize < 2 * MB, `${dbSize} bytes`);
  assert.deepEqual(errors, []);
  for (let index = 0; index < 10; index++) await write();
  await client.compact(1);
});
