// The tests' own engine must start, reach its client, survive a restart of dockerd and leave nothing.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { test } from 'node:test';
import { startEngine } from './engine.ts';

test('an engine runs containers, answers its client from outside, and leaves nothing behind', async () => {
  const engine = await startEngine({ name: 'self' });
  try {
    await engine.importBusybox('busybox:test', 'ENV A=b');
    assert.equal(await engine.docker('run', '--rm', 'busybox:test', 'sh', '-c', 'echo $A'), 'b');
    await engine.docker('run', '-d', '--name', 'web', '--stop-signal', 'KILL', '-p', '8080:80', 'busybox:test', 'httpd', '-f', '-h', '/var/www');
    const page = await engine.client.exec(['curl', '-sS', '--max-time', '5', '--retry', '20', '--retry-connrefused', `http://${engine.address}:8080/`]);
    assert.equal(page.stdout, 'it works\n', page.stderr);
    await engine.stopDaemon('SIGKILL');
    await engine.startDaemon();
    assert.match(await engine.docker('ps', '-a', '--format', '{{.Names}}'), /web/);
  } finally {
    await engine.stop();
  }
  assert.equal(existsSync(engine.folder), false);
  assert.equal(existsSync(`/proc/${engine.pid}/exe`), false);
});
