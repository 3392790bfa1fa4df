// A data plane that is started on a disk that has been filled. Needs root for a namespace and a small file system.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { createNamespace, until } from '../lib/namespace.ts';

test('names resolve again on a disk that has become full since the data plane ran last', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'skep-netd-full-'));
  const node = await createNamespace('node');
  const sh = async (script: string) => {
    const { code, stdout, stderr } = await node.exec(['sh', '-c', script]);
    assert.equal(code, 0, stderr);
    return stdout;
  };
  const entry = join(import.meta.dirname, '../../src/main/skep-netd.ts');
  const start = async () => {
    const argv = [process.execPath, '--disable-warning=ExperimentalWarning', entry, '--state-dir', folder, '--plugin-dir', '/run/plugins'];
    const netd = await node.spawnInside(argv, { stdio: 'ignore' });
    const ask = ['curl', '-sf', '--max-time', '2', '--unix-socket', join(folder, 'netd.sock'), 'http://netd/status'];
    await until('it says how it is', async () => {
      if (netd.child.exitCode !== null) throw new Error(`it ended: ${await sh(`tail -n 2 ${folder}/netd.log`)}`);
      return (await node.exec(ask)).code === 0;
    });
    return netd;
  };
  try {
    await sh(`mount -t tmpfs -o size=1m tmpfs ${folder}`);
    const first = await start();
    first.signal('SIGKILL');
    await first.exited;
    await sh(`dd if=/dev/zero of=${folder}/filling bs=4k 2>/dev/null || true`);
    const second = await start();
    second.signal('SIGTERM');
    assert.equal(await second.exited, 0);
  } finally {
    await node.destroy();
    rmSync(folder, { recursive: true });
  }
});
