import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { readOptions } from './options.ts';

const HOUR = 3_600_000;

function withFile(context: TestContext, text: string): readonly string[] {
  const folder = mkdtempSync(join(tmpdir(), 'skep-options-'));
  context.after(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, 'skepd.yaml');
  writeFileSync(path, text);
  return ['--config-file', path];
}

test('snapshots are taken every 12 hours and 5 are kept unless somebody says otherwise', (context) => {
  const none = withFile(context, '');
  assert.deepEqual(readOptions(none, '0').snapshots, { intervalMs: 12 * HOUR, keep: 5 });
  assert.deepEqual(readOptions([...none, '--snapshot-interval', '90m', '--snapshot-keep', '2'], '0').snapshots, { intervalMs: 1.5 * HOUR, keep: 2 });
  assert.deepEqual(readOptions(withFile(context, 'snapshot-interval: 1h\nsnapshotKeep: 7\n'), '0').snapshots, { intervalMs: HOUR, keep: 7 });
  assert.deepEqual(readOptions(withFile(context, 'snapshot-interval: 0\n'), '0').snapshots, { intervalMs: 0, keep: 5 });
});

test('values in the file are checked as on the command line, and the error names the file and the option', (context) => {
  const message = (text: string) => {
    try {
      readOptions(withFile(context, text), '0');
    } catch (error) {
      return String(error);
    }
    return '';
  };
  assert.match(message('snapshot-interval: soon'), /skepd\.yaml: snapshot-interval is "soon"\. It must be a duration such as 90m, 12h or 7d/);
  assert.match(message('snapshot-interval: 5s'), /It must be 0 or at least 1m\./);
  assert.match(message('snapshot-keep: 0'), /snapshot-keep is "0"\. It must be a whole number from 1 to 1000\./);
  assert.match(message('data-path-port: 70000'), /data-path-port is "70000"\. It must be a whole number from 0 to 65535\./);
});

test('a state directory whose path is too long for the sockets in it is refused at the start', () => {
  const longest = `/${'x'.repeat(79)}`;
  assert.equal(readOptions(['--state-dir', longest], '0').stateDirectory, longest);
  assert.throws(() => readOptions(['--state-dir', `${longest}/y`], '0'), {
    message: '--state-dir has 82 bytes, and the sockets in it allow 80: choose a shorter path',
  });
});
