import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { silentLogger } from '#lib/log.ts';
import { createFakeClock } from '#lib/testing/fake-clock.ts';
import { createKeptLogs, type KeptTask, lastLines } from './kept-logs.ts';
import type { TaskLogLine } from './logs.ts';

const all = { stdout: true, stderr: true };

function world(context: TestContext) {
  const folder = join(mkdtempSync(join(tmpdir(), 'skep-kept-')), 'logs');
  const clock = createFakeClock();
  const open = () => createKeptLogs({ folder, limits: { taskBytes: 10_000, totalBytes: 1_000_000, maxAgeMs: 3_600_000 }, clock, log: silentLogger });
  const logs = open();
  context.after(() => {
    logs.close();
    rmSync(join(folder, '..'), { recursive: true, force: true });
  });
  const task = (taskId: string, fields: Partial<KeptTask> = {}): KeptTask => ({
    taskId,
    serviceId: 'service1',
    serviceName: 'web',
    slot: 1,
    nodeId: 'node1',
    image: 'a:1',
    containerId: 'c1',
    exitCode: 0,
    tty: false,
    createdAt: 1,
    keptAt: clock.now(),
    ...fields,
  });
  return { folder, clock, logs, open, task };
}

const line = (second: number, text: string, stream: TaskLogLine['stream'] = 'stdout'): TaskLogLine => ({
  stream,
  timestamp: `2026-11-20T12:00:0${second}.5Z`,
  attributes: { 'a b': 'c,d=é' },
  line: Buffer.from(`${text}\n`),
});

async function* stream(...lines: readonly TaskLogLine[]) {
  yield* lines;
}

async function textsOf(lines: AsyncIterable<TaskLogLine>): Promise<readonly string[]> {
  const texts: string[] = [];
  for await (const { stream: from, line: bytes } of lines) texts.push(`${from} ${Buffer.from(bytes).toString().trimEnd()}`);
  return texts;
}

test('what is kept is there again in the next life, with times and attributes, for its owner only', async (context) => {
  const { folder, logs, open, task } = world(context);
  const saved = [line(1, 'one'), line(2, 'two', 'stderr')];
  await logs.save(task('t1'), await lastLines(stream(...saved), 10_000));
  assert.equal(statSync(join(folder, 't1')).mode & 0o777, 0o600);
  const next = open();
  assert.deepEqual(await next.list(), [{ ...task('t1'), bytes: statSync(join(folder, 't1')).size }]);
  const read: TaskLogLine[] = [];
  for await (const each of next.read('t1', all)) read.push({ ...each, line: Buffer.from(each.line) });
  assert.deepEqual(read, saved);
  next.close();
});

test('the end of a long log is kept, in whole lines', async () => {
  const lines = await lastLines(stream(...Array.from({ length: 5_000 }, (_, index) => line(1, `line ${index}`))), 1_000);
  const text = Buffer.concat(lines.map((each) => Buffer.from(each))).toString();
  assert(text.endsWith('line 4999\n') && text.length <= 1_000 && lines.length > 5);
});

test('tail counts before streams are chosen, and since leaves out what is older', async (context) => {
  const { logs, task } = world(context);
  await logs.save(task('t1'), await lastLines(stream(line(1, 'one'), line(2, 'two'), line(3, 'three', 'stderr')), 10_000));
  assert.deepEqual(await textsOf(logs.read('t1', { ...all, tail: 2 })), ['stdout two', 'stderr three']);
  assert.deepEqual(await textsOf(logs.read('t1', { stdout: true, stderr: false, tail: 1 })), []);
  assert.deepEqual(await textsOf(logs.read('t1', { ...all, since: Date.parse('2026-11-20T12:00:02Z') })), ['stdout two', 'stderr three']);
  assert.deepEqual(await textsOf(logs.read('t1', { ...all, since: 1e18 })), []);
  assert.deepEqual(await textsOf(logs.read('t2', all)), []);
});

test('a long log is given while it is read: it is nowhere as a whole', async (context) => {
  const { folder, logs, task } = world(context);
  const saved = Array.from({ length: 2_000 }, (_, index) => line(1, `line ${index} ${'x'.repeat(100)}`));
  await logs.save(task('t1'), await lastLines(stream(...saved), 1e6));
  assert.equal((await textsOf(logs.read('t1', all))).length, 2_000);
  let count = 0;
  for await (const _ of logs.read('t1', all)) if (++count === 1) truncateSync(join(folder, 't1'), 0);
  assert(count > 1 && count < 2_000, String(count));
});

test('what a crash left half written is removed, and a log that is too old goes', async (context) => {
  const { folder, clock, logs, open, task } = world(context);
  await logs.save(task('t1'), await lastLines(stream(line(1, 'one')), 10_000));
  writeFileSync(join(folder, 't2.new'), 'half');
  writeFileSync(join(folder, 't3'), '{"taskId":"t3"');
  const next = open();
  assert.deepEqual(
    (await next.list()).map(({ taskId }) => taskId),
    ['t1'],
  );
  assert.deepEqual(readdirSync(folder), ['t1']);
  next.close();
  // The care comes once an hour.
  await clock.advance(2 * 3_600_000);
  for (let round = 0; readdirSync(folder).length > 0 && round < 1_000; round++) await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(readdirSync(folder), []);
});

test('a log that cannot be written leaves nothing half done', async (context) => {
  const { folder, logs, task } = world(context);
  const lines = await lastLines(stream(line(1, 'one')), 10_000);
  await logs.save(task('t1'), lines);
  // Nothing takes the place of a folder.
  mkdirSync(join(folder, 't2', 'x'), { recursive: true });
  await assert.rejects(logs.save(task('t2'), lines));
  assert.deepEqual([readdirSync(folder).sort(), (await logs.list()).map(({ taskId }) => taskId)], [['t1', 't2'], ['t1']]);
});

test('nothing is kept of a log without lines, or after the end', async (context) => {
  const { logs, task } = world(context);
  await logs.save(task('t1'), []);
  logs.close();
  await logs.save(task('t2'), await lastLines(stream(line(1, 'one')), 10_000));
  assert.deepEqual(await logs.list(), []);
});
