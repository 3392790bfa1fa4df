// After `docker swarm leave --force` and the end of skepd a machine looks as it did before skepd was first started: processes, containers, networks,
// devices, addresses, routes, rules, namespaces, mounts and files. Outside its state folder nothing of ours stays.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { createTestDaemon, type TestDaemon } from '../crash/daemon.ts';
import { assertAsBefore, differences, type Snapshot, takeSnapshot } from '../crash/machine.ts';
import { startEngine, type TestEngine, until } from '../lib/engine.ts';

const IMAGE = 'cleanup:1';
const COMMAND = `CMD ["sh","-c","trap 'exit 0' TERM; while :; do sleep 1000 & wait $!; done"]`;

/** One of everything that a swarm can have on a node. */
async function useEverything(engine: TestEngine, daemon: TestDaemon): Promise<void> {
  await daemon.must('POST', '/swarm/init', { ListenAddr: '127.0.0.1:0', AdvertiseAddr: engine.address });
  await daemon.must('POST', '/networks/create', { Name: 'front', Driver: 'overlay', Attachable: true });
  await daemon.must('POST', '/networks/create', { Name: 'back', Driver: 'overlay', Internal: true });
  const { ID: SecretID } = await daemon.must('POST', '/secrets/create', { Name: 'password', Labels: {}, Data: 'c2VjcmV0' });
  const { ID: ConfigID } = await daemon.must('POST', '/configs/create', { Name: 'settings', Labels: {}, Data: 'YT1i' });
  const file = { UID: '0', GID: '0', Mode: 0o444 };
  const container = {
    Image: IMAGE,
    StopGracePeriod: 1_000_000_000,
    Secrets: [{ SecretID, SecretName: 'password', File: { ...file, Name: 'password' } }],
    Configs: [{ ConfigID, ConfigName: 'settings', File: { ...file, Name: '/settings' } }],
  };
  await daemon.must('POST', '/services/create', {
    Name: 'web',
    TaskTemplate: { ContainerSpec: container, Networks: [{ Target: 'front' }, { Target: 'back' }] },
    Mode: { Replicated: { Replicas: 2 } },
    EndpointSpec: { Ports: [{ Protocol: 'tcp', TargetPort: 80, PublishedPort: 8_080 }] },
  });
  await daemon.must('POST', '/services/create', {
    Name: 'host',
    TaskTemplate: { ContainerSpec: { Image: IMAGE, StopGracePeriod: 1_000_000_000 } },
    Mode: { Global: {} },
    EndpointSpec: { Ports: [{ Protocol: 'tcp', TargetPort: 81, PublishedPort: 8_081, PublishMode: 'host' }] },
  });
  await until(
    'everything runs',
    async () => (await daemon.must('GET', '/tasks')).filter((task: { Status: { State: string } }) => task.Status.State === 'running').length === 3,
    40_000,
  );
  const plain = await engine.tryDocker(['run', '-d', '--name', 'plain', '--network', 'front', IMAGE], { socket: daemon.socket });
  assert.equal(plain.code, 0, plain.stderr);
}

async function leave(daemon: TestDaemon): Promise<void> {
  await daemon.must('POST', '/swarm/leave?force=1');
}

async function withEngine(run: (engine: TestEngine, daemon: TestDaemon, before: Snapshot) => Promise<void>): Promise<void> {
  const engine = await startEngine({ name: 'cleanup' });
  const daemon = createTestDaemon(engine);
  try {
    await engine.importBusybox(IMAGE, COMMAND);
    // What dockerd makes at its first container belongs to dockerd.
    await engine.docker('run', '--rm', '-p', '8099:80', IMAGE, 'true');
    // And the mount on /run/netns, which `ip netns` makes when it is first used and keeps, belongs to iproute2.
    await engine.exec(['sh', '-c', 'ip netns add first && ip netns delete first']);
    await run(engine, daemon, await takeSnapshot(engine));
  } catch (error) {
    throw new Error(`${error instanceof Error ? error.message : String(error)}\nskepd's last words:\n${daemon.log()}`, { cause: error });
  } finally {
    await engine.stop();
  }
}

test('nothing of a swarm is left on the machine after leaving it', { timeout: 180_000 }, async () => {
  await withEngine(async (engine, daemon, before) => {
    await daemon.ready();
    await useEverything(engine, daemon);
    assert.notDeepEqual(differences(before, await takeSnapshot(engine)), [], 'the comparison sees nothing');
    await leave(daemon);
    // A plain container is its user's and goes on; but it loses the swarm's networks, as with Docker.
    assert.equal(await engine.docker('inspect', '--format', '{{.State.Running}} {{len .NetworkSettings.Networks}}', 'plain'), 'true 0');
    await engine.docker('rm', '-f', 'plain');
    await daemon.end('SIGTERM');
    await assertAsBefore(engine, before);
    await daemon.ready();
    assert.equal((await daemon.must('GET', '/info')).Swarm.LocalNodeState, 'inactive');
    await daemon.end('SIGTERM');
    await assertAsBefore(engine, before);
  });
});

test('nothing is left either when skepd is killed while it runs and again while it leaves', { timeout: 180_000 }, async () => {
  await withEngine(async (engine, daemon, before) => {
    await daemon.ready();
    await useEverything(engine, daemon);
    await engine.docker('rm', '-f', 'plain');
    await daemon.end('SIGKILL');
    await daemon.ready();
    const leaving = leave(daemon).catch(() => {});
    await until(
      'leaving has begun',
      async () =>
        (await daemon.call('GET', '/tasks')).status === 503 || readFileSync(`${daemon.stateDirectory}/swarm.json`, 'utf8').includes('"leaving": true'),
    );
    await daemon.end('SIGKILL');
    await leaving;
    await daemon.ready();
    assert.equal((await daemon.must('GET', '/info')).Swarm.LocalNodeState, 'inactive');
    await daemon.end('SIGTERM');
    await assertAsBefore(engine, before);
  });
});

test('nothing is left either when a manager that is left could not start because another program has its port', { timeout: 180_000 }, async () => {
  await withEngine(async (engine, daemon, before) => {
    await daemon.ready();
    await daemon.must('POST', '/swarm/init', { ListenAddr: '0.0.0.0:2377', AdvertiseAddr: engine.address });
    await daemon.end('SIGTERM');
    const other = await engine.spawnInside([process.execPath, '-e', 'require("node:net").createServer().listen(2377, "0.0.0.0")'], { stdio: 'ignore' });
    await until('the port is taken', async () => (await engine.exec(['sh', '-c', 'grep -q :0949 /proc/net/tcp'])).code === 0);
    await daemon.ready();
    await until('it says so', async () => /listen on 0\.0\.0\.0:2377.+in use/.test((await daemon.must('GET', '/info')).Swarm.Error));
    await leave(daemon);
    other.signal('SIGKILL');
    await other.exited;
    await daemon.end('SIGTERM');
    await assertAsBefore(engine, before);
  });
});
