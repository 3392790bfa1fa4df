import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { Network, Node, NodeDescription, Service, Task, TaskStatus } from '#domain/objects.ts';
import { silentLogger } from '#lib/log.ts';
import { createFakeClock, createSeededRandom } from '#lib/testing/fake-clock.ts';
import type { SessionMessage } from '#protocol/messages.ts';
import { createStore } from '#store/create-store.ts';
import { makeService, makeTask } from '#store/fixtures.ts';
import { createMemoryBackend } from '#store/memory.ts';
import { createDispatcher } from './dispatcher.ts';

const description: NodeDescription = {
  hostname: 'one',
  dataPathAddress: '192.0.2.1',
  platform: { os: 'linux', architecture: 'x86_64' },
  resources: {},
  engine: { version: '20.10', labels: {}, plugins: [] },
};
const meta = { version: 0, createdAt: 0, updatedAt: 0 };
const makeNode = (id: string, index = 1): Node => ({
  ...meta,
  kind: 'node',
  id,
  index,
  role: 'worker',
  spec: { labels: {}, role: 'worker', availability: 'active' },
  status: { state: 'unknown', address: '' },
});
const overlay: Network = {
  ...meta,
  kind: 'network',
  id: 'net',
  spec: { name: 'back', labels: {}, ipv6: false, internal: false, attachable: false, ingress: false, scope: 'swarm' },
  state: { driver: { name: 'overlay' }, vxlanId: 4097, pools: [{ subnet: '10.0.1.0/24', gateway: '10.0.1.1' }] },
};
const web: Service = {
  ...makeService('web', { name: 'web' }),
  endpoint: {
    spec: {},
    ports: [{ protocol: 'tcp', targetPort: 80, publishedPort: 8080, publishMode: 'ingress' }],
    virtualIps: [{ networkId: 'net', address: '10.0.1.2/24' }],
  },
  spec: { ...makeService('web', { name: 'web' }).spec, task: { ...makeService('web').spec.task, networks: [{ target: 'net' }] } },
};
const status = (state: TaskStatus['state'], fields: Partial<TaskStatus> = {}): TaskStatus => ({ state, timestamp: 5, message: state, ...fields });
const assigned = (id: string, nodeId = 'n1'): Task =>
  makeTask(id, { nodeId, status: status('assigned'), networks: [{ networkId: 'net', addresses: ['10.0.1.9/24'], aliases: [] }] });

async function setUp(context: TestContext, backend = createMemoryBackend()) {
  const clock = createFakeClock();
  const store = await createStore({ backend, clock });
  await store.commit(
    'manager',
    [makeNode('n1', 1), makeNode('n2', 2), overlay].map((object) => ({ action: 'create', object })),
  );
  await store.commit('control', [{ action: 'create', object: web }]);
  const dispatcher = createDispatcher({
    store,
    clock,
    random: createSeededRandom(1),
    log: silentLogger,
    managers: () => [],
    sealed: { secretData: ({ spec }) => Buffer.from(spec.data ?? ''), registryAuth: (sealed) => sealed },
  });
  const stop = new AbortController();
  const running = dispatcher.run(stop.signal);
  context.after(async () => {
    stop.abort();
    await running;
  });
  await clock.settle();
  const open = (nodeId: string) => {
    const connection = dispatcher.connect(nodeId, '192.0.2.1');
    const received: SessionMessage[] = [];
    const leave = new AbortController();
    context.after(() => leave.abort());
    const ended = (async () => {
      for await (const message of connection.openSession(description, leave.signal)) received.push(message);
    })();
    return { connection, received, leave, ended, sessionId: () => last(received, 'session')?.sessionId ?? '' };
  };
  return { clock, store, dispatcher, open };
}

function last<K extends SessionMessage['kind']>(messages: readonly SessionMessage[], kind: K) {
  return messages.findLast((message): message is Extract<SessionMessage, { kind: K }> => message.kind === kind);
}

test('a session begins with who and what: the header, the network, the complete set; the node is ready then', async (context) => {
  const { store, clock, open } = await setUp(context);
  await store.commit('orchestrator', [{ action: 'create', object: assigned('t1') }]);
  const { received } = open('n1');
  await clock.advance(50);
  assert.deepEqual(
    received.map(({ kind }) => kind),
    ['session', 'network', 'complete'],
  );
  assert.deepEqual(
    last(received, 'complete')?.assignments.tasks.map(({ task, networks }) => [task.id, networks[0]?.vxlanId]),
    [['t1', 4097]],
  );
  assert.equal(store.view.get('node', 'n1')?.status.state, 'ready');
  assert.equal(store.view.get('node', 'n1')?.status.address, '192.0.2.1');
});

test('a change is sent once, and what the agent itself reported is not told back', async (context) => {
  const { store, clock, open } = await setUp(context);
  const { received, connection, sessionId } = open('n1');
  await clock.advance(50);
  await store.commit('orchestrator', [{ action: 'create', object: assigned('t1') }]);
  await clock.advance(50);
  const before = received.filter(({ kind }) => kind === 'change').length;
  assert.equal(before, 1);
  await connection.reportStatus(sessionId(), [{ taskId: 't1', status: status('accepted') }]);
  await clock.advance(50);
  assert.equal(received.filter(({ kind }) => kind === 'change').length, before);
  assert.equal(store.view.get('task', 't1')?.status.state, 'accepted');
});

test('secrets go to a node while a task there needs them', async (context) => {
  const { store, clock, open } = await setUp(context);
  await store.commit('control', [
    { action: 'create', object: { ...meta, kind: 'secret', id: 's1', spec: { name: 'password', labels: {}, data: 'plain' } } },
    { action: 'create', object: { ...meta, kind: 'secret', id: 's2', spec: { name: 'other', labels: {}, data: 'plain' } } },
  ]);
  const { received, connection, sessionId } = open('n1');
  await clock.advance(50);
  const file = { name: 'password', uid: '0', gid: '0', mode: 0o444 };
  await store.commit('orchestrator', [
    {
      action: 'create',
      object: {
        ...assigned('t1'),
        spec: { runtime: { kind: 'container', container: { image: 'busybox', secrets: [{ secretId: 's1', secretName: 'password', file }] } }, forceUpdate: 0 },
      },
    },
  ]);
  await clock.advance(50);
  assert.deepEqual(
    last(received, 'change')?.change.secrets.map(({ id, data }) => [id, Buffer.from(data).toString()]),
    [['s1', 'plain']],
  );
  await connection.reportStatus(sessionId(), [{ taskId: 't1', status: status('failed') }]);
  await clock.advance(50);
  assert.deepEqual(last(received, 'change')?.change.removedSecretIds, ['s1']);
});

test('only tasks that serve are backends, and stopping waits until every node has let go of them', async (context) => {
  const { store, clock, open } = await setUp(context);
  await store.commit('orchestrator', [{ action: 'create', object: assigned('t1') }]);
  const one = open('n1');
  const two = open('n2');
  await clock.advance(50);
  await one.connection.reportStatus(one.sessionId(), [{ taskId: 't1', status: status('running', { serving: false }) }]);
  await clock.advance(50);
  assert.deepEqual(last(one.received, 'network')?.state.ingress[0]?.backends, []);
  await one.connection.reportStatus(one.sessionId(), [{ taskId: 't1', status: status('running') }]);
  await clock.advance(50);
  const serving = last(one.received, 'network')?.state;
  assert.deepEqual(serving?.ingress[0]?.backends, [{ taskId: 't1', nodeId: 'n1' }]);
  assert.deepEqual(serving?.services[0]?.backends, [{ taskId: 't1', nodeId: 'n1', address: '10.0.1.9' }]);
  assert.deepEqual(last(two.received, 'network')?.state.networks, [], 'a node without tasks on a network needs to know nothing of it');
  for (const node of [one, two]) await node.connection.reportNetworkApplied(node.sessionId(), last(node.received, 'network')?.state.version ?? 0);

  const task = store.view.get('task', 't1');
  assert(task);
  await store.commit('orchestrator', [{ action: 'update', object: { ...task, desiredState: 'shutdown' } }]);
  await clock.advance(50);
  const wanted = last(one.received, 'change')?.change.tasks[0]?.task.version ?? Infinity;
  assert.deepEqual(last(two.received, 'network')?.state.ingress[0]?.backends, []);
  await one.connection.reportNetworkApplied(one.sessionId(), last(one.received, 'network')?.state.version ?? 0);
  await clock.advance(50);
  assert.equal(last(one.received, 'network-applied'), undefined, 'the other node still sends traffic');
  await two.connection.reportNetworkApplied(two.sessionId(), last(two.received, 'network')?.state.version ?? 0);
  await clock.advance(50);
  assert((last(one.received, 'network-applied')?.version ?? 0) >= wanted);
});

test('a task that no load balancer knows may be stopped without waiting for anybody', async (context) => {
  const { store, clock, open } = await setUp(context);
  const lonely: Task = { ...assigned('t1'), serviceId: 'other', networks: [] };
  await store.commit('orchestrator', [{ action: 'create', object: lonely }]);
  const { received, connection, sessionId } = open('n1');
  await clock.advance(50);
  await connection.reportNetworkApplied(sessionId(), last(received, 'network')?.state.version ?? 0);
  const task = store.view.get('task', 't1');
  assert(task);
  await store.commit('orchestrator', [{ action: 'update', object: { ...task, desiredState: 'shutdown' } }]);
  await clock.advance(50);
  assert(last(received, 'network-applied') !== undefined);
});

test('a node that misses three heartbeats is down; one that was ready before a new manager began gets the same time', async (context) => {
  const { store, clock, open } = await setUp(context);
  const { connection, sessionId, ended } = open('n1');
  await clock.advance(50);
  for (let beat = 0; beat < 6; beat++) {
    await connection.heartbeat(sessionId());
    await clock.advance(5_000);
  }
  assert.equal(store.view.get('node', 'n1')?.status.state, 'ready');
  await clock.advance(20_000);
  await ended;
  assert.deepEqual([store.view.get('node', 'n1')?.status.state, store.view.get('node', 'n1')?.status.message], ['down', 'heartbeat failure']);
  await assert.rejects(() => connection.heartbeat('nonsense'), { code: 'notFound' });
});

test('the others hear that a node is down, so that they end connections to what runs there, and when it is back', async (context) => {
  const { clock, open } = await setUp(context);
  const { received, connection, sessionId } = open('n2');
  const lost = open('n1');
  const downs = () => last(received, 'network')?.state.nodes.map(({ nodeId, down }) => [nodeId, down]);
  await clock.advance(50);
  assert.deepEqual(downs(), [
    ['n1', undefined],
    ['n2', undefined],
  ]);
  lost.leave.abort();
  await clock.advance(2_000);
  await connection.heartbeat(sessionId());
  assert.deepEqual(downs()?.[0], ['n1', true]);
  open('n1');
  await clock.advance(50);
  assert.deepEqual(downs()?.[0], ['n1', undefined]);
});

test('a clock that is set takes no node for lost, and keeps no lost one', async (context) => {
  const { clock, store, open } = await setUp(context);
  const { connection, sessionId } = open('n1');
  await clock.advance(50);
  for (const byMs of [30 * 86_400_000, -60 * 86_400_000, 3_600_000]) {
    clock.set(byMs);
    for (let beat = 0; beat < 4; beat++) {
      await clock.advance(5_000);
      await connection.heartbeat(sessionId());
      assert.equal(store.view.get('node', 'n1')?.status.state, 'ready');
    }
  }
  clock.set(-3_600_000);
  await clock.advance(16_000);
  assert.equal(store.view.get('node', 'n1')?.status.state, 'down');
});

test('a node that comes back while it is being written down as lost is ready in the end', async (context) => {
  const memory = createMemoryBackend();
  let gate = Promise.resolve();
  const commit: typeof memory.commit = async (writes) => {
    await gate;
    return memory.commit(writes);
  };
  const { clock, store, open } = await setUp(context, { ...memory, commit });
  const { leave } = open('n1');
  await clock.advance(50);
  leave.abort();
  await clock.advance(12_000);
  let openGate = () => {};
  gate = new Promise((resolve) => {
    openGate = resolve;
  });
  await clock.advance(5_000);
  open('n1');
  await clock.settle();
  openGate();
  await clock.settle();
  assert.equal(store.view.get('node', 'n1')?.status.state, 'ready');
});

test('statuses that go backwards or come from another node are dropped', async (context) => {
  const { store, clock, open } = await setUp(context);
  await store.commit('orchestrator', [{ action: 'create', object: assigned('t1') }]);
  const one = open('n1');
  const two = open('n2');
  await clock.advance(50);
  await one.connection.reportStatus(one.sessionId(), [
    { taskId: 't1', status: status('running') },
    { taskId: 't1', status: status('starting') },
    { taskId: 'unknown', status: status('running') },
  ]);
  await two.connection.reportStatus(two.sessionId(), [{ taskId: 't1', status: status('failed') }]);
  const stored = store.view.get('task', 't1')?.status;
  assert.equal(stored?.state, 'running');
  assert.equal(stored?.appliedBy, 'n1');
  assert.equal(stored?.startedAt, clock.now());
});

test('a second session of a node ends the first', async (context) => {
  const { clock, open } = await setUp(context);
  const first = open('n1');
  await clock.advance(50);
  const second = open('n1');
  await clock.advance(50);
  await first.ended;
  assert.equal(first.received.at(-1)?.kind, 'bye');
  assert.equal(last(second.received, 'bye'), undefined);
});

test('a node tells how others encrypt to it, and every node hears of it and of its change', async (context) => {
  const { store, clock, open } = await setUp(context);
  await store.commit('orchestrator', [{ action: 'create', object: assigned('t1') }]);
  const { received, connection, sessionId } = open('n1');
  await clock.advance(50);
  assert.equal(last(received, 'network')?.state.nodes[0]?.encryption, undefined);
  await connection.reportDescription(sessionId(), { ...description, encryption: { publicKey: 'key', port: 51830 } });
  await clock.advance(50);
  assert.deepEqual(last(received, 'network')?.state.nodes[0], {
    nodeId: 'n1',
    index: 1,
    dataPathAddress: '192.0.2.1',
    encryption: { publicKey: 'key', endpoint: '192.0.2.1:51830' },
  });
});

test('a node that publishes over IPv6, and whose data path is over it, is known as such to every node', async (context) => {
  const { store, clock, open } = await setUp(context);
  await store.commit('orchestrator', [{ action: 'create', object: assigned('t1') }]);
  const { received, connection, sessionId } = open('n1');
  await clock.advance(50);
  const six = { ...description, dataPathAddress: '2001:db8::1', encryption: { publicKey: 'key', port: 51830 }, publishes6: true } as const;
  await connection.reportDescription(sessionId(), six);
  await clock.advance(50);
  assert.deepEqual(last(received, 'network')?.state.nodes[0], {
    nodeId: 'n1',
    index: 1,
    dataPathAddress: '2001:db8::1',
    encryption: { publicKey: 'key', endpoint: '[2001:db8::1]:51830' },
    publishes6: true,
  });
});
