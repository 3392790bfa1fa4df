import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { silentLogger } from '#lib/log.ts';
import { createFakeClock } from '#lib/testing/fake-clock.ts';
import { writeFileAtomically } from '#platform/files.ts';
import { createSnapshots, dueAt, listSnapshots } from './snapshots.ts';

const HOUR = 3_600_000;

function setUp(context: TestContext, { keep = 5 } = {}) {
  const parent = mkdtempSync(join(tmpdir(), 'skep-snapshots-'));
  const folder = join(parent, 'snapshots');
  context.after(() => rmSync(parent, { recursive: true, force: true }));
  const clock = createFakeClock();
  const errors: string[] = [];
  const log = { ...silentLogger, error: (_fields: object, message: string) => void errors.push(message) };
  let made = 0;
  let failure: Error | undefined;
  const make = async () => {
    if (failure !== undefined) throw failure;
    return Buffer.from(`state ${++made}`);
  };
  const snapshots = createSnapshots({ folder, make, write: writeFileAtomically, intervalMs: 12 * HOUR, keep, clock, log });
  const stop = new AbortController();
  context.after(() => stop.abort());
  const times = () => listSnapshots(folder).map(({ takenAt }) => takenAt);
  return { folder, clock, snapshots, times, errors, run: () => void snapshots.run(stop.signal), fail: (error?: Error) => (failure = error) };
}

test('one is taken at once, then one in each interval; the newest five are kept, for their owner only', async (context) => {
  const { folder, clock, run, times } = setUp(context);
  const start = clock.now();
  run();
  await clock.advance(1);
  assert.deepEqual(times(), [start]);
  await clock.advance(100 * HOUR);
  assert.deepEqual(
    times(),
    [8, 7, 6, 5, 4].map((count) => start + count * 12 * HOUR),
  );
  for (const name of readdirSync(folder)) assert.equal(statSync(join(folder, name)).mode & 0o777, 0o600);
  assert.equal(readFileSync(listSnapshots(folder)[0]?.path ?? '', 'utf8'), 'state 9');
});

test('a restart takes none before its time: what counts is on the disk', async (context) => {
  const first = setUp(context);
  await first.snapshots.take('scheduled');
  const stop = new AbortController();
  context.after(() => stop.abort());
  await first.clock.advance(5 * HOUR);
  void first.snapshots.run(stop.signal);
  await first.clock.advance(6 * HOUR);
  assert.equal(first.times().length, 1);
  await first.clock.advance(HOUR + 1);
  assert.equal(first.times().length, 2);
});

test('one that fails is logged and tried again soon, and leaves nothing', async (context) => {
  const { folder, clock, run, times, errors, fail } = setUp(context);
  fail(new Error('ENOSPC: no space left on device'));
  run();
  await clock.advance(150_000);
  assert.deepEqual([errors.length, times()], [3, []]);
  assert.deepEqual(readdirSync(folder), []);
  fail();
  await clock.advance(60_000);
  assert.equal(times().length, 1);
});

test('those before something dangerous do not push out the others, and are bounded too', async (context) => {
  const { folder, clock, snapshots } = setUp(context, { keep: 2 });
  await snapshots.take('scheduled');
  for (let index = 0; index < 4; index++) {
    await clock.advance(1_000);
    await snapshots.take('before-restore');
  }
  assert.deepEqual(
    listSnapshots(folder).map(({ reason }) => reason),
    ['before-restore', 'before-restore', 'scheduled'],
  );
});

test("what a crash left of one is removed, other people's files are not", async (context) => {
  const { folder, snapshots } = setUp(context);
  await snapshots.take('scheduled');
  const [first = ''] = readdirSync(folder);
  writeFileSync(join(folder, `${first}.new`), 'part');
  writeFileSync(join(folder, 'mine.skep'), 'copied here by a user');
  await snapshots.take('before-etcd');
  assert.deepEqual(
    readdirSync(folder).filter((name) => !/^\d/.test(name) || name.endsWith('.new')),
    ['mine.skep'],
  );
});

test('one from the future, taken while the clock was wrong, does not keep the next one back', () => {
  const snapshot = (takenAt: number) => ({ path: '', takenAt, reason: 'scheduled' as const });
  assert.equal(dueAt([snapshot(90 * HOUR)], 50 * HOUR, 12 * HOUR), 50 * HOUR);
  assert.equal(dueAt([snapshot(90 * HOUR), snapshot(49 * HOUR)], 50 * HOUR, 12 * HOUR), 61 * HOUR);
  assert.equal(dueAt([{ ...snapshot(49 * HOUR), reason: 'before-etcd' }], 50 * HOUR, 12 * HOUR), 50 * HOUR);
});

test('those from the future give way first: after a clock was set right each new one is kept, and none is taken before its time', async (context) => {
  const { clock, run, times } = setUp(context, { keep: 3 });
  clock.set(1_000 * HOUR);
  run();
  await clock.advance(40 * HOUR);
  assert.equal(times().length, 3);
  clock.set(-1_000 * HOUR);
  const corrected = clock.now();
  await clock.advance(11 * HOUR);
  assert.equal(times().filter((takenAt) => takenAt <= clock.now()).length, 1);
  await clock.advance(26 * HOUR);
  assert.equal(times().length, 3);
  assert(times().every((takenAt) => takenAt >= corrected && takenAt <= clock.now()));
});

test('what a crash left is removed before anything is written: it may be what fills the disk', async (context) => {
  const { folder, snapshots } = setUp(context);
  await snapshots.take('scheduled');
  const [first = ''] = readdirSync(folder);
  const part = join(folder, `${first}.new`);
  writeFileSync(part, 'part');
  // Nothing can be written where a folder is.
  mkdirSync(join(folder, first.replace('scheduled', 'before-etcd')));
  await assert.rejects(snapshots.take('before-etcd'), /EISDIR|ENOTEMPTY|EEXIST/);
  assert(!existsSync(part));
});
