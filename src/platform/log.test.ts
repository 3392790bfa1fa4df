import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

const script = `
const { createLogger } = await import(${JSON.stringify(join(import.meta.dirname, 'log.ts'))});
const log = createLogger({ level: 'info', name: 'test' });
for (let line = 0; line < 3; line++) log.info({ line }, 'said');
console.log('goes on');
`;

test('a daemon whose log cannot be written goes on', () => {
  // Nothing can be written there, as on a disk that is full.
  const readOnly = openSync('/dev/null', 'r');
  try {
    const { status, stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', readOnly], encoding: 'utf8' });
    assert.deepEqual([status, stdout], [0, 'goes on\n']);
  } finally {
    closeSync(readOnly);
  }
});

test('what is logged are lines of JSON on standard error', () => {
  const { stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' });
  const lines = stderr
    .trim()
    .split('\n')
    .filter((line) => line.startsWith('{'));
  assert.deepEqual(
    lines.map((line) => (JSON.parse(line) as { readonly line: number }).line),
    [0, 1, 2],
  );
});
