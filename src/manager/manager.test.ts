import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defaultClusterSpec } from '#domain/defaults.ts';
import type { Cluster, Network, Node, Service, TaskStatus } from '#domain/objects.ts';
import { silentLogger } from '#lib/log.ts';
import { createFakeClock, createSeededRandom } from '#lib/testing/fake-clock.ts';
import { createStore } from '#store/create-store.ts';
import { makeService } from '#store/fixtures.ts';
import { createMemoryBackend } from '#store/memory.ts';
import { createManager } from './manager.ts';

const meta = { version: 0, createdAt: 0, updatedAt: 0 };
const cluster: Cluster = {
  ...meta,
  kind: 'cluster',
  id: 'c',
  spec: defaultClusterSpec,
  rootCa: { certificate: '', sealedKey: '' },
  sealedJoinTokens: { worker: '', manager: '' },
  defaultAddressPools: ['10.0.0.0/8'],
  subnetSize: 24,
  dataPathPort: 4789,
  rootRotationInProgress: false,
};
const node: Node = {
  ...meta,
  kind: 'node',
  id: 'n1',
  index: 1,
  role: 'manager',
  spec: { labels: {}, role: 'manager', availability: 'active' },
  status: { state: 'unknown', address: '' },
};
const back: Network = {
  ...meta,
  kind: 'network',
  id: 'net',
  spec: { name: 'back', driver: { name: 'overlay' }, labels: {}, ipv6: false, internal: false, attachable: false, ingress: false, scope: 'swarm' },
};
const description = {
  hostname: 'one',
  dataPathAddress: '192.0.2.1',
  platform: { os: 'linux', architecture: 'x86_64' },
  resources: { nanoCpus: 2e9, memoryBytes: 2 ** 31 },
  engine: {
    version: '20.10',
    labels: {},
    plugins: [
      { type: 'Network', name: 'overlay' },
      { type: 'Log', name: 'json-file' },
    ],
  },
};

test('a service goes from a spec to running tasks with addresses, and away again', async (context) => {
  const clock = createFakeClock();
  const store = await createStore({ backend: createMemoryBackend(), clock });
  await store.commit(
    'manager',
    [cluster, node, back].map((object) => ({ action: 'create', object })),
  );
  const manager = createManager({
    store,
    clock,
    random: createSeededRandom(7),
    log: silentLogger,
    managers: () => [],
    sealed: { secretData: () => new Uint8Array(), registryAuth: (sealed) => sealed },
  });
  const stop = new AbortController();
  const running = manager.run(stop.signal);
  context.after(async () => {
    stop.abort();
    await running;
  });
  await clock.settle();

  // A worker that does at once what it is asked.
  const connection = manager.dispatcher.connect('n1', '192.0.2.1');
  const report = (taskId: string, state: TaskStatus['state'], sessionId: string) =>
    connection.reportStatus(sessionId, [{ taskId, status: { state, timestamp: clock.now(), message: state } }]);
  const worker = (async () => {
    let sessionId = '';
    for await (const message of connection.openSession(description, stop.signal)) {
      if (message.kind === 'session') sessionId = message.sessionId;
      const tasks = message.kind === 'complete' ? message.assignments.tasks : message.kind === 'change' ? message.change.tasks : [];
      for (const { task } of tasks) void report(task.id, task.desiredState === 'running' ? 'running' : 'shutdown', sessionId);
    }
  })();
  const web: Service = {
    ...makeService('web', { name: 'web' }),
    spec: {
      ...makeService('web', { name: 'web' }).spec,
      mode: { kind: 'replicated', replicas: 3 },
      endpoint: { ports: [{ protocol: 'tcp', targetPort: 80, publishMode: 'ingress' }] },
    },
  };
  const withNetwork = { ...web, spec: { ...web.spec, task: { ...web.spec.task, networks: [{ target: 'net' }] } } };
  await store.commit('control', [{ action: 'create', object: withNetwork }]);
  await clock.advance(5_000);
  const tasks = [...store.view.tasksOfService('web')];
  assert.deepEqual(
    tasks.map(({ status }) => status.state),
    ['running', 'running', 'running'],
  );
  assert.equal(new Set(tasks.map(({ networks }) => networks[0]?.addresses[0])).size, 3);
  const service = store.view.get('service', 'web');
  assert(service);
  assert.equal(service.endpoint?.ports[0]?.publishedPort, 30_000);
  assert.equal(service.endpoint?.virtualIps.length, 1);

  await store.commit('control', [{ action: 'remove', object: service }]);
  await clock.advance(20_000);
  assert.equal(store.view.count('task'), 0);
  stop.abort();
  await worker;
});
