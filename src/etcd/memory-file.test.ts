// What etcd gets of its key.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, readdirSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { openMemoryFile } from './memory-file.ts';

test('a child reads a file in memory as often as it likes, and it has no name anywhere', (context) => {
  const folder = mkdtempSync(join(tmpdir(), 'skep-memory-file-'));
  context.after(() => rmSync(folder, { recursive: true, force: true }));
  const file = openMemoryFile('words of a key\n', folder);
  context.after(() => closeSync(file));
  const { stdout, stderr } = spawnSync('cat', ['/proc/self/fd/3', '/proc/self/fd/3'], { stdio: ['ignore', 'pipe', 'pipe', file], encoding: 'utf8' });
  assert.equal(stdout, 'words of a key\nwords of a key\n', stderr);
  assert.deepEqual(readdirSync(folder), []);
  assert.match(readlinkSync(`/proc/self/fd/${file}`), / \(deleted\)$/);
});
