// Several nodes, as users see them: what they tell of themselves, where tasks go, and what moves when nodes change.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type ClusterNode, formSwarm, startCluster, type TestCluster } from '../lib/cluster.ts';
import { until } from '../lib/engine.ts';

let cluster: TestCluster;
let nodes: readonly [ClusterNode, ClusterNode, ClusterNode];
const docker = (...args: string[]) => cluster.manager.docker(...args);

before(async () => {
  cluster = await startCluster({ nodes: 3 });
  nodes = cluster.nodes as typeof nodes;
  await Promise.all(nodes.map(({ engine }) => engine.importBusybox('busybox')));
  await formSwarm(cluster);
});
after(() => cluster?.stop());

const sleeper = ['--stop-grace-period', '500ms', 'busybox', 'sleep', '1000'] as const;
const create = (name: string, ...options: string[]) => docker('service', 'create', '-q', '--detach', '--name', name, ...options, ...sleeper);
/** Nodes of the tasks that run and are wanted, sorted. */
async function where(service: string): Promise<readonly string[]> {
  const lines = await docker('service', 'ps', service, '--filter', 'desired-state=running', '--format', '{{.Node}} {{.CurrentState}}');
  return lines
    .split('\n')
    .filter((line) => line.includes(' Running '))
    .map((line) => line.split(' ')[0] ?? '')
    .sort((a, b) => (a < b ? -1 : 1));
}
const runsOn = (service: string, ...expected: string[]) =>
  until(`${service} runs on ${expected.join(', ')}`, async () => (await where(service)).join() === expected.join());

test('the list and the details of nodes are Docker’s', async () => {
  const list = await docker('node', 'ls');
  assert.match(list, /^ID +HOSTNAME +STATUS +AVAILABILITY +MANAGER STATUS +ENGINE VERSION\n/);
  assert.match(list, /\n\w{25} \* +node1 +Ready +Active +Leader +\d+\.\d+\.\d+/);
  assert.match(list, /\n\w{25} +node2 +Ready +Active +\d+\.\d+\.\d+/);
  const pretty = await docker('node', 'inspect', '--pretty', 'node2');
  assert.match(pretty, /State:\s+Ready\n Availability:\s+Active\n Address:\s+10\.\d+\.\d+\.2\n/);
  assert.match(pretty, /Operating System:\s+linux\n Architecture:\s+x86_64\n/);
  assert.match(pretty, /CPUs:\s+\d+\n Memory:\s+[\d.]+GiB\n/);
  assert.match(pretty, /TLS Info:\n TrustRoot:\n-----BEGIN CERTIFICATE-----/);
  const [, second] = nodes;
  const info = JSON.parse(await second.docker('info', '--format', '{{json .Swarm}}')) as Record<string, unknown>;
  assert.deepEqual([info['LocalNodeState'], info['ControlAvailable'], (info['RemoteManagers'] as unknown[]).length], ['active', false, 1]);
  const { code, stderr } = await second.tryDocker(['node', 'ls']);
  assert.equal(code, 1);
  assert.match(stderr, /This node is not a swarm manager\. Worker nodes can't be used to view or modify cluster state\./);
});

test('labels, roles and platforms decide where tasks may go; a label that changes moves them', async () => {
  await docker('node', 'update', '--label-add', 'rack=a', '--label-add', 'disk=ssd', 'node2');
  await docker('node', 'update', '--label-add', 'rack=b', 'node3');
  assert.equal(await docker('node', 'inspect', 'node2', '--format', '{{json .Spec.Labels}}'), '{"disk":"ssd","rack":"a"}');
  assert.equal(await docker('node', 'ls', '--filter', 'node.label=rack=b', '--format', '{{.Hostname}}'), 'node3');
  assert.equal(
    await docker('node', 'ls', '--filter', 'role=worker', '--format', '{{.Hostname}}').then((text) => text.split('\n').sort().join()),
    'node2,node3',
  );
  await create('on-manager', '--replicas', '2', '--constraint', 'node.role==manager');
  await runsOn('on-manager', 'node1', 'node1');
  await create('on-ssd', '--replicas', '2', '--constraint', 'node.labels.disk==ssd', '--constraint', 'node.platform.os==linux');
  await runsOn('on-ssd', 'node2', 'node2');
  await create('not-here', '--constraint', 'node.hostname!=node1', '--constraint', 'node.labels.disk!=ssd');
  await runsOn('not-here', 'node3');
  await create('racks', '--replicas', '4', '--constraint', 'node.role==worker', '--placement-pref', 'spread=node.labels.rack');
  await runsOn('racks', 'node2', 'node2', 'node3', 'node3');
  await docker('node', 'update', '--label-rm', 'disk', 'node2');
  await until('nothing runs without a node that fits', async () => (await where('on-ssd')).length === 0);
  await until('the replacements say why they wait', async () => {
    const tasks = await docker('service', 'ps', 'on-ssd', '--no-trunc', '--format', '{{.CurrentState}}|{{.Error}}');
    return /Pending .*\|"no suitable node \(scheduling constraints not satisfied on 3 nodes\)"/.test(tasks);
  });
  await docker('node', 'update', '--label-add', 'disk=ssd', 'node3');
  await runsOn('on-ssd', 'node3', 'node3');
  await docker('service', 'rm', 'on-manager', 'on-ssd', 'not-here', 'racks');
});

test('draining a node moves its tasks; making it active moves nothing, and a forced update spreads again', async () => {
  await create('web', '--replicas', '3');
  await runsOn('web', 'node1', 'node2', 'node3');
  await docker('node', 'update', '--availability', 'drain', 'node2');
  await until('node2 is empty', async () => !(await where('web')).includes('node2') && (await where('web')).length === 3);
  assert.match(await docker('node', 'ps', 'node2', '--format', '{{.Name}} {{.DesiredState}} {{.CurrentState}}'), /web\.\d Shutdown Shutdown/);
  assert.equal(await docker('service', 'ls', '--filter', 'name=web', '--format', '{{.Replicas}}'), '3/3');
  assert.match(await docker('node', 'ls'), /node2 +Ready +Drain/);
  const before = await docker('service', 'ps', 'web', '-q');
  await docker('node', 'update', '--availability', 'active', 'node2');
  await docker('service', 'create', '-q', '--detach', '--name', 'other', '--mode', 'global', ...sleeper);
  await runsOn('other', 'node1', 'node2', 'node3');
  assert.equal(await docker('service', 'ps', 'web', '-q'), before);
  await docker('service', 'update', '-q', '--detach=false', '--force', 'web');
  await runsOn('web', 'node1', 'node2', 'node3');
  await docker('service', 'rm', 'web');
});

test('a global service follows the nodes: paused keeps, drained stops, active starts again', async () => {
  await docker('node', 'update', '--availability', 'pause', 'node3');
  await create('placed', '--replicas', '4');
  await until('all are placed', async () => (await where('placed')).length === 4);
  assert.ok(!(await where('placed')).includes('node3'));
  assert.deepEqual(await where('other'), ['node1', 'node2', 'node3']);
  await docker('node', 'update', '--availability', 'drain', 'node3');
  await runsOn('other', 'node1', 'node2');
  await docker('node', 'update', '--availability', 'active', 'node3');
  await runsOn('other', 'node1', 'node2', 'node3');
  await docker('service', 'rm', 'placed', 'other');
});

test('an engine that comes back with other labels is described anew, and its tasks follow its labels', async () => {
  const [, second] = nodes;
  assert.equal(await docker('node', 'inspect', 'node2', '--format', '{{json .Description.Engine.Labels}}'), 'null');
  await create('zoned', '--constraint', 'engine.labels.zone==blue');
  const { labels } = await relabel(second, ['zone=blue', 'speed=high']);
  assert.deepEqual(labels, { zone: 'blue', speed: 'high' });
  await runsOn('zoned', 'node2');
  assert.equal(await docker('node', 'ls', '--filter', 'label=zone=blue', '--format', '{{.Hostname}}'), 'node2');
  await docker('service', 'rm', 'zoned');
});

/** Restarts a node's engine with labels, as an administrator does; resolves when the managers know them. */
async function relabel(node: ClusterNode, wanted: readonly string[]): Promise<{ readonly labels: Readonly<Record<string, string>> }> {
  await node.engine.stopDaemon();
  await node.engine.startDaemon(...wanted.flatMap((label) => ['--label', label]));
  let labels: Record<string, string> = {};
  await until('the managers know the labels', async () => {
    labels = JSON.parse(await docker('node', 'inspect', node.name, '--format', '{{json .Description.Engine.Labels}}')) as typeof labels;
    return Object.keys(labels ?? {}).length === wanted.length;
  });
  return { labels };
}

test('a worker that dies is replaced within seconds; when it comes back its stale containers are stopped', async () => {
  const [, , third] = nodes;
  await create('web', '--replicas', '3');
  await runsOn('web', 'node1', 'node2', 'node3');
  const cutAt = Date.now();
  await third.cut();
  await until('it is down', async () => (await docker('node', 'inspect', 'node3', '--format', '{{.Status.State}}')) === 'down');
  await until('three run elsewhere', async () => (await where('web')).filter((name) => name !== 'node3').length === 3);
  const healedMs = Date.now() - cutAt;
  assert.ok(healedMs < 10_000, `replaced after ${healedMs} ms`);
  await until('the stale container still runs where nobody can say otherwise', async () => (await third.engine.docker('ps', '-q')) !== '');
  await third.heal();
  await until('its stale container is gone', async () => (await third.engine.docker('ps', '-q')) === '');
  assert.match(await docker('node', 'ls'), /node3 +Ready +Active/);
  assert.equal((await where('web')).length, 3);
  await docker('service', 'rm', 'web');
});

test('a node that joins later gets its task of a global service', async () => {
  const [manager, , third] = nodes;
  await third.docker('swarm', 'leave');
  await docker('node', 'rm', 'node3');
  await docker('service', 'create', '-q', '--detach', '--name', 'agent', '--mode', 'global', ...sleeper);
  await runsOn('agent', 'node1', 'node2');
  const token = await docker('swarm', 'join-token', '-q', 'worker');
  await third.docker('swarm', 'join', '--advertise-addr', third.lanAddress, '--token', token, `${manager.lanAddress}:2377`);
  await runsOn('agent', 'node1', 'node2', 'node3');
});
