import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLogger } from '#lib/log.ts';
import { createFakeClock, createSeededRandom, type FakeClock } from '#lib/testing/fake-clock.ts';
import type { ClusterNetworkState, LocalNetworkState } from '#protocol/network-state.ts';
import { type Agent, createAgent } from './agent.ts';
import { type AgentStateStore, createMemoryAgentState } from './state.ts';
import { createFakeExecutor, type FakeExecutor, type TaskScript } from './testing/fake-executor.ts';
import { createFakeManager, type FakeManager } from './testing/fake-manager.ts';
import { testAssignment, testDescription } from './testing/tasks.ts';

interface World {
  readonly clock: FakeClock;
  readonly executor: FakeExecutor;
  readonly manager: FakeManager;
  readonly agent: Agent;
  readonly state: AgentStateStore;
  readonly network: { readonly cluster: ClusterNetworkState[]; readonly local: LocalNetworkState[]; failing: boolean };
  /** Ends the agent as a stop of its process does. */
  stop(): Promise<void>;
}

interface WorldOptions {
  readonly scripts?: Readonly<Record<string, TaskScript>>;
  readonly from?: World;
}

/** `from`: the agent of another world starts again, on the same node. */
async function start({ scripts = {}, from }: WorldOptions = {}): Promise<World> {
  const clock = from?.clock ?? createFakeClock();
  const executor = from?.executor ?? createFakeExecutor({ clock, description: testDescription, scriptFor: (task) => scripts[task.id] ?? {} });
  const manager = from?.manager ?? createFakeManager();
  const state = from?.state ?? createMemoryAgentState();
  const network: World['network'] = { cluster: [], local: [], failing: false };
  const dataPlane = {
    async applyCluster(cluster: ClusterNetworkState) {
      if (network.failing) throw new Error('the data plane is away');
      network.cluster.push(cluster);
    },
    async applyLocal(local: LocalNetworkState) {
      if (network.failing) throw new Error('the data plane is away');
      network.local.push(local);
    },
    portsInUse: () => [],
  };
  const agent = createAgent({
    nodeId: 'node-1',
    connect: manager.connect,
    executor,
    dataPlane,
    state,
    clock,
    random: createSeededRandom(1),
    log: silentLogger,
  });
  const stopping = new AbortController();
  const running = agent.run(stopping.signal);
  await clock.settle();
  const stop = async () => {
    stopping.abort(new Error('stopped'));
    await clock.settle();
    await running;
  };
  return { clock, executor, manager, agent, state, network, stop };
}

const states = (manager: FakeManager, id: string) => manager.reported(id).map(({ state }) => state);
const calls = (executor: FakeExecutor, id: string) => executor.control.calls.filter((call) => call.endsWith(` ${id}`)).map((call) => call.split(' ')[0]);

test('an assigned task is brought up and reported running, its container known to the data plane first', async () => {
  const world = await start();
  world.manager.assign(testAssignment('a'));
  await world.clock.advance(100);
  assert.equal(world.manager.status('a')?.state, 'running');
  assert.equal(world.manager.status('a')?.container?.containerId, 'container-a');
  assert.deepEqual(
    world.network.local.at(-1)?.endpoints.map(({ taskId }) => taskId),
    ['a'],
  );
  await world.stop();
  assert.equal(world.executor.control.containers().get('a')?.state.status, 'running');
});

test('what a container did is reported: complete, failed, rejected', async () => {
  const scripts = {
    done: { exitAfterMs: 50 },
    bad: { exitAfterMs: 50, exitCode: 3 },
    none: { prepareError: 'No such image: x' },
    broken: { startError: 'no such file' },
  };
  const world = await start({ scripts });
  world.manager.assign(...Object.keys(scripts).map((id) => testAssignment(id)));
  await world.clock.advance(200);
  const told = Object.fromEntries(Object.keys(scripts).map((id) => [id, [world.manager.status(id)?.state, world.manager.status(id)?.error]]));
  assert.deepEqual(told, {
    done: ['complete', undefined],
    bad: ['failed', 'task: non-zero exit (3)'],
    none: ['rejected', 'No such image: x'],
    broken: ['failed', 'starting container failed: no such file'],
  });
  assert.deepEqual(world.network.local.at(-1)?.endpoints, []);
  await world.stop();
});

test('a task that shall stop leaves the load balancers, is drained and stopped in this order, and removed when it is no longer assigned', async () => {
  const world = await start();
  world.manager.assign(testAssignment('a'));
  await world.clock.advance(100);
  world.manager.assign(testAssignment('a', { desiredState: 'shutdown', version: 7 }));
  await world.clock.advance(1_000);
  assert.equal(world.manager.status('a')?.state, 'running');
  world.manager.send({ kind: 'network-applied', version: 7 });
  await world.clock.advance(10);
  assert.equal(world.manager.status('a')?.state, 'shutdown');
  const order = calls(world.executor, 'a');
  assert.ok(order.indexOf('drain') > 0 && order.indexOf('drain') < order.indexOf('stop'));
  assert.ok(world.executor.control.containers().has('a'));
  world.manager.unassign('a');
  await world.clock.advance(10);
  assert.equal(world.executor.control.containers().has('a'), false);
  assert.deepEqual(await world.state.load(), []);
  await world.stop();
});

test('the wait for the load balancers is bounded', async () => {
  const world = await start();
  world.manager.assign(testAssignment('a'));
  await world.clock.advance(100);
  world.manager.assign(testAssignment('a', { desiredState: 'shutdown', version: 7 }));
  await world.clock.advance(3_000);
  assert.equal(world.manager.status('a')?.state, 'shutdown');
  await world.stop();
});

test('a lost manager stops nothing, and what happened meanwhile is reported when one is back', async () => {
  const world = await start({ scripts: { b: { exitAfterMs: 2_000, exitCode: 1 } } });
  world.manager.assign(testAssignment('a'), testAssignment('b'));
  await world.clock.advance(1_000);
  world.manager.setDown(true);
  await world.clock.advance(60_000);
  assert.equal(world.executor.control.containers().get('a')?.state.status, 'running');
  assert.equal(world.manager.status('b')?.state, 'running');
  world.manager.setDown(false);
  await world.clock.advance(20_000);
  assert.equal(world.manager.status('b')?.state, 'failed');
  assert.equal(world.manager.status('a')?.state, 'running');
  assert.ok(!calls(world.executor, 'a').includes('stop'));
  await world.stop();
});

test('a report that is lost is made again', async () => {
  const world = await start();
  world.manager.failReports(3);
  world.manager.assign(testAssignment('a'));
  await world.clock.advance(20_000);
  assert.equal(world.manager.status('a')?.state, 'running');
  await world.stop();
});

test('an agent that starts again adopts what runs, touches nothing healthy, and knows its containers before a manager answers', async () => {
  const first = await start();
  first.manager.assign(testAssignment('a'));
  await first.clock.advance(100);
  await first.stop();
  const startsBefore = calls(first.executor, 'a').filter((call) => call === 'start').length;
  first.manager.setDown(true);
  const second = await start({ from: first });
  await second.clock.advance(1_000);
  assert.equal(second.network.local.at(-1)?.endpoints[0]?.taskId, 'a');
  second.manager.setDown(false);
  await second.clock.advance(20_000);
  assert.equal(second.manager.status('a')?.state, 'running');
  assert.equal(calls(second.executor, 'a').filter((call) => call === 'start').length, startsBefore);
  assert.ok(!calls(second.executor, 'a').includes('stop'));
  await second.stop();
});

test('an agent without memory adopts by what the manager and the engine say', async () => {
  const first = await start();
  first.manager.assign(testAssignment('a'));
  await first.clock.advance(100);
  await first.stop();
  const second = await start({ from: { ...first, state: createMemoryAgentState() } });
  await second.clock.advance(1_000);
  assert.equal(second.agent.tasks()[0]?.status.state, 'running');
  assert.ok(!calls(second.executor, 'a').includes('stop'));
  await second.stop();
});

test('containers of tasks that are not assigned are removed only after a complete set has said so', async () => {
  const first = await start();
  first.manager.assign(testAssignment('a'));
  await first.clock.advance(100);
  await first.stop();
  first.manager.setDown(true);
  first.manager.unassign('a');
  const second = await start({ from: { ...first, state: createMemoryAgentState() } });
  await second.clock.advance(60_000);
  assert.equal(second.executor.control.containers().get('a')?.state.status, 'running');
  second.manager.setDown(false);
  await second.clock.advance(20_000);
  assert.equal(second.executor.control.containers().has('a'), false);
  await second.stop();
});

test('an engine that is away fails no task; one that restarts makes its containers fail', async () => {
  const world = await start();
  world.manager.assign(testAssignment('a'));
  await world.clock.advance(100);
  world.executor.control.setDown(true);
  world.manager.assign(testAssignment('b'));
  await world.clock.advance(60_000);
  assert.equal(world.manager.status('a')?.state, 'running');
  assert.equal(world.manager.status('b')?.state, 'preparing');
  world.executor.control.setDown(false);
  await world.clock.advance(10_000);
  assert.equal(world.manager.status('b')?.state, 'running');
  world.executor.control.restart();
  await world.clock.advance(1_000);
  assert.deepEqual([world.manager.status('a')?.state, world.manager.status('a')?.error], ['failed', 'task: non-zero exit (137)']);
  await world.stop();
});

test('an engine that stays away is asked less and less often, and at once when it is back', async () => {
  let away = true;
  const world = await start({ scripts: { a: { prepareAway: () => away } } });
  world.manager.assign(testAssignment('a'));
  for (let second = 0; second < 60; second += 1) await world.clock.advance(1_000);
  const tries = calls(world.executor, 'a').filter((call) => call === 'prepare').length;
  assert.ok(tries >= 10 && tries <= 20, `${tries} tries in a minute`);
  away = false;
  world.executor.control.setDown(false);
  await world.clock.advance(100);
  assert.equal(world.manager.status('a')?.state, 'running');
  await world.stop();
});

test('a preparation that is no longer wanted is given up', async () => {
  const world = await start({ scripts: { a: { prepareMs: 3_600_000 } } });
  world.manager.assign(testAssignment('a'));
  await world.clock.advance(1_000);
  world.manager.assign(testAssignment('a', { desiredState: 'shutdown' }));
  await world.clock.advance(1_000);
  assert.equal(world.manager.status('a')?.state, 'shutdown');
  await world.stop();
});

test('at most ten tasks are prepared at a time', async () => {
  const ids = Array.from({ length: 15 }, (_, index) => `t${index}`);
  const world = await start({ scripts: Object.fromEntries(ids.map((id) => [id, { prepareMs: 1_000 }])) });
  world.manager.assign(...ids.map((id) => testAssignment(id)));
  await world.clock.advance(500);
  assert.equal(world.executor.control.calls.filter((call) => call.startsWith('prepare')).length, 10);
  await world.clock.advance(5_000);
  assert.ok(ids.every((id) => world.manager.status(id)?.state === 'running'));
  await world.stop();
});

test('a task gets its secrets, waits for them after a restart, and is rejected when there is none', async () => {
  const secrets = [{ secretId: 's1', secretName: 'password', file: { name: 'p', uid: '0', gid: '0', mode: 0o444 } }];
  const world = await start();
  world.manager.assign(testAssignment('lonely', { container: { secrets } }));
  await world.clock.advance(100);
  assert.equal(world.manager.status('lonely')?.error, 'secret not found: password');
  world.manager.addSecret({ id: 's1', version: 1, name: 'password', data: new Uint8Array([1, 2]) });
  world.manager.assign(testAssignment('a', { container: { secrets } }));
  await world.clock.advance(100);
  assert.deepEqual(world.executor.control.secretsOf('a').get('s1'), new Uint8Array([1, 2]));
  assert.ok(!JSON.stringify(await world.state.load()).includes('"data"'));
  await world.stop();
});

test('registry credentials are not remembered', async () => {
  const world = await start();
  world.manager.assign(testAssignment('a', { container: { registryAuth: 'c2VjcmV0' } }));
  await world.clock.advance(100);
  assert.ok(!JSON.stringify(await world.state.load()).includes('c2VjcmV0'));
  await world.stop();
});

test('a published task says that it does not serve until its port listens', async () => {
  const world = await start({ scripts: { a: { servesAfterMs: 700 } } });
  world.manager.assign(testAssignment('a', { ports: [{ protocol: 'tcp', targetPort: 80, publishedPort: 80, publishMode: 'ingress' }] }));
  await world.clock.advance(500);
  assert.equal(world.manager.status('a')?.serving, false);
  await world.clock.advance(500);
  assert.equal(world.manager.status('a')?.serving, true);
  assert.deepEqual(new Set(states(world.manager, 'a').slice(-2)), new Set(['running']));
  await world.stop();
});

const cluster = (version: number): ClusterNetworkState => ({ version, nodes: [], networks: [], services: [], ingress: [] });

test('network state reaches the data plane before tasks start, is acknowledged, and repeated until it is applied', async () => {
  const world = await start();
  world.network.failing = true;
  world.manager.send({ kind: 'network', state: cluster(4) });
  world.manager.assign(testAssignment('a'));
  await world.clock.advance(1_000);
  assert.ok(!calls(world.executor, 'a').includes('start'));
  assert.deepEqual(world.manager.networkApplied, []);
  world.network.failing = false;
  await world.clock.advance(3_000);
  assert.deepEqual(world.manager.networkApplied, [4]);
  assert.equal(world.manager.status('a')?.state, 'running');
  await world.stop();
});

test('heartbeats keep their period, and a changed engine is described again', async () => {
  const world = await start();
  await world.clock.advance(20_500);
  assert.equal(world.manager.heartbeats(), 4);
  assert.equal(world.manager.descriptions.length, 1);
  world.executor.control.setDescription({ ...testDescription, engine: { ...testDescription.engine, version: '26.1' } });
  await world.clock.advance(10);
  assert.equal(world.manager.descriptions.at(-1)?.engine.version, '26.1');
  await world.stop();
});

test('what the engine does not tell of, such as a plugin that came with its first volume, is noticed in time', async () => {
  const world = await start();
  const described = { ...testDescription, engine: { ...testDescription.engine, plugins: [{ type: 'Volume', name: 'late' }] } };
  world.executor.control.setDescription(described, { quietly: true });
  await world.clock.advance(19_000);
  assert.equal(world.manager.descriptions.length, 1);
  await world.clock.advance(1_500);
  assert.deepEqual(world.manager.descriptions.at(-1)?.engine.plugins, [{ type: 'Volume', name: 'late' }]);
  await world.clock.advance(60_000);
  assert.equal(world.manager.descriptions.length, 2);
  await world.stop();
});
