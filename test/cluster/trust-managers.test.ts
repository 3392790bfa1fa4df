// Trust with several managers: what one of them signs, replaces or removes holds for all, whichever of them is asked.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type ClusterNode, startCluster, type TestCluster } from '../lib/cluster.ts';
import { until } from '../lib/engine.ts';

let cluster: TestCluster;
let nodes: readonly [ClusterNode, ClusterNode, ClusterNode, ClusterNode];

before(async () => {
  cluster = await startCluster({ nodes: 4 });
  nodes = cluster.nodes as typeof nodes;
  const [first, second, third] = nodes;
  await first.docker('swarm', 'init', '--advertise-addr', first.lanAddress);
  const token = await first.docker('swarm', 'join-token', '-q', 'manager');
  for (const node of [second, third]) await joinThrough(node, first, token);
});
after(() => cluster?.stop());

const joinThrough = (node: ClusterNode, manager: ClusterNode, token: string) =>
  node.docker('swarm', 'join', '--advertise-addr', node.lanAddress, '--token', token, `${manager.lanAddress}:2377`);
const workerToken = (node: ClusterNode) => node.docker('swarm', 'join-token', '-q', 'worker');
const stateOf = (manager: ClusterNode, node: ClusterNode) => manager.docker('node', 'inspect', node.name, '--format', '{{.Status.State}}').catch(() => 'gone');

test('a worker joins through a manager that does not lead', async () => {
  const [first, second, , fourth] = nodes;
  assert.equal(await joinThrough(fourth, second, await workerToken(second)), 'This node joined a swarm as a worker.');
  assert.equal(await stateOf(first, fourth), 'ready');
});

test('a manager that does not lead replaces the root for all, and then the leader does', async () => {
  const [first, second, third] = nodes;
  for (const manager of [second, first]) {
    const before = await workerToken(manager);
    await manager.docker('swarm', 'ca', '--rotate', '-q');
    const root = await manager.docker('swarm', 'ca');
    for (const node of nodes)
      await until(
        `${node.name} trusts the new root only`,
        async () => (await readFile(join(node.stateDirectory, 'certificates/root.crt'), 'utf8')).trim() === root,
      );
    const tokens = await Promise.all([first, second, third].map(workerToken));
    assert.equal(new Set(tokens).size, 1);
    assert.notEqual(tokens[0], before);
  }
});

test('a worker that leaves or is removed is out for all managers at once', async () => {
  const [first, second, third, fourth] = nodes;
  assert.equal(await fourth.docker('swarm', 'leave'), 'Node left the swarm.');
  await until('a manager that does not lead knows', async () => (await stateOf(third, fourth)) === 'down');
  await third.docker('node', 'rm', fourth.name);
  await joinThrough(fourth, third, await workerToken(third));
  await second.docker('node', 'rm', '--force', fourth.name);
  await until('it knows that it is out', async () => (await fourth.docker('info', '--format', '{{.Swarm.LocalNodeState}}')) === 'error');
  assert.equal(await stateOf(first, fourth), 'gone');
});

test('a manager that was off while the unlock key was changed is unlocked with the one of its time, and then follows', async () => {
  const [first, , third] = nodes;
  const unlock = (node: ClusterNode, key: string) => node.tryDocker(['swarm', 'unlock'], { input: `${key}\n` });
  const localState = (node: ClusterNode) => node.docker('info', '--format', '{{.Swarm.LocalNodeState}}');
  assert.match(
    await first.docker('swarm', 'update', '--autolock=true'),
    /^Swarm updated\.\nTo unlock a swarm manager after it restarts, run the `docker swarm unlock`/,
  );
  const old = await first.docker('swarm', 'unlock-key', '-q');
  await until('all managers have it', async () => (await third.docker('swarm', 'unlock-key', '-q')) === old);
  await third.stopDaemon();
  assert.match(await first.docker('swarm', 'unlock-key', '--rotate'), /^Successfully rotated manager unlock key\./);
  const current = await first.docker('swarm', 'unlock-key', '-q');
  assert.notEqual(current, old);
  await third.startDaemon();
  assert.equal(await localState(third), 'locked');
  assert.match(
    (await third.tryDocker(['node', 'ls'])).stderr,
    /Swarm is encrypted and needs to be unlocked before it can be used\. Please use "docker swarm unlock" to unlock it\./,
  );
  assert.match((await unlock(third, current)).stderr, /swarm could not be unlocked: invalid key provided/);
  assert.equal((await unlock(third, old)).code, 0);
  await until('it is a manager', async () => (await localState(third)) === 'active');
  await until('it follows', async () => (await third.docker('swarm', 'unlock-key', '-q')) === current);
  await third.stopDaemon();
  await third.startDaemon();
  assert.match((await unlock(third, old)).stderr, /invalid key provided/);
  assert.equal((await unlock(third, current)).code, 0);
  await first.docker('swarm', 'update', '--autolock=false');
});
