// Who should not get in, or cannot, with real daemons: a stolen worker, a copied node, wrong clocks, addresses that do not lead back, and a skepd that is
// too old for what the others store.
import assert from 'node:assert/strict';
import { cp, readFile, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type ClusterNode, formSwarm, startCluster, type TestCluster } from '../lib/cluster.ts';
import { until } from '../lib/engine.ts';

/** Debian's package faketime; time that is measured goes on as it is. */
const FAKETIME = ['/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1', '/usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1'].find((path) =>
  existsSync(path),
);
const noFaketime = FAKETIME === undefined ? 'libfaketime is not installed' : false;
const clock = (more: Readonly<Record<string, string>>) => ({ env: { LD_PRELOAD: FAKETIME ?? '', FAKETIME_DONT_FAKE_MONOTONIC: '1', ...more } });

let cluster: TestCluster;
let nodes: readonly [ClusterNode, ClusterNode, ClusterNode, ClusterNode];

before(async () => {
  cluster = await startCluster({ nodes: 4 });
  nodes = cluster.nodes as typeof nodes;
  await formSwarm({ ...cluster, nodes: nodes.slice(0, 2) });
  await Promise.all(nodes.map(({ engine }) => engine.importBusybox('busybox')));
  await cluster.manager.docker('service', 'create', '--detach', '--name', 'web', '--mode', 'global', 'busybox', 'sleep', '1000');
});
after(() => cluster?.stop());

const swarmOf = (node: ClusterNode) => node.docker('info', '--format', '{{.Swarm.LocalNodeState}} {{.Swarm.Error}}');
const stateOf = (node: ClusterNode) => cluster.manager.docker('node', 'inspect', node.name, '--format', '{{.Status.State}}').catch(() => 'gone');
const idOf = (node: ClusterNode) => node.docker('info', '--format', '{{.Swarm.NodeID}}');
const nodeCount = async () => (await cluster.manager.docker('node', 'ls', '-q')).split('\n').length;
const tasksOf = (node: ClusterNode) => cluster.manager.docker('node', 'ps', node.name, '--format', '{{.ID}} {{.CurrentState}}');

async function joinAs(node: ClusterNode, role: string, advertise = node.lanAddress) {
  const token = await cluster.manager.docker('swarm', 'join-token', '-q', role);
  return node.tryDocker(['swarm', 'join', '--advertise-addr', advertise, '--token', token, `${cluster.manager.lanAddress}:2377`]);
}

async function restart(node: ClusterNode, options: Parameters<ClusterNode['startDaemon']>[1] = {}): Promise<void> {
  await node.stopDaemon();
  await node.startDaemon([], options);
}

test('a node whose clock is far off does not join, hears by how much, and leaves nothing behind', { skip: noFaketime }, async () => {
  const [, , third] = nodes;
  const file = join(third.engine.folder, 'clock');
  await writeFile(file, '-3h');
  await restart(third, clock({ FAKETIME_TIMESTAMP_FILE: file, FAKETIME_NO_CACHE: '1' }));
  assert.match((await joinAs(third, 'worker')).stderr, /this node's clock shows \S+, at least (1 h 59|2 h \d+) min behind: check the clocks of both/);
  await writeFile(file, '+60d');
  assert.match(
    (await joinAs(third, 'worker')).stderr,
    /the clock of this node is (60|59) days \d+ h ahead of the manager's \(it shows \S+, the manager's \S+\): set it right, and try again/,
  );
  assert.equal(await nodeCount(), 2);
  // An hour is forgiven.
  await writeFile(file, '-50m');
  assert.equal((await joinAs(third, 'worker')).code, 0);
  await until('it is ready', async () => (await stateOf(third)) === 'ready');
  await third.docker('swarm', 'leave');
  await cluster.manager.docker('node', 'rm', third.name);
  await restart(third);
});

test('a manager whose clock jumps takes no node for lost, and restarts nothing', { skip: noFaketime }, async () => {
  const [manager, second] = nodes;
  const file = join(manager.engine.folder, 'clock');
  await writeFile(file, '+0');
  await restart(manager, clock({ FAKETIME_TIMESTAMP_FILE: file, FAKETIME_NO_CACHE: '1' }));
  await until('both nodes are ready', async () => (await stateOf(manager)) === 'ready' && (await stateOf(second)) === 'ready');
  await until('both tasks run', async () => (await tasksOf(manager)).includes('Running') && (await tasksOf(second)).includes('Running'));
  const before = [await tasksOf(second), (await manager.daemonLog(5_000)).split('heartbeat failure').length];
  for (const jump of ['+40d', '-2d', '+0']) {
    await writeFile(file, jump);
    const { length } = await manager.daemonLog(5_000);
    // The dispatcher looks every 0.2 s; something is written down meanwhile.
    await manager.docker('node', 'update', '--label-add', `jump=${jump.replace('+', '')}`, second.name);
    await until('it has gone on', async () => (await manager.http('GET', '/info')).status === 200 && (await manager.daemonLog(5_000)).length >= length);
    assert.equal(await stateOf(second), 'ready');
  }
  const [id = ''] = String(before[0]).split(' ');
  assert.ok((await tasksOf(second)).startsWith(id));
  assert.equal((await manager.daemonLog(5_000)).split('heartbeat failure').length, before[1]);
  await restart(manager);
});

test('a manager that the others cannot reach at the address that it tells is refused before it is one', async () => {
  const [, , third] = nodes;
  await third.engine.exec(['ip', 'addr', 'add', '203.0.113.7/32', 'dev', 'lo']);
  const { stderr } = await joinAs(third, 'manager', '203.0.113.7');
  assert.match(
    stderr,
    /the address that this node advertises, 203\.0\.113\.7, cannot be reached from the manager that was asked \(TCP port 2378: .*\); managers must reach each other/,
  );
  assert.equal(await swarmOf(third), 'inactive');
  assert.equal(await nodeCount(), 2);
  assert.equal((await joinAs(third, 'manager')).code, 0);
});

test('a worker’s certificate opens nothing that is for managers, not their etcd, and nobody else’s tasks', async () => {
  const [manager, second, third] = nodes;
  const [foreignTask = ''] = (await manager.docker('node', 'ps', third.name, '-q', '--no-trunc')).split('\n');
  assert.notEqual(foreignTask, '');
  const attacker = join(import.meta.dirname, '../lib/attacker.ts');
  const folder = join(second.stateDirectory, 'certificates');
  const argv = [process.execPath, '--disable-warning=ExperimentalWarning', attacker, folder, `${manager.lanAddress}:2377`, await idOf(third), foreignTask];
  const { stdout, stderr } = await second.engine.exec(argv);
  assert.ok(stdout !== '', stderr);
  const outcome = JSON.parse(stdout) as Readonly<Record<string, string>>;
  for (const what of ['joinManagers', 'confirmManager', 'relay'] as const) assert.match(outcome[what] ?? '', /is a worker: only managers may do this/, what);
  assert.match(outcome['tunnel'] ?? '', /nobody asked for this tunnel/);
  assert.match(outcome['heartbeat'] ?? '', /has no session another-session/);
  // It is said to be done, and dropped: the task is another node's.
  assert.equal(outcome['foreignTask'], 'done');
  assert.match(
    await manager.docker('inspect', '--type', 'task', '--format', '{{.Status.State}}', foreignTask).catch(() => 'running'),
    /running|starting|preparing/,
  );
  const etcd = [
    'openssl',
    's_client',
    '-connect',
    `${manager.lanAddress}:2378`,
    '-cert',
    join(folder, 'node.crt'),
    '-key',
    join(folder, 'node.key'),
    '-ign_eof',
  ];
  const { stdout: shown, stderr: said } = await second.engine.exec([...etcd, '-quiet'], { input: 'GET /version HTTP/1.0\r\n\r\n' });
  assert.match(said + shown, /alert (bad certificate|unknown ca|certificate unknown|certificate required)/i);
  assert.ok(!shown.includes('etcdserver'));
});

test('a node that is copied to a second machine is refused there, in words, and the first one goes on', async () => {
  const [manager, second, , fourth] = nodes;
  await until('it is ready', async () => (await stateOf(second)) === 'ready');
  await fourth.stopDaemon();
  for (const part of ['swarm.json', 'managers.json', 'certificates'])
    await cp(join(second.stateDirectory, part), join(fourth.stateDirectory, part), { recursive: true });
  await fourth.startDaemon();
  await until('it says why not', async () => (await swarmOf(fourth)).includes('two machines have the same state directory'));
  assert.match(await swarmOf(fourth), new RegExp(`has a session from ${second.lanAddress} already`));
  assert.equal(await stateOf(second), 'ready');
  assert.equal(await manager.docker('node', 'inspect', second.name, '--format', '{{.Status.Addr}}'), second.lanAddress);
  await fourth.docker('swarm', 'leave');
  await until('the first one is ready still, or again', async () => (await stateOf(second)) === 'ready');
});

test('managers are replaced by newer ones one by one; then an older one does not begin, says so, and goes on with its containers', async () => {
  const [manager, , third] = nodes;
  const levelOf = async (node: ClusterNode) => (await node.daemonLog(20_000)).includes('older than the swarm');
  await restart(third, { env: { SKEP_TEST_LEVEL: '2' } });
  await until('it takes part', async () => (await stateOf(third)) === 'ready');
  await restart(manager);
  await until('the older one takes part as long as not all are newer', async () => (await swarmOf(manager)) === 'active');
  await restart(manager, { env: { SKEP_TEST_LEVEL: '2' } });
  await until('all are newer, and an older one is refused', async () => {
    await until('it takes part', async () => (await swarmOf(manager)) === 'active');
    await until('it has a task', async () => (await third.engine.docker('ps', '-q')) !== '');
    await restart(third);
    if ((await swarmOf(third)).startsWith('error')) return true;
    await restart(third, { env: { SKEP_TEST_LEVEL: '2' } });
    return false;
  });
  assert.match(
    await swarmOf(third),
    /this skepd is older than the swarm's state \(level 2; it knows up to 1\): install the version that the other managers run/,
  );
  assert.ok(await levelOf(third));
  assert.ok((await third.engine.docker('ps', '-q')) !== '');
  await restart(third, { env: { SKEP_TEST_LEVEL: '2' } });
  await until('it takes part again', async () => (await swarmOf(third)) === 'active');
  assert.match(await readFile(join(third.stateDirectory, 'swarm.json'), 'utf8'), /"manager"/);
});
