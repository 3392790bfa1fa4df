import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isTaskDirty } from './dirty.ts';
import type { Node, Service, Task } from './objects.ts';
import type { ContainerSpec, EndpointSpec, ServiceSpec, TaskSpec } from './spec.ts';

const meta = { version: 1, createdAt: 0, updatedAt: 0 };
const node: Node = {
  ...meta,
  kind: 'node',
  id: 'n1',
  index: 1,
  role: 'worker',
  spec: { labels: { rack: 'a' }, role: 'worker', availability: 'active' },
  status: { state: 'ready', address: '10.0.0.1' },
};

function taskSpec(container: Partial<ContainerSpec> = {}, fields: Partial<TaskSpec> = {}): TaskSpec {
  return { runtime: { kind: 'container', container: { image: 'a', ...container } }, forceUpdate: 0, ...fields };
}

function serviceOf(task: TaskSpec, fields: Partial<ServiceSpec> = {}): Service {
  return { ...meta, kind: 'service', id: 's', specVersion: 9, spec: { name: 'web', labels: {}, mode: { kind: 'replicated', replicas: 1 }, task, ...fields } };
}

function taskOf(spec: TaskSpec, fields: Partial<Task> = {}): Task {
  return {
    ...meta,
    kind: 'task',
    id: 't',
    spec,
    specVersion: 5,
    serviceName: 'web',
    serviceLabels: {},
    status: { state: 'running', timestamp: 0, message: '' },
    desiredState: 'running',
    networks: [],
    ...fields,
  };
}

test('a task of the present spec version is clean, whatever it says', () => {
  assert.equal(isTaskDirty(serviceOf(taskSpec()), taskOf(taskSpec({ image: 'b' }), { specVersion: 9 })), false);
});

test('what the task spec says counts; labels, replicas and update settings of the service do not', () => {
  assert.equal(isTaskDirty(serviceOf(taskSpec(), { labels: { a: 'b' }, update: { parallelism: 3 } }), taskOf(taskSpec())), false);
  assert.equal(isTaskDirty(serviceOf(taskSpec({ image: 'b' })), taskOf(taskSpec())), true);
  assert.equal(isTaskDirty(serviceOf(taskSpec({}, { forceUpdate: 1 })), taskOf(taskSpec())), true);
  assert.equal(isTaskDirty(serviceOf(taskSpec({ env: ['A=1', 'B=2'] })), taskOf(taskSpec({ env: ['B=2', 'A=1'] }))), true);
  assert.equal(isTaskDirty(serviceOf(taskSpec({ labels: { a: '' } })), taskOf(taskSpec())), true);
  assert.equal(isTaskDirty(serviceOf(taskSpec({ env: [], labels: {} })), taskOf(taskSpec())), false);
  assert.equal(isTaskDirty(serviceOf(taskSpec({ init: false })), taskOf(taskSpec())), true);
});

test('published ports count, in ingress mode and on the host; the default mode is not a change', () => {
  const port = { protocol: 'tcp', targetPort: 80, publishedPort: 8080, publishMode: 'host' } as const;
  const dirty = (wanted: EndpointSpec, actual?: EndpointSpec) =>
    isTaskDirty(serviceOf(taskSpec(), { endpoint: wanted }), taskOf(taskSpec(), actual === undefined ? {} : { endpoint: actual }));
  assert.equal(dirty({ ports: [port] }, { ports: [port] }), false);
  assert.equal(dirty({ ports: [{ ...port, publishedPort: 8081 }] }, { ports: [port] }), true);
  assert.equal(dirty({ ports: [{ ...port, publishMode: 'ingress' }] }, { ports: [port] }), true);
  assert.equal(dirty({ ports: [port] }), true);
  assert.equal(dirty({ mode: 'vip', ports: [] }), false);
  assert.equal(dirty({ mode: 'dnsrr' }, { mode: 'vip' }), true);
});

test('new constraints dirty a task only where its node no longer meets them', () => {
  const wanted = (constraint: string, container: Partial<ContainerSpec> = {}) => serviceOf(taskSpec(container, { placement: { constraints: [constraint] } }));
  assert.equal(isTaskDirty(wanted('node.labels.rack==a'), taskOf(taskSpec()), node), false);
  assert.equal(isTaskDirty(wanted('node.labels.rack==b'), taskOf(taskSpec()), node), true);
  assert.equal(isTaskDirty(wanted('node.labels.rack==a'), taskOf(taskSpec())), true);
  assert.equal(isTaskDirty(wanted('node.labels.rack==a', { image: 'b' }), taskOf(taskSpec()), node), true);
  const withPort = serviceOf(taskSpec({}, { placement: { constraints: ['node.labels.rack==a'] } }), { endpoint: { mode: 'dnsrr' } });
  assert.equal(isTaskDirty(withPort, taskOf(taskSpec()), node), true);
});

test('new registry credentials matter only until the image is there', () => {
  const service = serviceOf(taskSpec({ registryAuth: 'new' }));
  const dirty = (state: Task['status']['state']) =>
    isTaskDirty(service, taskOf(taskSpec({ registryAuth: 'old' }), { status: { state, timestamp: 0, message: '' } }));
  assert.deepEqual((['assigned', 'preparing', 'ready', 'starting', 'running', 'failed'] as const).map(dirty), [true, true, false, false, false, true]);
});

test('a task made from the spec is clean, and a copy of the spec is as good as the spec', () => {
  const anySpec = fc.record(
    {
      env: fc.array(fc.string()),
      labels: fc.dictionary(fc.string(), fc.string()),
      hostname: fc.string(),
      init: fc.boolean(),
      stopGracePeriodNs: fc.nat(),
      mounts: fc.array(fc.record({ type: fc.constant('volume' as const), target: fc.string() })),
    },
    { requiredKeys: [], noNullPrototype: true },
  );
  fc.assert(
    fc.property(anySpec, anySpec, (first, second) => {
      const copy = structuredClone(first);
      assert.equal(isTaskDirty(serviceOf(taskSpec(first)), taskOf(taskSpec(copy))), false);
      assert.equal(isTaskDirty(serviceOf(taskSpec(first)), taskOf(taskSpec(second))), isTaskDirty(serviceOf(taskSpec(second)), taskOf(taskSpec(first))));
    }),
  );
});
