// Services that depend on each other, on a real engine and through the stock CLI, which knows nothing of it but labels.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { until } from '../lib/engine.ts';
import { startSkepd, type TestSkepd } from '../lib/skepd.ts';

const IMAGE = 'busybox:dependencies';
let skepd: TestSkepd;

before(async () => {
  skepd = await startSkepd({ engineOptions: { name: 'depends' } });
  await skepd.engine.importBusybox(IMAGE);
  await skepd.init();
});
after(() => skepd?.stop());

/** The newest task of a service: "Ready|Ready|waiting for …" as state, desired state and error. */
async function newest(service: string): Promise<{ readonly id: string; readonly state: string; readonly error: string }> {
  const format = '{{.ID}}|{{.CurrentState}}|{{.Error}}';
  const [id = '', state = '', error = ''] = ((await skepd.docker('service', 'ps', '--no-trunc', '--format', format, service)).split('\n')[0] ?? '').split('|');
  return { id, state: state.split(' ')[0] ?? '', error };
}

const runs = (service: string) => until(`${service} runs`, async () => (await newest(service)).state === 'Running', 60_000);

/** When the container of the service's newest task was started, and when its health check first passed. */
async function timesOf(service: string): Promise<{ readonly started: number; readonly healthy: number }> {
  const { id } = await newest(service);
  const container = await skepd.engine.docker('ps', '-aq', '--filter', `label=com.docker.swarm.task.id=${id}`);
  const [{ State }] = JSON.parse(await skepd.engine.docker('inspect', container)) as [
    { readonly State: { readonly StartedAt: string; readonly Health?: { readonly Log: readonly { readonly ExitCode: number; readonly End: string }[] } } },
  ];
  const passed = (State.Health?.Log ?? []).filter(({ ExitCode }) => ExitCode === 0).map(({ End }) => Date.parse(End));
  return { started: Date.parse(State.StartedAt), healthy: Math.min(...passed) };
}

const create = (name: string, flags: readonly string[], ...command: string[]) =>
  skepd.docker(
    'service',
    'create',
    '--detach',
    '--quiet',
    '--no-resolve-image',
    '--init',
    '--restart-delay',
    '100ms',
    '--name',
    name,
    ...flags,
    IMAGE,
    ...command,
  );

test('a service starts once the others are as it needs them, whenever it starts', async () => {
  await create('web', ['--label', 'com.docker.skep.depends_on=db:service_healthy:restart,migrate:service_completed_successfully'], 'sleep', '1000');
  await until('web waits', async () => (await newest('web')).state === 'Ready');
  const missing = 'service db (service_healthy), which does not exist and service migrate (service_completed_successfully), which does not exist';
  assert.equal((await newest('web')).error, `"waiting for ${missing}"`);
  await create('migrate', ['--restart-condition', 'on-failure', '--label', 'com.docker.skep.depends_on=db:service_healthy'], 'true');
  const health = ['--health-cmd', 'test -f /tmp/up', '--health-interval', '300ms', '--health-retries', '100'];
  await create('db', health, 'sh', '-c', 'sleep 2; touch /tmp/up; exec sleep 1000');
  await runs('web');
  assert.equal((await newest('migrate')).state, 'Complete');
  const [db, web] = [await timesOf('db'), await timesOf('web')];
  assert.ok(web.started >= db.healthy, `web started at ${web.started}, db was healthy at ${db.healthy}`);
});

test('after a power cut of everything the order is the same', async () => {
  const before = await newest('web');
  await skepd.stopDaemon('SIGKILL');
  await skepd.engine.docker('kill', ...(await skepd.engine.docker('ps', '-q')).split('\n'));
  await skepd.startDaemon();
  await until('web has another task', async () => (await newest('web')).id !== before.id, 60_000);
  await runs('web');
  const [db, web] = [await timesOf('db'), await timesOf('web')];
  assert.ok(web.started >= db.healthy, `web started at ${web.started}, db was healthy at ${db.healthy}`);
});

test('an update of the other one restarts it once that is complete', async () => {
  const before = await newest('web');
  await skepd.docker('service', 'update', '--detach', '--quiet', '--no-resolve-image', '--update-monitor', '100ms', '--env-add', 'A=b', 'db');
  await until('web has another task', async () => (await newest('web')).id !== before.id, 60_000);
  await runs('web');
  const [db, web] = [await timesOf('db'), await timesOf('web')];
  assert.ok(web.started >= db.healthy, `web started at ${web.started}, db was healthy at ${db.healthy}`);
});

test('an update waits with the old task running, and says for what', async () => {
  await skepd.docker('service', 'scale', '--detach', 'db=0');
  await until('db is gone', async () => (await skepd.docker('service', 'ls', '--format', '{{.Replicas}}', '--filter', 'name=db')) === '0/0');
  const before = await newest('web');
  await skepd.docker('service', 'update', '--detach', '--quiet', '--no-resolve-image', '--env-add', 'A=b', 'web');
  const message = () => skepd.docker('service', 'inspect', '--format', '{{.UpdateStatus.Message}}', 'web');
  const expected = 'update in progress: waiting for service db (service_healthy), which is scaled to 0';
  await until('the update says what it waits for', async () => (await message()) === expected);
  assert.deepEqual([(await newest('web')).id, (await newest('web')).state], [before.id, 'Running']);
  await skepd.docker('service', 'scale', '--detach', 'db=1');
  await until('web has another task', async () => (await newest('web')).id !== before.id, 60_000);
  await runs('web');
});
