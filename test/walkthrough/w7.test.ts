// W7 of the walkthrough: one-off tasks and eventual consistency. A stack comes up in any order, its one-off services are retried until they are
// complete and are not run again, and an acceptance test passes in the end. By the real docker CLI against real containers.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { stackDeploy } from '../lib/cli-version.ts';
import { until } from '../lib/engine.ts';
import { startSkepd, type TestSkepd } from '../lib/skepd.ts';

const folder = join(import.meta.dirname, 'w7');
const hasBats = spawnSync('bats', ['--version']).status === 0;

interface TaskRow {
  readonly id: string;
  readonly image: string;
  readonly desired: string;
  readonly current: string;
  readonly error: string;
}

describe('W7: one-off tasks and eventual consistency', { skip: process.getuid?.() !== 0 && 'needs root' }, () => {
  let skepd: TestSkepd;

  before(async () => {
    skepd = await startSkepd({ engineOptions: { name: 'w7' } });
    // Both take their time: what depends on them fails at first.
    const serveDatabase = ['sh', '-c', 'sleep 3; exec httpd -f -p 5432 -h /srv'];
    const serveApplication = [
      'sh',
      '-c',
      'echo Todo > /srv/index.html; sleep 2; touch /srv/static/.ready; trap "sleep 0.2; exit 0" TERM; httpd -f -p 8000 -h /srv & wait; wait',
    ];
    await skepd.engine.importBusybox('todo-db:1', `CMD ${JSON.stringify(serveDatabase)}`);
    await skepd.engine.importBusybox('todo-app:1', `CMD ${JSON.stringify(serveApplication)}`);
    await skepd.engine.docker('tag', 'todo-app:1', 'todo-app:2');
    await skepd.init();
  });

  after(() => skepd?.stop());

  async function tasks(service: string): Promise<readonly TaskRow[]> {
    const format = '{{.ID}}|{{.Image}}|{{.DesiredState}}|{{.CurrentState}}|{{.Error}}';
    const output = await skepd.docker('service', 'ps', '--no-trunc', '--format', format, `todo_${service}`);
    return output.split('\n').map((line) => {
      const [id = '', image = '', desired = '', current = '', error = ''] = line.split('|');
      return { id, image, desired, current: current.split(' ')[0] ?? '', error };
    });
  }

  const countOf = (rows: readonly TaskRow[], state: string) => rows.filter(({ current }) => current === state).length;

  async function deploy(version: string): Promise<string> {
    const result = await skepd.tryDocker([...stackDeploy, '--resolve-image', 'never', '-c', join(folder, 'stack.yml'), 'todo'], {
      env: { APP_VERSION: version },
    });
    assert.equal(result.code, 0, result.stderr);
    return result.stdout;
  }

  const get = (path: string) => skepd.engine.client.exec(['curl', '-sS', '-i', '--max-time', '5', `http://${skepd.engine.address}:8000${path}`]);

  test('one-off tasks fail while what they need is not ready, are retried, and end as complete', async () => {
    await deploy('1');
    for (const service of ['migrate', 'collectstatic'])
      await until(`${service} is complete`, async () => countOf(await tasks(service), 'Complete') === 1, 60_000);
    for (const service of ['migrate', 'collectstatic']) {
      const rows = await tasks(service);
      assert.ok(countOf(rows, 'Failed') >= 1, `${service} never failed: the test shows nothing`);
      assert.ok(rows.filter(({ current }) => current === 'Failed').every(({ error }) => error === '"task: non-zero exit (1)"'));
      assert.ok(rows.every(({ desired }) => desired === 'Shutdown'));
    }
    await until('both replicas of the application run', async () => countOf(await tasks('app'), 'Running') === 2, 60_000);
  });

  test('they are not run again', async () => {
    const before = (await tasks('migrate')).map(({ id }) => id);
    // Longer than the restart policy's delay, with room for several mistakes.
    await delay(3_000);
    assert.deepEqual(
      (await tasks('migrate')).map(({ id }) => id),
      before,
    );
    assert.equal(await skepd.docker('service', 'ls', '--filter', 'name=todo_migrate', '--format', '{{.Replicas}}'), '0/1');
  });

  test('the application passes its acceptance test', { skip: !hasBats && 'bats is not installed' }, async () => {
    await until('the application answers', async () => / 200 /.test((await get('/')).stdout));
    const result = await skepd.engine.client.exec(['env', `URL=http://${skepd.engine.address}:8000`, 'bats', join(folder, 'acceptance.bats')]);
    assert.equal(result.code, 0, `${result.stdout}\n${result.stderr}`);
  });

  test('the same version again changes nothing', async () => {
    const ids = async () => Promise.all(['db', 'app', 'migrate', 'collectstatic'].map(async (service) => (await tasks(service)).map(({ id }) => id)));
    const before = await ids();
    await deploy('1');
    await delay(1_500);
    assert.deepEqual(await ids(), before);
  });

  test('another version rolls the services that name it, runs the one-off tasks once more, and keeps the data', async () => {
    await get('/cgi-bin/todos?create=bread');
    const database = await tasks('db');
    await deploy('2');
    await until(
      'the application is version 2',
      async () => {
        const rows = (await tasks('app')).filter(({ current, desired }) => current === 'Running' && desired === 'Running');
        return rows.length === 2 && rows.every(({ image }) => image === 'todo-app:2');
      },
      60_000,
    );
    await until(
      'the migration of version 2 is complete',
      async () => (await tasks('migrate')).some(({ image, current }) => image === 'todo-app:2' && current === 'Complete'),
      60_000,
    );
    assert.deepEqual(await tasks('db'), database);
    const answer = (await get('/cgi-bin/todos')).stdout;
    assert.match(answer, /X-Version: 2/);
    assert.match(answer, /\r\nbread\n/);
  });

  test('removing the stack leaves its volumes and nothing else', async () => {
    await skepd.docker('stack', 'rm', 'todo');
    await until('no container is left', async () => (await skepd.engine.docker('ps', '-aq')) === '', 40_000);
    const volumes = (await skepd.engine.docker('volume', 'ls', '--quiet')).split('\n').sort();
    assert.deepEqual(volumes, ['todo_data', 'todo_public']);
    await until('no network is left', async () => (await skepd.engine.docker('network', 'ls', '--quiet', '--filter', 'driver=skep')) === '');
  });
});
