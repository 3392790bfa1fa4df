import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { createFakeClock } from '#lib/testing/fake-clock.ts';
import { createLogFile } from './log-file.ts';

const filling = { padding: 'x'.repeat(1024 * 1024) };

function folderOf(context: { after(done: () => void): void }): string {
  const folder = mkdtempSync(join(tmpdir(), 'skep-netd-log-'));
  context.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

test('a log that is full becomes the one before', (context) => {
  const path = join(folderOf(context), 'netd.log');
  const log = createLogFile({ path, clock: createFakeClock() });
  for (let count = 0; count < 6; count++) log.info({ count, ...filling }, 'said');
  assert.match(readFileSync(`${path}.1`, 'utf8'), /"count":0/);
  assert.match(readFileSync(path, 'utf8'), /"count":5/);
});

test('a log that somebody has removed is begun anew when it is full', (context) => {
  const path = join(folderOf(context), 'netd.log');
  const log = createLogFile({ path, clock: createFakeClock() });
  log.info({}, 'the first');
  rmSync(path);
  for (let count = 0; count < 6; count++) log.info({ count, ...filling }, 'said');
  assert.match(readFileSync(path, 'utf8'), /"count":5/);
});

test('a log that cannot be turned over stops nobody, and is written on', (context) => {
  const path = join(folderOf(context), 'netd.log');
  mkdirSync(join(`${path}.1`, 'in-the-way'), { recursive: true });
  const log = createLogFile({ path, clock: createFakeClock() });
  for (let count = 0; count < 6; count++) log.info({ count, ...filling }, 'said');
  assert.equal(existsSync(path), true);
  assert.match(readFileSync(path, 'utf8'), /"count":5/);
});
