// Several managers on etcd: joining in place, failover, demotion, by the real docker CLI.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type ClusterNode, startCluster, type TestCluster } from '../lib/cluster.ts';
import { until } from '../lib/namespace.ts';

describe('three managers and a worker', () => {
  let cluster: TestCluster;
  let containers: readonly string[];
  const managers = () => cluster.nodes.slice(0, 3);
  const others = (node: ClusterNode) => managers().filter((manager) => manager !== node);

  before(async () => {
    cluster = await startCluster({ nodes: 4 });
    await Promise.all(cluster.nodes.map((node) => node.engine.importBusybox('busybox:1')));
    const [first, second, third, worker] = cluster.nodes;
    assert(first && second && third && worker);
    await first.docker('swarm', 'init', '--advertise-addr', first.lanAddress);
    const workerToken = await first.docker('swarm', 'join-token', '-q', 'worker');
    await worker.docker('swarm', 'join', '--advertise-addr', worker.lanAddress, '--token', workerToken, `${first.lanAddress}:2377`);
    await create(first, 'before', 4);
    await running(first, 'before', 4);
    containers = await tasksOf(first, 'before');
    const token = await first.docker('swarm', 'join-token', '-q', 'manager');
    for (const node of [second, third]) await node.docker('swarm', 'join', '--advertise-addr', node.lanAddress, '--token', token, `${first.lanAddress}:2377`);
  });
  after(() => cluster?.stop());

  it('joined without a container being touched, and every manager answers', async () => {
    for (const node of managers()) {
      await until(`${node.name} sees three reachable managers`, async () => /^(Leader Reachable Reachable|Reachable .*)$/.test(await managerStatuses(node)));
      assert.deepEqual(await tasksOf(node, 'before'), containers);
      assert.equal(await node.docker('node', 'ls', '-q').then((ids) => ids.split('\n').length), 4);
    }
  });

  it('takes writes on every manager, and all see them', async () => {
    for (const node of managers()) await create(node, `by-${node.name}`, 1);
    for (const node of managers())
      await until(`${node.name} lists all services`, async () => (await node.docker('service', 'ls', '-q')).split('\n').length === 4);
    for (const node of managers()) await running(managers()[0] ?? node, `by-${node.name}`, 1);
  });

  it("reaches every node's containers through every manager", async () => {
    const list = await managers()[0]?.docker('service', 'ps', 'before', '--no-trunc', '--filter', 'desired-state=running', '--format', '{{.ID}} {{.Node}}');
    for (const line of list?.split('\n') ?? []) {
      const [id = '', node] = line.split(' ');
      for (const manager of managers()) assert.match(await manager.docker('exec', id, 'echo', `${node} by ${manager.name}`), /^node\d by node\d$/);
    }
    for (const manager of managers()) assert.equal((await manager.tryDocker(['service', 'logs', 'before'])).code, 0);
  });

  it('goes on when the leader is killed: another leads, the first write works, containers stay', async () => {
    const leader = await leaderOf(managers());
    const [survivor] = others(leader);
    assert(survivor);
    const killedAt = Date.now();
    await leader.stopDaemon('SIGKILL');
    await create(survivor, 'after-kill', 1);
    console.log(`  first write ${Date.now() - killedAt} ms after the leader was killed`);
    assert.deepEqual(await tasksOf(survivor, 'before'), containers);
    await running(survivor, 'after-kill', 1);
    await leader.startDaemon();
    await until('it is back', async () => (await managerStatuses(survivor)).split(' ').filter((word) => word === 'Reachable').length === 2);
    await until('it knows what was written', async () => (await leader.docker('service', 'ls', '--format', '{{.Name}}')).includes('after-kill'));
    assert.deepEqual(await tasksOf(survivor, 'before'), containers);
  });

  it('goes on when the leader is cut off, which then writes nothing and follows once it is healed', async () => {
    const leader = await leaderOf(managers());
    const [survivor] = others(leader);
    assert(survivor);
    await leader.cut();
    const cutAt = Date.now();
    await create(survivor, 'after-cut', 1);
    console.log(`  first write ${Date.now() - cutAt} ms after the leader was cut off`);
    const refused = await leader.tryDocker(['service', 'create', '--detach', '--name', 'lost', 'busybox:1']);
    assert.match(refused.stderr, /The swarm does not have a leader\. It's possible that too few managers are online\./);
    assert.match(await leader.docker('service', 'ls', '--format', '{{.Name}}'), /before/);
    assert.match(await leader.docker('info', '--format', '{{.Swarm.Error}}'), /does not have a leader/);
    await leader.heal();
    await until('it follows again', async () => (await leader.docker('service', 'ls', '--format', '{{.Name}}')).includes('after-cut'));
    await until('it is reachable again', async () => (await managerStatuses(survivor)).split(' ').filter((word) => word === 'Reachable').length === 2);
  });

  it('loses and regains its quorum: reads work meanwhile, writes say why they do not', async () => {
    const [one, two, three] = managers();
    assert(one && two && three);
    await Promise.all([two, three].map((node) => node.stopDaemon('SIGKILL')));
    // etcd outlives a killed skepd for a moment: until it is gone there is a majority.
    await until('writes are refused', async () => {
      const { stderr } = await one.tryDocker(['service', 'create', '--detach', '--name', `lost-${Date.now()}`, 'busybox:1']);
      return /rpc error: code = Unknown desc = The swarm does not have a leader\./.test(stderr);
    });
    assert.match(await one.docker('service', 'ls', '--format', '{{.Name}}'), /before/);
    await Promise.all([two, three].map((node) => node.startDaemon()));
    await until(
      'writes work again',
      async () => (await one.tryDocker(['service', 'create', '--detach', '--name', 'regained', 'busybox:1', 'sleep', '9d'])).code === 0,
    );
    for (const node of [two, three]) await until('all know it', async () => (await node.docker('service', 'ls', '--format', '{{.Name}}')).includes('regained'));
  });

  it('demotes the leader and promotes a worker', async () => {
    const leader = await leaderOf(managers());
    const [survivor] = others(leader);
    const worker = cluster.nodes[3];
    assert(survivor && worker);
    await survivor.docker('node', 'demote', leader.name);
    await until('the old leader is a worker', async () => (await leader.docker('info', '--format', '{{.Swarm.ControlAvailable}}')) === 'false');
    await until('the others know', async () => /^(Leader|Reachable) (Leader|Reachable)$/.test(await managerStatuses(survivor)));
    await survivor.docker('node', 'promote', worker.name);
    await until('the worker is a manager', async () => (await worker.docker('info', '--format', '{{.Swarm.ControlAvailable}}')) === 'true');
    await until('the others know that too', async () => (await managerStatuses(survivor)).split(' ').length === 3);
    await create(worker, 'by-promoted', 1);
    await running(survivor, 'by-promoted', 1);
    await running(survivor, 'before', 4);
  });
});

async function create(node: ClusterNode, name: string, replicas: number): Promise<void> {
  const flags = ['--detach', '--name', name, '--replicas', String(replicas), '--stop-grace-period', '0s', '--no-resolve-image'];
  await node.docker('service', 'create', ...flags, 'busybox:1', 'sleep', '9d');
}

async function running(node: ClusterNode, name: string, count: number): Promise<void> {
  await until(`${name} runs`, async () => (await tasksOf(node, name)).length === count);
}

/** Ids of the tasks that run. */
async function tasksOf(node: ClusterNode, name: string): Promise<readonly string[]> {
  const list = await node.docker('service', 'ps', name, '--filter', 'desired-state=running', '--format', '{{.ID}} {{.CurrentState}}');
  return list
    .split('\n')
    .filter((line) => line.includes(' Running'))
    .map((line) => line.split(' ')[0] ?? '')
    .sort();
}

async function managerStatuses(node: ClusterNode): Promise<string> {
  const list = await node.docker('node', 'ls', '--format', '{{.ManagerStatus}}');
  return list
    .split('\n')
    .filter((status) => status !== '')
    .sort()
    .join(' ');
}

async function leaderOf(nodes: readonly ClusterNode[]): Promise<ClusterNode> {
  let found: ClusterNode | undefined;
  await until('there is a leader', async () => {
    const list = await nodes[0]?.docker('node', 'ls', '--format', '{{.Hostname}} {{.ManagerStatus}}');
    const name = list
      ?.split('\n')
      .find((line) => line.endsWith(' Leader'))
      ?.split(' ')[0];
    found = nodes.find((node) => node.name === name);
    return found !== undefined;
  });
  return found ?? assert.fail();
}
