import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { run } from './run.ts';

test('a tool that hangs is given up, also when what it has started holds its output', async () => {
  const before = performance.now();
  await assert.rejects(run(['sh', '-c', 'sleep 5 & wait'], '', 200), { code: 'deadlineExceeded', message: /took longer than 200 ms/ });
  assert(performance.now() - before < 4_000);
});

test('a tool that is missing is a clear error', async () => {
  await assert.rejects(run(['skep-no-such-tool']), { code: 'unavailable', message: /cannot run skep-no-such-tool: .*is it installed\?/ });
});

/** Uses up what file descriptors there are, runs a tool, gives them back and runs it again. */
const STARVED = `
import { closeSync, openSync } from 'node:fs';
const { run } = await import(${JSON.stringify(join(import.meta.dirname, 'run.ts'))});
const open = [];
try {
  for (;;) open.push(openSync('/dev/null', 'r'));
} catch {}
for (let spared = 0; spared < 8; spared++) {
  await run(['true']).then(() => console.log('ran'), ({ code }) => console.log(code));
  closeSync(open.pop());
}
for (const file of open) closeSync(file);
console.log((await run(['true'])).code);
process.exit(0);
`;

test('a tool that cannot be started because no file descriptor is left is an error for who wanted it, and nothing else', () => {
  const argv = ['-c', 'ulimit -n 60; exec "$0" --input-type=module -e "$1"', process.execPath, STARVED];
  const { status, stdout, stderr } = spawnSync('sh', argv, { encoding: 'utf8' });
  assert.equal(status, 0, stderr);
  assert.match(stdout, /^unavailable\n/);
  assert.match(stdout, /\n0\n$/);
});
