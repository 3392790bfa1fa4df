// W7 of the walkthrough: one-off tasks and eventual consistency. examples/todo comes up in any order, its one-off services are retried until they are
// complete and are not run again, and its acceptance test passes in the end. With a real MariaDB and Django, by either command line.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { ensureImages } from '../../scripts/example.ts';
import { stackDeploy } from '../lib/cli-version.ts';
import { until } from '../lib/engine.ts';
import { startSkepd, type TestSkepd } from '../lib/skepd.ts';
import { type Cli, withEitherProgram } from './programs.ts';

const folder = join(import.meta.dirname, '../../examples/todo');
const composeFile = join(folder, 'compose.yaml');
const hasBats = spawnSync('bats', ['--version']).status === 0;
const settings = { RETRY_DELAY: '1s', MONITOR: '500ms' };
const COME_UP_MS = 90_000;

interface TaskRow {
  readonly id: string;
  readonly image: string;
  readonly desired: string;
  readonly current: string;
  readonly error: string;
}

const countOf = (rows: readonly TaskRow[], state: string) => rows.filter(({ current }) => current === state).length;

withEitherProgram('W7: one-off tasks and eventual consistency', { skip: process.getuid?.() !== 0 && 'needs root' }, ({ program, cliOf }) => {
  let skepd: TestSkepd;
  let cli: Cli;

  before(async () => {
    skepd = await startSkepd({ engineOptions: { name: `w7-${program}` } });
    await ensureImages(`unix://${skepd.engine.socket}`, [composeFile], { APP_VERSION: '1' });
    for (const version of ['2', '3']) await skepd.engine.docker('tag', 'todo-app:1', `todo-app:${version}`);
    await skepd.init();
    cli = cliOf(skepd);
  });

  after(() => skepd?.stop());

  async function tasks(service: string): Promise<readonly TaskRow[]> {
    const format = '{{.ID}}|{{.Image}}|{{.DesiredState}}|{{.CurrentState}}|{{.Error}}';
    const output = await cli.run('service', 'ps', '--no-trunc', '--format', format, `todo_${service}`);
    return output.split('\n').map((line) => {
      const [id = '', image = '', desired = '', current = '', error = ''] = line.split('|');
      return { id, image, desired, current: current.split(' ')[0] ?? '', error };
    });
  }

  async function deploy(place: string, version: string): Promise<void> {
    const env = { ...settings, APP_VERSION: version };
    const result = await cli.say(place, [...stackDeploy, '--resolve-image', 'never', '-c', composeFile, 'todo'], { env });
    assert.equal(result.code, 0, result.stderr);
  }

  const get = (path: string, ...more: readonly string[]) =>
    skepd.engine.client.exec(['curl', '-sS', '-i', '--max-time', '10', ...more, `http://${skepd.engine.address}:8000${path}`]);

  test('one-off tasks that come too early fail, are retried, and end as complete', async () => {
    await deploy('deploy', '1');
    for (const service of ['migrate', 'collectstatic'])
      await until(`${service} is complete`, async () => countOf(await tasks(service), 'Complete') === 1, COME_UP_MS);
    const rows = await tasks('migrate');
    assert.ok(countOf(rows, 'Failed') >= 1, 'the migration never failed: the test shows nothing');
    assert.ok(rows.filter(({ current }) => current === 'Failed').every(({ error }) => error === '"task: non-zero exit (1)"'));
    assert.ok(rows.every(({ desired }) => desired === 'Shutdown'));
    await until('both replicas of the application run', async () => countOf(await tasks('app'), 'Running') === 2, COME_UP_MS);
  });

  test('they are not run again', async () => {
    const before = (await tasks('migrate')).map(({ id }) => id);
    // Longer than the restart policy's delay, with room for several mistakes.
    await delay(3_000);
    assert.deepEqual(
      (await tasks('migrate')).map(({ id }) => id),
      before,
    );
    assert.equal((await cli.say('services', ['stack', 'services', '--format', '{{.Name}} {{.Replicas}} {{.Image}} {{.Ports}}', 'todo'])).code, 0);
    assert.equal(await cli.run('service', 'ls', '--filter', 'name=todo_migrate', '--format', '{{.Replicas}}'), '0/1');
  });

  test('the application passes its acceptance test', { skip: !hasBats && 'bats is not installed' }, async () => {
    await until('the application answers', async () => / 200 /.test((await get('/')).stdout));
    const result = await skepd.engine.client.exec(['env', `URL=http://${skepd.engine.address}:8000`, 'bats', join(folder, 'acceptance.bats')]);
    assert.equal(result.code, 0, `${result.stdout}\n${result.stderr}`);
  });

  test('the same version again changes nothing', async () => {
    const ids = async () => Promise.all(['db', 'app', 'migrate', 'collectstatic'].map(async (service) => (await tasks(service)).map(({ id }) => id)));
    const before = await ids();
    await deploy('deploy again', '1');
    await delay(1_500);
    assert.deepEqual(await ids(), before);
  });

  test('another version rolls the services that name it, runs the one-off tasks once more, and keeps the data', async () => {
    await get('/todos', '-d', 'title=bread');
    const database = await tasks('db');
    await deploy('deploy version 2', '2');
    await until(
      'the application is version 2',
      async () => {
        const rows = (await tasks('app')).filter(({ current, desired }) => current === 'Running' && desired === 'Running');
        return rows.length === 2 && rows.every(({ image }) => image === 'todo-app:2');
      },
      COME_UP_MS,
    );
    await until(
      'the migration of version 2 is complete',
      async () => (await tasks('migrate')).some(({ image, current }) => image === 'todo-app:2' && current === 'Complete'),
      COME_UP_MS,
    );
    assert.deepEqual(await tasks('db'), database);
    const answer = (await get('/todos')).stdout;
    assert.match(answer, /X-Version: 2/);
    assert.match(answer, /"title": "bread"/);
  });

  test('a deploy that waits takes a one-off task that has completed for done', { skip: program === 'docker' && 'docker does not wait' }, async () => {
    const result = await cli.try(['stack', 'deploy', '--resolve-image', 'never', '-c', composeFile, 'todo'], { env: { ...settings, APP_VERSION: '3' } });
    assert.equal(result.code, 0, `${result.stdout}${result.stderr}`);
    assert.ok((await tasks('migrate')).some(({ image, current }) => image === 'todo-app:3' && current === 'Complete'));
  });

  test('a version that does not start is rolled back, and the application goes on answering', async () => {
    await skepd.engine.importBusybox('todo-app:broken', 'CMD ["false"]');
    const state = () => cli.run('service', 'inspect', '--format', '{{.UpdateStatus.State}}', 'todo_app');
    await until('the last update is complete', async () => (await state()) === 'completed', COME_UP_MS);
    await cli.run('service', 'update', '--detach', '--no-resolve-image', '--image', 'todo-app:broken', 'todo_app');
    await until('the update is rolled back', async () => (await state()) === 'rollback_completed', COME_UP_MS);
    assert.match((await get('/todos')).stdout, program === 'skep' ? /X-Version: 3/ : /X-Version: 2/);
  });

  test('removing the stack leaves its volumes and nothing else', async () => {
    const { code, stderr } = await cli.say('remove', ['stack', 'rm', 'todo']);
    assert.equal(code, 0, stderr);
    await until('no container is left', async () => (await skepd.engine.docker('ps', '-aq')) === '', 40_000);
    const volumes = (await skepd.engine.docker('volume', 'ls', '--quiet')).split('\n').sort();
    assert.deepEqual(volumes, ['todo_data', 'todo_static']);
    await until('no network is left', async () => (await skepd.engine.docker('network', 'ls', '--quiet', '--filter', 'driver=skep')) === '');
  });
});
