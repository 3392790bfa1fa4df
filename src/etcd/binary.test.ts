import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { etcdProblem } from './binary.ts';

/** Puts a program called etcd first on the PATH until the test ends. */
function withEtcd(context: TestContext, script: string): (script: string) => void {
  const folder = mkdtempSync(join(tmpdir(), 'skep-etcd-'));
  const path = process.env['PATH'];
  process.env['PATH'] = `${folder}:${path}`;
  context.after(() => {
    process.env['PATH'] = path;
    rmSync(folder, { recursive: true });
  });
  const write = (text: string) => writeFileSync(join(folder, 'etcd'), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
  write(script);
  return write;
}

test('an etcd that is too old is refused with its version, and asked again once it is another', (context) => {
  const write = withEtcd(context, 'echo "etcd Version: 3.3.25"');
  assert.match(etcdProblem() ?? '', /etcd 3\.4 or newer, and \S+ is version 3\.3\.25: install a newer one/);
  write('echo "etcd Version: 3.4.30 "');
  assert.equal(etcdProblem(), undefined);
});

test('a program that says no version is no etcd of ours, one that takes too long to say it is believed', (context) => {
  const write = withEtcd(context, 'echo hello');
  assert.match(etcdProblem() ?? '', /is version unknown/);
  write('exec sleep 60');
  assert.equal(etcdProblem(), undefined);
});
