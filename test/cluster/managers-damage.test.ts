// Managers whose part of the common state is damaged or gone, by the real docker CLI.
import assert from 'node:assert/strict';
import { closeSync, openSync, readdirSync, readFileSync, readSync, rmSync, truncateSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { type ClusterNode, startCluster, type TestCluster } from '../lib/cluster.ts';
import { until } from '../lib/namespace.ts';

describe('three managers, one of which is damaged', () => {
  let cluster: TestCluster;
  let one: ClusterNode;
  let two: ClusterNode;
  let three: ClusterNode;
  const written: string[] = [];
  let key = '';

  before(async () => {
    cluster = await startCluster({ nodes: 3 });
    const [first, second, third] = cluster.nodes;
    assert(first && second && third);
    [one, two, three] = [first, second, third];
    await one.docker('swarm', 'init', '--advertise-addr', one.lanAddress);
    const token = await one.docker('swarm', 'join-token', '-q', 'manager');
    for (const node of [two, three]) await node.docker('swarm', 'join', '--advertise-addr', node.lanAddress, '--token', token, `${one.lanAddress}:2377`);
    await allReachable(one);
    assert(readdirSync(join(one.stateDirectory, 'snapshots')).some((name) => name.endsWith('before-etcd.skep')));
  });
  after(() => cluster?.stop());

  const state = (node: ClusterNode) => node.docker('info', '--format', '{{.Swarm.LocalNodeState}} {{.Swarm.Error}}');
  const configs = async (node: ClusterNode) => (await node.docker('config', 'ls', '--format', '{{.Name}}')).split('\n');
  const allReachable = (via: ClusterNode) =>
    until('all managers are reachable', async () =>
      /^(Leader|Reachable) (Leader|Reachable) (Leader|Reachable)$/.test(
        (await via.docker('node', 'ls', '--format', '{{.ManagerStatus}}')).replaceAll('\n', ' '),
      ),
    );
  const write = async (node: ClusterNode) => {
    const name = `config-${written.length}`;
    await node.docker('config', 'create', name, '/etc/hostname');
    written.push(name);
  };
  const nothingIsLost = async (node: ClusterNode) => assert.deepEqual((await configs(node)).toSorted(), written.toSorted());
  /** Until its etcd has ended too. */
  const end = async (node: ClusterNode) => {
    await node.stopDaemon('SIGKILL');
    await until('its etcd is gone', async () => (await node.engine.exec(['pidof', 'etcd'])).code !== 0);
  };
  const etcd = (node: ClusterNode, ...path: string[]) => join(node.stateDirectory, 'etcd', ...path);
  const wal = (node: ClusterNode) => {
    const folder = etcd(node, 'data/member/wal');
    return join(
      folder,
      readdirSync(folder)
        .filter((name) => name.endsWith('.wal'))
        .toSorted()
        .at(-1) ?? '',
    );
  };
  const flip = (file: string, at: number) => {
    const fd = openSync(file, 'r+');
    const byte = Buffer.alloc(1);
    readSync(fd, byte, 0, 1, at);
    byte.writeUInt8(byte.readUInt8(0) ^ 0x10, 0);
    writeSync(fd, byte, 0, 1, at);
    closeSync(fd);
  };

  const damages: readonly (readonly [string, (node: ClusterNode) => void])[] = [
    ['its data is gone', (node) => rmSync(etcd(node, 'data'), { recursive: true })],
    ['its log has a bit that changed', (node) => flip(wal(node), 20_000)],
    ['its log was cut off', (node) => truncateSync(wal(node), 8_192)],
    ['a value in its database has a bit that changed', (node) => flipText(etcd(node, 'data/member/snap/db'), `"name":"${written.at(-1)}`)],
    ['its database is cut off', (node) => truncateSync(etcd(node, 'data/member/snap/db'), 8_192 + 100)],
  ];
  /** In every copy of it that the file has. */
  const flipText = (file: string, text: string) => {
    const bytes = readFileSync(file);
    for (let at = bytes.indexOf(text); at >= 0; at = bytes.indexOf(text, at + 1)) flip(file, at + text.length - 1);
  };
  for (const [what, damage] of damages)
    it(`gets everything from the others when ${what}`, async () => {
      await write(one);
      await write(one);
      await end(three);
      await write(two);
      damage(three);
      const startedAt = Date.now();
      await three.startDaemon();
      await until('it is whole again', async () => (await state(three)) === 'active');
      await until('it knows everything', async () => (await configs(three)).length === written.length);
      console.log(`    whole again after ${Date.now() - startedAt} ms`);
      await nothingIsLost(three);
      await allReachable(one);
      await write(three);
      await nothingIsLost(one);
    });

  it('is not damaged by an etcd that is killed again and again', async () => {
    for (let round = 0; round < 6; round++) {
      await two.engine.exec(['sh', '-c', 'kill -9 $(pidof etcd)']);
      await write(one);
    }
    await until('it writes again', async () => (await two.tryDocker(['config', 'create', 'after-kills', '/etc/hostname'])).code === 0);
    written.push('after-kills');
    for (const node of [one, two, three]) await until(`${node.name} knows everything`, async () => (await configs(node)).length === written.length);
    assert.doesNotMatch(await two.daemonLog(2_000), /damaged/);
  });

  it('says what is wrong while too few others are online, and is a worker of what goes on with --force-new-cluster from one that was locked and behind', async () => {
    key = (await one.docker('swarm', 'update', '--autolock')).match(/SWMKEY-1-\S+/)?.[0] ?? '';
    const unlock = async (node: ClusterNode) => assert.equal((await node.tryDocker(['swarm', 'unlock'], { input: key })).code, 0);
    const isLocked = (node: ClusterNode) => readFileSync(join(node.stateDirectory, 'data-key'), 'utf8').startsWith('wrapped:');
    await until('every disk is locked', () => [one, two, three].every(isLocked));
    await end(two);
    await one.docker('config', 'create', 'after-two-was-gone', '/etc/hostname');
    await Promise.all([end(one), end(three)]);

    rmSync(etcd(three, 'data'), { recursive: true });
    await Promise.all([two, three].map((node) => node.startDaemon()));
    const force = ['swarm', 'init', '--force-new-cluster', '--advertise-addr', two.lanAddress];
    assert.match((await two.tryDocker(force)).stderr, /needs to be unlocked before it can be used/);
    await Promise.all([two, three].map(unlock));
    await until('it says so', async () =>
      /^error the data of etcd on this manager is damaged \(.+wal is gone\); this manager gets it from the others as soon as/.test(await state(three)),
    );
    assert.match(
      await state(three),
      /If that cannot be, use "docker swarm init --force-new-cluster" on one that is not damaged; else restore .+ is of .+ \(skep restore --force \S+scheduled\.skep\)$/,
    );

    assert.match(await state(two), /^error .*does not have a leader/);
    await two.docker(...force);
    await nothingIsLost(two);
    assert(readdirSync(join(two.stateDirectory, 'snapshots')).some((name) => name.endsWith('before-force-new-cluster.skep')));
    await write(two);
    await one.startDaemon();
    await unlock(one);
    const others = [one, three];
    for (const node of others)
      await until(
        `${node.name} is a worker`,
        async () => (await node.docker('info', '--format', '{{.Swarm.LocalNodeState}} {{.Swarm.ControlAvailable}}')) === 'active false',
      );
    await two.docker('node', 'promote', ...others.map(({ name }) => name));
    await allReachable(two);
    for (const node of others) await nothingIsLost(node);
  });

  it('goes on without a manager whose disk is full, which says so and follows again once there is room', async () => {
    const folder = three.stateDirectory;
    const inNode = (command: string) => three.engine.exec(['sh', '-c', command]);
    await end(three);
    const moved = await inNode(`cp -a ${folder} ${folder}.copy && mount -t tmpfs -o size=256m tmpfs ${folder} && cp -a ${folder}.copy/. ${folder}`);
    assert.equal(moved.code, 0, moved.stderr);
    await three.startDaemon();
    await three.tryDocker(['swarm', 'unlock'], { input: key });
    await allReachable(one);
    await inNode(`dd if=/dev/zero of=${folder}/filler bs=1M`);
    // More than etcd has put aside for its log.
    const large = join(one.engine.folder, 'large');
    writeFileSync(large, 'x'.repeat(900_000));
    for (let round = 0; round < 10 && !/disk is full/.test(await state(three)); round++) {
      const names = Array.from({ length: 8 }, (_, index) => `large-${round}-${index}`);
      await Promise.all(names.map((name) => one.docker('config', 'create', name, large)));
      written.push(...names);
    }
    await until('it says so', async () =>
      /etcd does not run on this manager: its disk is full: free some space, and it goes on by itself/.test(await state(three)),
    );
    await write(one);
    await inNode(`rm ${folder}/filler`);
    await until('it is whole again', async () => (await state(three)) === 'active');
    await until('it knows everything', async () => (await configs(three)).length === written.length);
    await allReachable(three);
    await nothingIsLost(three);
    assert.doesNotMatch(await three.daemonLog(2_000), /its data is damaged.*no space/);
  });
});
