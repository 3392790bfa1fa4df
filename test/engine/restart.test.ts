// What happens to tasks when skepd or the engine goes away under them and comes back.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { until } from '../lib/engine.ts';
import { startSkepd, type TestSkepd } from '../lib/skepd.ts';

const IMAGE = 'busybox:restart';

async function withService(daemonArgs: readonly string[], use: (skepd: TestSkepd) => Promise<void>): Promise<void> {
  const skepd = await startSkepd({ engineOptions: { name: 'restart', daemonArgs } });
  try {
    await skepd.engine.importBusybox(IMAGE);
    await skepd.init();
    await skepd.docker('network', 'create', '--driver', 'overlay', 'inner');
    const flags = ['--replicas', '2', '--network', 'inner', '--publish', 'published=18080,target=80', '--stop-signal', 'SIGKILL', '--restart-delay', '200ms'];
    await skepd.docker('service', 'create', '--detach', '--quiet', '--no-resolve-image', '--name', 'web', ...flags, IMAGE, 'httpd', '-f', '-h', '/var/www');
    await until('both tasks run', async () => (await running(skepd)).length === 2);
    await until('the service answers', () => answers(skepd));
    await use(skepd);
  } catch (error) {
    throw new Error(`${String(error)}\n-- skepd's log:\n${await skepd.daemonLog(60)}`, { cause: error });
  } finally {
    await skepd.stop();
  }
}

/** Ids of the service's tasks that are running. */
async function running(skepd: TestSkepd): Promise<readonly string[]> {
  const lines = await skepd.docker('service', 'ps', '--no-trunc', '--filter', 'desired-state=running', '--format', '{{.ID}} {{.CurrentState}}', 'web');
  return lines
    .split('\n')
    .filter((line) => / Running /.test(line))
    .map((line) => line.split(' ')[0] ?? '')
    .sort();
}

/** Container ids with the moment they started, as the engine has them. */
async function containers(skepd: TestSkepd): Promise<string> {
  const ids = (await skepd.engine.docker('ps', '-q', '--no-trunc')).split('\n').sort();
  return skepd.engine.docker('inspect', '--format', '{{.Id}} {{.State.StartedAt}}', ...ids);
}

async function answers(skepd: TestSkepd): Promise<boolean> {
  const page = await skepd.engine.client.exec(['curl', '-sS', '--max-time', '2', `http://${skepd.engine.address}:18080/`]);
  return page.stdout === 'it works\n';
}

test('a skepd that was killed adopts its containers when it starts again; they served all the while', () =>
  withService([], async (skepd) => {
    const tasks = await running(skepd);
    const before = await containers(skepd);
    for (let round = 0; round < 3; round++) {
      await skepd.stopDaemon('SIGKILL');
      assert.ok(await answers(skepd), 'the service does not answer while skepd is away');
      await skepd.startDaemon();
      await until('the tasks are known as running', async () => (await running(skepd)).length === 2);
      assert.deepEqual(await running(skepd), tasks);
      assert.equal(await containers(skepd), before);
      assert.ok(await answers(skepd), 'the service does not answer after the restart of skepd');
    }
    // It still obeys: the adopted tasks are stopped in order.
    await skepd.docker('service', 'scale', '--detach', 'web=1');
    await until('one task is left', async () => (await running(skepd)).length === 1 && (await skepd.engine.docker('ps', '-q')).split('\n').length === 1);
    assert.ok(await answers(skepd));
  }));

test('a container that ended while skepd was away is replaced when it is back', () =>
  withService([], async (skepd) => {
    const tasks = await running(skepd);
    await skepd.stopDaemon('SIGKILL');
    const [first = ''] = (await skepd.engine.docker('ps', '-q')).split('\n');
    await skepd.engine.docker('kill', first);
    await skepd.startDaemon();
    await until('the lost task is replaced', async () => {
      const now = await running(skepd);
      return now.length === 2 && now.filter((id) => tasks.includes(id)).length === 1;
    });
    assert.match(await skepd.docker('service', 'ps', '--no-trunc', '--format', '{{.Error}}', 'web'), /task: non-zero exit \(137\)/);
  }));

for (const [how, signal] of [
  ['is restarted', 'SIGTERM'],
  ['is killed', 'SIGKILL'],
] as const)
  test(`an engine that ${how}: its tasks have failed and are replaced, and the service answers again`, () =>
    withService([], async (skepd) => {
      const tasks = await running(skepd);
      await skepd.engine.stopDaemon(signal);
      await skepd.engine.startDaemon();
      await until('both tasks are replaced', async () => (await running(skepd)).filter((id) => !tasks.includes(id)).length === 2, 60_000);
      await until('the service answers', () => answers(skepd), 20_000);
      // Nothing else: two failed tasks, two running ones.
      const states = (await skepd.docker('service', 'ps', '--format', '{{.CurrentState}}', 'web')).split('\n').map((state) => state.split(' ')[0] ?? '');
      assert.deepEqual(
        states.sort((a, b) => a.localeCompare(b)),
        ['Failed', 'Failed', 'Running', 'Running'],
      );
    }));

test('an engine with live-restore that is restarted: nothing happens to the tasks', () =>
  withService(['--live-restore'], async (skepd) => {
    const tasks = await running(skepd);
    const before = await containers(skepd);
    await skepd.engine.stopDaemon('SIGTERM');
    assert.ok(await answers(skepd), 'the service does not answer while the engine is away');
    await skepd.engine.startDaemon();
    await until('the tasks are seen', async () => (await running(skepd)).length === 2);
    assert.deepEqual(await running(skepd), tasks);
    assert.equal(await containers(skepd), before);
    await skepd.docker('service', 'scale', '--detach', 'web=3');
    await until('a third task runs', async () => (await running(skepd)).length === 3);
    assert.ok(await answers(skepd));
  }));

test('a task that is wanted while the engine is away starts once it is back', () =>
  withService(['--live-restore'], async (skepd) => {
    await skepd.engine.stopDaemon('SIGTERM');
    await skepd.docker('service', 'scale', '--detach', 'web=3');
    await skepd.engine.startDaemon();
    await until('a third task runs', async () => (await running(skepd)).length === 3, 40_000);
    assert.doesNotMatch(await skepd.docker('service', 'ps', '--format', '{{.CurrentState}}', 'web'), /Failed|Rejected/);
  }));
