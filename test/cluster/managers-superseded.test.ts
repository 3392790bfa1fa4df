// Managers that come back after their swarm was forced to begin anew, or was restored, without them: a swarm never goes on twice.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type ClusterNode, startCluster, type TestCluster } from '../lib/cluster.ts';
import { until } from '../lib/namespace.ts';

const program = fileURLToPath(new URL('../../bin/skep', import.meta.url));

describe('an old majority', () => {
  let cluster: TestCluster;
  let one: ClusterNode;
  let two: ClusterNode;
  let three: ClusterNode;
  let worker: ClusterNode;

  before(async () => {
    cluster = await startCluster({ nodes: 4 });
    [one, two, three, worker] = cluster.nodes as unknown as [ClusterNode, ClusterNode, ClusterNode, ClusterNode];
    await one.docker('swarm', 'init', '--advertise-addr', one.lanAddress);
    const token = await one.docker('swarm', 'join-token', '-q', 'manager');
    for (const node of [two, three]) await node.docker('swarm', 'join', '--advertise-addr', node.lanAddress, '--token', token, `${one.lanAddress}:2377`);
    const workers = await one.docker('swarm', 'join-token', '-q', 'worker');
    await worker.docker('swarm', 'join', '--advertise-addr', worker.lanAddress, '--token', workers, `${one.lanAddress}:2377`);
  });
  after(() => cluster?.stop());

  const skep = async (node: ClusterNode, ...args: readonly string[]) => (await promisify(execFile)(program, ['-H', `unix://${node.socket}`, ...args])).stdout;
  const state = (node: ClusterNode) => node.docker('info', '--format', '{{.Swarm.LocalNodeState}} {{.Swarm.ControlAvailable}} {{.Swarm.Error}}');
  const nodes = async (via: ClusterNode) =>
    (await via.docker('node', 'ls', '--format', '{{.Hostname}} {{.Status}} {{.ManagerStatus}}')).split('\n').map((line) => line.trim());
  const end = async (node: ClusterNode) => {
    await node.stopDaemon('SIGKILL');
    await until('its etcd is gone', async () => (await node.engine.exec(['pidof', 'etcd'])).code !== 0);
  };

  it('that comes back after --force-new-cluster elsewhere gives up: its managers are workers of the swarm that goes on', async () => {
    await Promise.all([end(two), end(three)]);
    await until('the loss is noticed', async () =>
      /does not have a leader/.test((await one.tryDocker(['config', 'create', 'before', '/etc/hostname'])).stderr),
    );
    await one.docker('swarm', 'init', '--force-new-cluster', '--advertise-addr', one.lanAddress);
    await one.docker('config', 'create', 'after', '/etc/hostname');
    await until('the worker follows', async () => (await nodes(one)).includes('node4 Ready'));
    // Two of three: on their own they have a quorum, and know of nothing.
    await Promise.all([two, three].map((node) => node.startDaemon()));
    await until('both are workers', async () => (await Promise.all([two, three].map(state))).every((text) => text.trim() === 'active false'));
    await until(
      'all are nodes of one swarm',
      async () => (await nodes(one)).toSorted().join(', ') === 'node1 Ready Leader, node2 Ready, node3 Ready, node4 Ready',
    );
    assert.match(await two.daemonLog(2_000), /was restored, or forced to begin anew, without this manager, which gives its part up/);
    assert.equal(await one.docker('config', 'ls', '--format', '{{.Name}}'), 'after');
  });

  it('that comes back after a restore on another machine says that it is out, also when it is started again, and no node follows it', async () => {
    const file = join(one.stateDirectory, '..', 'backup.skep');
    await skep(one, 'backup', file);
    await end(one);
    await three.docker('swarm', 'leave');
    await skep(three, 'restore', file, '--advertise-addr', three.lanAddress);
    await three.docker('config', 'create', 'restored', '/etc/hostname');
    await one.startDaemon();
    const isOut = () =>
      until('it says so', async () => /^error false the swarm was restored, .+ another machine has taken this node's place in it/.test(await state(one)));
    await isOut();
    await one.stopDaemon('SIGTERM');
    await one.startDaemon();
    await isOut();
    // Both knew node1's address only.
    for (const node of [two, worker]) assert.doesNotMatch(await state(node), /true/);
    await one.docker('swarm', 'leave', '--force');
    const token = await three.docker('swarm', 'join-token', '-q', 'manager');
    await one.docker('swarm', 'join', '--advertise-addr', one.lanAddress, '--token', token, `${three.lanAddress}:2377`);
    await until('it is a manager again', async () => (await one.docker('config', 'ls', '--format', '{{.Name}}')).split('\n').includes('restored'));
    await until('the workers find it', async () => (await nodes(one)).filter((line) => /^node[24] Ready$/.test(line)).length === 2);
  });
});
