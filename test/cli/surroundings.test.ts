// The command line where something of its surroundings is missing: it says what it has to say, and no stack trace.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';

const skep = join(import.meta.dirname, '../../bin/skep');

function sh(script: string) {
  const { status, stdout, stderr } = spawnSync('sh', ['-c', script, skep], { encoding: 'utf8' });
  return { status, stdout, stderr };
}

test('it works in a folder that was removed meanwhile', () => {
  const { status, stdout, stderr } = sh('folder=$(mktemp -d); cd "$folder"; rmdir "$folder"; exec "$0" --version');
  assert.deepEqual([status, stdout.split(' ').slice(0, 2)], [0, ['skep', 'version']], stderr);
});

test('what it cannot say on standard error is still its exit code', () => {
  assert.equal(sh('"$0" no-such-command 2>/dev/full').status, 1);
  assert.equal(sh('"$0" no-such-command 2>&-').status, 1);
});

test('a reader that has gone is no failure', () => {
  assert.equal(sh('{ "$0" --help; echo $? >&2; } | head -n 1').stderr.trim(), '0');
});
