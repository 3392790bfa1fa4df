// Requests as clients other than the docker CLI make them, where the CLI says a thing in two ways and others in one.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { until } from '../lib/engine.ts';
import { startSkepd, type TestSkepd } from '../lib/skepd.ts';

describe('requests of other clients', { skip: process.getuid?.() !== 0 && 'needs root' }, () => {
  let skepd: TestSkepd;

  before(async () => {
    skepd = await startSkepd();
    await skepd.engine.importBusybox('busybox:latest', 'CMD ["sleep","1000"]');
  });

  after(async () => {
    await skepd?.stop();
  });

  const init = (body: object) => skepd.http('POST', '/v1.41/swarm/init', { ListenAddr: '0.0.0.0:2377', AdvertiseAddr: skepd.engine.address, ...body });
  const swarm = async () =>
    (await skepd.http('GET', '/swarm')).json as { ID: string; Spec: { Labels: object; EncryptionConfig: object; Orchestration: object } };
  const unlockKey = async () => ((await skepd.http('GET', '/swarm/unlockkey')).json as { UnlockKey: string }).UnlockKey;

  test('autolock that only the spec asks for is on from the beginning', async () => {
    assert.equal((await init({ Spec: { EncryptionConfig: { AutoLockManagers: true } } })).status, 200);
    assert.match(await unlockKey(), /^SWMKEY-1-/);
    assert.deepEqual((await swarm()).Spec.EncryptionConfig, { AutoLockManagers: true });
    assert.equal((await skepd.http('POST', '/swarm/leave?force=1')).status, 200);
  });

  test('a swarm that is kept by force takes over what the request says of its spec, and nothing else', async () => {
    assert.equal((await init({ Spec: { Labels: { a: 'b' }, Orchestration: { TaskHistoryRetentionLimit: 7 } } })).status, 200);
    const before = await swarm();
    assert.equal((await init({ ForceNewCluster: true, Spec: { Labels: { c: 'd' }, EncryptionConfig: { AutoLockManagers: true } } })).status, 200);
    const { ID, Spec } = await swarm();
    assert.deepEqual([ID, Spec.Labels, Spec.Orchestration], [before.ID, { c: 'd' }, { TaskHistoryRetentionLimit: 7 }]);
    const key = await unlockKey();
    assert.match(key, /^SWMKEY-1-/);
    assert.equal((await init({ ForceNewCluster: true })).status, 200);
    assert.equal(await unlockKey(), key);
  });

  test('a task’s container names its image with the tag, as it is listed', async () => {
    const TaskTemplate = { ContainerSpec: { Image: 'busybox', Args: ['sleep', '1000'] } };
    assert.equal((await skepd.http('POST', '/v1.41/services/create', { Name: 'untagged', TaskTemplate })).status, 201);
    await until('the task runs', async () => (await skepd.docker('ps', '-q', '--filter', 'name=untagged')) !== '');
    assert.equal(await skepd.docker('ps', '--filter', 'name=untagged', '--format', '{{.Image}}'), 'busybox:latest');
  });
});
