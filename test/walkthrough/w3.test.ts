// W3 of the walkthrough as far as one manager goes: machines join, are drained, die and come back, by the real docker CLI. Several managers are
// test/cluster/managers.test.ts; the finer points of tokens and placement are test/cluster/{trust,nodes}.test.ts.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { type ClusterNode, startCluster, type TestCluster } from '../lib/cluster.ts';
import { until } from '../lib/engine.ts';

describe('W3: many nodes', { skip: process.getuid?.() !== 0 && 'needs root', timeout: 300_000 }, () => {
  let cluster: TestCluster;
  let nodes: readonly [ClusterNode, ClusterNode, ClusterNode];
  const docker = (...args: string[]) => cluster.manager.docker(...args);
  const sleeper = ['--stop-grace-period', '500ms', 'busybox', 'sleep', '1000'] as const;

  before(async () => {
    cluster = await startCluster({ nodes: 3 });
    nodes = cluster.nodes as typeof nodes;
    await Promise.all(nodes.map(({ engine }) => engine.importBusybox('busybox')));
  });
  after(() => cluster?.stop());

  async function running(service: string): Promise<readonly string[]> {
    const lines = await docker('service', 'ps', service, '--filter', 'desired-state=running', '--format', '{{.Node}} {{.CurrentState}}');
    const found = lines.split('\n').filter((line) => line.includes(' Running '));
    return found.map((line) => line.split(' ')[0] ?? '').sort((a, b) => (a < b ? -1 : 1));
  }
  const replicas = (service: string) => docker('service', 'ls', '--filter', `name=${service}`, '--format', '{{.Replicas}}');

  test('the command that init prints makes another machine a worker; a wrong token does not', async () => {
    const [manager, second, third] = nodes;
    const output = await manager.docker('swarm', 'init', '--advertise-addr', manager.lanAddress);
    const [, token = '', address = ''] = /docker swarm join --token (SWMTKN-1-\w{50}-\w{25}) (\S+:2377)/.exec(output) ?? [];
    assert.equal(address, `${manager.lanAddress}:2377`);
    const wrong = await second.tryDocker(['swarm', 'join', '--advertise-addr', second.lanAddress, '--token', `${token.slice(0, -1)}!`, address]);
    assert.equal(wrong.stderr.trim(), 'Error response from daemon: invalid join token');
    for (const node of [second, third])
      assert.equal(await node.docker('swarm', 'join', '--advertise-addr', node.lanAddress, '--token', token, address), 'This node joined a swarm as a worker.');
    const text = await manager.docker('swarm', 'join-token', 'worker');
    assert.equal(text, `To add a worker to this swarm, run the following command:\n\n    docker swarm join --token ${token} ${address}`);
    assert.notEqual(await manager.docker('swarm', 'join-token', '-q', 'manager'), token);
  });

  test('node ls shows all of them; what concerns managers only is refused on the last one and on workers', async () => {
    const list = await docker('node', 'ls', '--format', '{{.Hostname}} {{.Status}} {{.Availability}} {{.ManagerStatus}}');
    assert.deepEqual(
      list
        .split('\n')
        .map((line) => line.trimEnd())
        .sort((a, b) => (a < b ? -1 : 1)),
      ['node1 Ready Active Leader', 'node2 Ready Active', 'node3 Ready Active'],
    );
    const demote = await cluster.manager.tryDocker(['node', 'demote', 'node1']);
    assert.match(demote.stderr, /attempting to demote the last manager of the swarm/);
    const remove = await cluster.manager.tryDocker(['node', 'rm', '--force', 'node1']);
    assert.match(remove.stderr, /is a cluster manager and is a member of the raft cluster\. It must be demoted to worker before removal/);
    const leave = await cluster.manager.tryDocker(['swarm', 'leave']);
    assert.match(leave.stderr, /Removing the last manager erases all current state of the swarm\. Use `--force` to ignore this message\./);
    assert.match(
      (await nodes[1].tryDocker(['service', 'ls'])).stderr,
      /This node is not a swarm manager\. Worker nodes can't be used to view or modify cluster state\./,
    );
  });

  test('a machine that loses its power is replaced; when it is back its stale containers are gone', async () => {
    const [, , third] = nodes;
    await docker('service', 'create', '-q', '--detach', '--name', 'web', '--replicas', '3', ...sleeper);
    await until('one runs on each', async () => (await running('web')).join() === 'node1,node2,node3');
    await third.cut();
    await third.stopDaemon('SIGKILL');
    await third.engine.stopDaemon('SIGKILL');
    await until('three run on the others', async () => (await running('web')).filter((name) => name !== 'node3').length === 3);
    assert.match(await docker('node', 'ls'), /node3 +Down +Active/);
    await third.heal();
    await third.engine.startDaemon();
    await third.startDaemon();
    await until('it is ready', async () => /node3 +Ready +Active/.test(await docker('node', 'ls')));
    await until('nothing stale runs on it', async () => (await third.engine.docker('ps', '-q')) === '');
    assert.equal(await replicas('web'), '3/3');
  });

  test('drain moves tasks, active moves nothing, a forced update spreads again', async () => {
    await docker('node', 'update', '--availability', 'drain', 'node2');
    await until('node2 is empty', async () => {
      const on = await running('web');
      return on.length === 3 && !on.includes('node2');
    });
    assert.match(await docker('node', 'ps', 'node2', '--format', '{{.DesiredState}} {{.CurrentState}}'), /^Shutdown Shutdown/);
    assert.equal(await replicas('web'), '3/3');
    await docker('node', 'update', '--availability', 'active', 'node2');
    await docker('service', 'create', '-q', '--detach', '--name', 'everywhere', '--mode', 'global', ...sleeper);
    await until('one of the global service is on each', async () => (await running('everywhere')).join() === 'node1,node2,node3');
    assert.ok(!(await running('web')).includes('node2'));
    await docker('service', 'update', '-q', '--detach', '--force', 'web');
    await until('one is on each again', async () => (await running('web')).join() === 'node1,node2,node3');
  });

  test('constraints and preferences by role, label, platform and engine', async () => {
    await docker('node', 'update', '--label-add', 'rack=a', 'node2');
    await docker('node', 'update', '--label-add', 'rack=b', 'node3');
    const place = async (name: string, count: number, ...options: string[]) => {
      await docker('service', 'create', '-q', '--detach', '--name', name, '--replicas', String(count), ...options, ...sleeper);
      await until(`${name} runs`, async () => (await running(name)).length === count);
      return (await running(name)).join();
    };
    assert.equal(await place('a', 2, '--constraint', 'node.role==manager'), 'node1,node1');
    assert.equal(await place('b', 2, '--constraint', 'node.labels.rack==b', '--constraint', 'node.platform.os==linux'), 'node3,node3');
    assert.equal(await place('c', 2, '--constraint', 'node.role!=manager', '--placement-pref', 'spread=node.labels.rack'), 'node2,node3');
    await docker('service', 'create', '-q', '--detach', '--name', 'd', '--constraint', 'engine.labels.none==here', ...sleeper);
    await until('it waits and says why', async () =>
      (await docker('service', 'ps', 'd', '--no-trunc', '--format', '{{.Error}}')).includes('scheduling constraints not satisfied on 3 nodes'),
    );
  });

  test('an image goes only where its platform runs', async () => {
    const task = { ContainerSpec: { Image: 'busybox', Args: ['sleep', '1000'] }, Placement: { Platforms: [{ Architecture: 'arm64', OS: 'linux' }] } };
    const { status } = await cluster.manager.http('POST', '/services/create', { Name: 'arm', TaskTemplate: task, Mode: { Replicated: { Replicas: 1 } } });
    assert.equal(status, 201);
    await until('it waits and says why', async () =>
      (await docker('service', 'ps', 'arm', '--no-trunc', '--format', '{{.Error}}')).includes('unsupported platform on 3 nodes'),
    );
  });

  test('a worker leaves, its tasks go elsewhere, and it can be removed; a manager leaves by force and nothing stays', async () => {
    const [manager, second, third] = nodes;
    await docker('service', 'rm', 'a', 'b', 'c', 'd', 'arm');
    assert.equal(await second.docker('swarm', 'leave'), 'Node left the swarm.');
    assert.match(await docker('node', 'ls'), /node2 +Down/);
    await until('three run on the others', async () => (await running('web')).length === 3 && !(await running('web')).includes('node2'));
    assert.equal(await second.engine.docker('ps', '-aq'), '');
    assert.equal(await docker('node', 'rm', 'node2'), 'node2');
    assert.equal(await third.docker('swarm', 'leave'), 'Node left the swarm.');
    assert.equal(await manager.docker('swarm', 'leave', '--force'), 'Node left the swarm.');
    for (const node of nodes) {
      assert.equal(await node.engine.docker('ps', '-aq'), '');
      assert.equal(await node.docker('info', '--format', '{{.Swarm.LocalNodeState}}'), 'inactive');
    }
  });
});
