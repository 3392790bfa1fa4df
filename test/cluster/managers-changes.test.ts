// Managers that leave, are removed, are lost for good, or cannot become one, by the real docker CLI.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type ClusterNode, startCluster, type TestCluster } from '../lib/cluster.ts';
import { until } from '../lib/namespace.ts';

describe('managers that come and go', () => {
  let cluster: TestCluster;
  let one: ClusterNode;
  let two: ClusterNode;
  let three: ClusterNode;

  before(async () => {
    cluster = await startCluster({ nodes: 3 });
    const [first, second, third] = cluster.nodes;
    assert(first && second && third);
    [one, two, three] = [first, second, third];
    await one.docker('swarm', 'init', '--advertise-addr', one.lanAddress);
    await one.docker('config', 'create', 'kept', '/etc/hostname');
  });
  after(() => cluster?.stop());

  const join = async (node: ClusterNode, role: 'manager' | 'worker', via = one) => {
    const token = await via.docker('swarm', 'join-token', '-q', role);
    return node.tryDocker(['swarm', 'join', '--advertise-addr', node.lanAddress, '--token', token, `${via.lanAddress}:2377`]);
  };
  const isManager = async (node: ClusterNode) => (await node.docker('info', '--format', '{{.Swarm.ControlAvailable}}')) === 'true';
  const configs = (node: ClusterNode) => node.docker('config', 'ls', '--format', '{{.Name}}');

  it('refuses a manager without etcd before anything changes, and names the package', async () => {
    await two.engine.exec(['mount', '--bind', '/dev/null', '/usr/bin/etcd']);
    const refused = await join(two, 'manager');
    assert.match(refused.stderr, /this machine has no etcd program: install it \(Debian and Ubuntu: apt-get install etcd-server\)/);
    assert.equal(await two.docker('info', '--format', '{{.Swarm.LocalNodeState}}'), 'inactive');
    assert.equal(await one.docker('node', 'ls', '-q').then((ids) => ids.split('\n').length), 1);
    await two.engine.exec(['umount', '/usr/bin/etcd']);
  });

  it('says what leaving would mean, and hands over when the leader leaves by force', async () => {
    assert.equal((await join(two, 'manager')).code, 0);
    assert.equal((await join(three, 'manager')).code, 0);
    await until(
      'all are reachable',
      async () => (await one.docker('node', 'ls', '--format', '{{.ManagerStatus}}')).split('\n').filter((s) => s === 'Reachable').length === 2,
    );
    const warned = await one.tryDocker(['swarm', 'leave']);
    assert.match(
      warned.stderr,
      /participating as a manager\. Removing this node leaves 2 managers out of 3\. Without a Raft quorum your swarm will be inaccessible\. The only way|participating as a manager\. Doing so may lose the consensus of your cluster\. The only way/,
    );
    const leftAt = Date.now();
    await one.docker('swarm', 'leave', '--force');
    console.log(`  leaving took ${Date.now() - leftAt} ms`);
    assert.equal(await one.docker('info', '--format', '{{.Swarm.LocalNodeState}}'), 'inactive');
    assert.equal(await configs(two), 'kept');
    await two.docker('config', 'create', 'after-leave', '/etc/hostname');
    await until('the other has it', async () => (await configs(three)) === 'after-leave\nkept');
    await until('the one that left is down', async () => (await two.docker('node', 'ls', '--format', '{{.Hostname}} {{.Status}}')).includes('node1 Down'));
    await two.docker('node', 'rm', 'node1');
  });

  it('comes back as what it was wanted to be: a manager demoted while it was away is a worker, and can then be removed', async () => {
    assert.equal((await join(one, 'manager', two)).code, 0);
    await until(
      'all are reachable',
      async () => (await two.docker('node', 'ls', '--format', '{{.ManagerStatus}}')).split('\n').filter((s) => s === 'Reachable').length === 2,
    );
    await one.stopDaemon('SIGKILL');
    await two.docker('node', 'demote', 'node1');
    await until('it is out', async () => (await two.docker('node', 'ls', '--format', '{{.ManagerStatus}}')).split('\n').filter((s) => s !== '').length === 2);
    await one.startDaemon();
    await until('it is a worker', async () => !(await isManager(one)) && (await one.docker('info', '--format', '{{.Swarm.LocalNodeState}}')) === 'active');
    await until('it is ready', async () => (await two.docker('node', 'ls', '--format', '{{.Hostname}} {{.Status}}')).includes('node1 Ready'));
  });

  it('goes on from any one manager with --force-new-cluster when the others are lost', async () => {
    await two.docker('config', 'create', 'last', '/etc/hostname');
    await until('the other has it', async () => (await configs(three)).includes('last'));
    await two.stopDaemon('SIGKILL');
    // Until its etcd has ended, too, there is a quorum.
    let tries = 0;
    await until('writes are refused', async () =>
      /The swarm does not have a leader/.test((await three.tryDocker(['config', 'create', `try-${tries++}`, '/etc/hostname'])).stderr),
    );
    await three.docker('swarm', 'init', '--force-new-cluster', '--advertise-addr', three.lanAddress);
    assert.match(await configs(three), /last/);
    await three.docker('config', 'create', 'alone', '/etc/hostname');
    await until('the worker follows', async () => (await three.docker('node', 'ls', '--format', '{{.Hostname}} {{.Status}}')).includes('node1 Ready'));
    assert.equal(
      await three.docker('node', 'ls', '--format', '{{.ManagerStatus}}').then((text) =>
        text
          .split('\n')
          .filter((s) => s !== '')
          .join(),
      ),
      'Leader',
    );
    await two.startDaemon();
    await until('the lost one is a worker', async () => (await three.docker('node', 'ls', '--format', '{{.Hostname}} {{.Status}}')).includes('node2 Ready'));
    assert.equal(await isManager(two), false);
  });

  it('survives the power cut of all managers at once', async () => {
    await three.docker('node', 'promote', 'node1', 'node2');
    for (const node of [one, two]) await until(`${node.name} is a manager`, () => isManager(node));
    await until(
      'all are reachable',
      async () => (await two.docker('node', 'ls', '--format', '{{.ManagerStatus}}')).split('\n').filter((s) => s === 'Reachable').length === 2,
    );
    await two.docker('config', 'create', 'before-cut', '/etc/hostname');
    for (const node of cluster.nodes) await node.engine.exec(['sh', '-c', 'kill -9 $(pidof etcd)']);
    await Promise.all(cluster.nodes.map((node) => node.stopDaemon('SIGKILL')));
    await one.startDaemon();
    assert.match(await one.docker('info', '--format', '{{.Swarm.Error}}'), /does not have a leader/);
    await Promise.all([two, three].map((node) => node.startDaemon()));
    await until('writes work', async () => (await one.tryDocker(['config', 'create', 'after-cut', '/etc/hostname'])).code === 0);
    for (const node of cluster.nodes)
      await until('all is there', async () => (await node.tryDocker(['config', 'ls', '--format', '{{.Name}}'])).stdout.includes('after-cut'));
    for (const node of cluster.nodes) assert.match(await configs(node), /before-cut/);
  });
});
