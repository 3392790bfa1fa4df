import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { test } from 'node:test';
import { placeForTar } from './images.ts';

test('a tar that an interrupted load has left goes with the next one; that of a load that goes on stays', (context) => {
  const folder = mkdtempSync(join(tmpdir(), 'skep-dev-images-'));
  context.after(() => rmSync(folder, { recursive: true }));
  const ended = spawnSync('true').pid;
  for (const name of [`.images-${ended}.tar`, `.images-${process.ppid}.tar`, 'cluster.json']) writeFileSync(join(folder, name), '');
  const own = basename(placeForTar(folder));
  assert.deepEqual([own, readdirSync(folder).sort()], [`.images-${process.pid}.tar`, [`.images-${process.ppid}.tar`, 'cluster.json']]);
});
