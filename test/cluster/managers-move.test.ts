// The way from one manager's file to several managers' etcd: under load, with autolock, and when it is interrupted.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { type ClusterNode, startCluster, type TestCluster } from '../lib/cluster.ts';
import { until } from '../lib/namespace.ts';

describe('a store that moves to etcd', () => {
  let cluster: TestCluster;
  let one: ClusterNode;
  let two: ClusterNode;

  before(async () => {
    cluster = await startCluster({ nodes: 2 });
    const [first, second] = cluster.nodes;
    assert(first && second);
    [one, two] = [first, second];
    await one.docker('swarm', 'init', '--advertise-addr', one.lanAddress, '--autolock');
  });
  after(() => cluster?.stop());

  const configs = async (node: ClusterNode) => {
    const { json } = await node.http('GET', '/configs');
    return (json as readonly { readonly ID: string; readonly Version: { readonly Index: number }; readonly Spec: { readonly Name: string } }[]).toSorted(
      (a, b) => (a.Spec.Name < b.Spec.Name ? -1 : 1),
    );
  };
  const create = (node: ClusterNode, name: string) => node.http('POST', '/configs/create', { Name: name, Data: 'eA==' });

  it('goes on in its file when the move was interrupted', async () => {
    await create(one, 'first');
    const token = await one.docker('swarm', 'join-token', '-q', 'manager');
    const joining = two.tryDocker(['swarm', 'join', '--advertise-addr', two.lanAddress, '--token', token, `${one.lanAddress}:2377`]);
    await until('the move has begun', async () => existsSync(join(one.stateDirectory, 'etcd', 'member.new.json')));
    await one.stopDaemon('SIGKILL');
    await one.startDaemon();
    const key = await unlockKeyOf(one);
    if (key !== undefined) await one.http('POST', '/swarm/unlock', { UnlockKey: key });
    await joining;
    await until('the node gave up or joined', async () => (await two.docker('info', '--format', '{{.Swarm.LocalNodeState}}')) !== 'pending');
    if ((await two.docker('info', '--format', '{{.Swarm.LocalNodeState}}')) !== 'inactive') await two.docker('swarm', 'leave', '--force');
    assert.deepEqual(
      (await configs(one)).map(({ Spec }) => Spec.Name),
      ['first'],
    );
  });

  it('loses no write, keeps every version, and is locked on both managers', async () => {
    const before = await configs(one);
    const acknowledged: string[] = [];
    let isDone = false;
    const writer = async (name: string) => {
      for (let index = 0; !isDone; index++) {
        const { status } = await create(one, `${name}-${index}`);
        if (status === 200 || status === 201) acknowledged.push(`${name}-${index}`);
      }
    };
    const writers = ['a', 'b', 'c', 'd'].map(writer);
    const token = await one.docker('swarm', 'join-token', '-q', 'manager');
    try {
      // What is left of the interrupted attempt may have to go first.
      const join = ['swarm', 'join', '--advertise-addr', two.lanAddress, '--token', token, `${one.lanAddress}:2377`];
      await until('it joins', async () => (await two.tryDocker(join)).code === 0);
    } finally {
      isDone = true;
      await Promise.all(writers);
    }
    console.log(`  ${acknowledged.length} writes while the second manager joined`);
    assert.ok(acknowledged.length > 20);
    const names = new Set((await configs(one)).map(({ Spec }) => Spec.Name));
    for (const name of acknowledged) assert.ok(names.has(name), name);
    await until('the other has all', async () => JSON.stringify(await configs(two)) === JSON.stringify(await configs(one)));
    for (const { ID, Version } of before) assert.equal((await configs(one)).find((config) => config.ID === ID)?.Version.Index, Version.Index);
    assert.match(await two.docker('info', '--format', '{{.Swarm.Warnings}}'), /two-manager configuration/);
    for (const node of [one, two]) assert.equal(await node.docker('info', '--format', '{{.Swarm.Cluster.Spec.EncryptionConfig.AutoLockManagers}}'), 'true');
    const key = (await one.docker('swarm', 'unlock-key', '-q')).trim();
    assert.equal(await two.docker('swarm', 'unlock-key', '-q'), key);
    for (const node of [one, two]) {
      await node.stopDaemon();
      await node.startDaemon();
      assert.equal(await node.docker('info', '--format', '{{.Swarm.LocalNodeState}}'), 'locked');
    }
    const unlocking = one.http('POST', '/swarm/unlock', { UnlockKey: key });
    assert.equal((await two.http('POST', '/swarm/unlock', { UnlockKey: key })).status, 200);
    assert.equal((await unlocking).status, 200);
    await until('writes work', async () => (await create(two, 'unlocked')).status < 300);
  });

  it('goes back to one manager, whichever led, and says why a node without etcd is not promoted', async () => {
    const isManager = async (node: ClusterNode) => (await node.docker('info', '--format', '{{.Swarm.ControlAvailable}}')) === 'true';
    const leader = (await one.docker('node', 'ls', '--format', '{{.Hostname}} {{.ManagerStatus}}')).includes('node1 Leader') ? one : two;
    const other = leader === one ? two : one;
    const leaderId = await leader.docker('info', '--format', '{{.Swarm.NodeID}}');
    // A manager that was unlocked a moment ago may not count as reachable yet: without it the other may not go.
    await until('it may be demoted', async () => (await other.tryDocker(['node', 'demote', leaderId])).code === 0);
    await until('it is a worker', async () => !(await isManager(leader)));
    assert.equal((await create(other, 'alone')).status < 300, true);
    assert.equal(
      await other.docker('node', 'ls', '--format', '{{.ManagerStatus}}').then((text) =>
        text
          .split('\n')
          .filter((status) => status !== '')
          .join(),
      ),
      'Leader',
    );
    await leader.engine.exec(['mount', '--bind', '/dev/null', '/usr/bin/etcd']);
    await other.docker('node', 'promote', leaderId);
    await until('it says why not', async () => (await leader.docker('info', '--format', '{{.Swarm.Error}}')).includes('apt-get install etcd-server'));
    assert.equal((await create(other, 'still-alone')).status < 300, true);
    await leader.engine.exec(['umount', '/usr/bin/etcd']);
    await until('it is a manager once it can be', () => isManager(leader));
    await until('both have all', async () => JSON.stringify(await configs(two)) === JSON.stringify(await configs(one)));
  });

  /** Autolocked managers need it after a restart; the one that was killed here may not be locked yet. */
  async function unlockKeyOf(node: ClusterNode): Promise<string | undefined> {
    return (await node.docker('info', '--format', '{{.Swarm.LocalNodeState}}')) === 'locked' ? lockKey : undefined;
  }
  let lockKey: string | undefined;
  before(async () => {
    lockKey = await one.docker('swarm', 'unlock-key', '-q');
  });
});
