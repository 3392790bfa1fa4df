// What the scheduler promises, case by case. Random histories are in scheduler.property.test.ts.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Node, StoreObject, Task } from '#domain/objects.ts';
import type { TaskSpec } from '#domain/spec.ts';
import { createSwarm, makeCluster, makeNode, makeTask, type Swarm } from '../../test/lib/swarm.ts';
import { createScheduler } from './scheduler.ts';

const NOW = 1_000_000;

/** A swarm with a scheduler that runs until it has nothing to do. */
function start(objects: readonly StoreObject[]) {
  const swarm = createSwarm(objects);
  const scheduler = createScheduler();
  const dirty = new Set(scheduler.allKeys(swarm.view));
  swarm.onEvent((event, view) => {
    for (const key of scheduler.keysOf(event, view)) dirty.add(key);
  });
  return {
    ...swarm,
    dirty,
    run(now = NOW): number {
      let commits = 0;
      for (; dirty.size > 0; commits++) {
        assert.ok(commits < 100, 'the scheduler does not come to rest');
        const keys = new Set(dirty);
        dirty.clear();
        const { changes, postponed } = scheduler.decide(swarm.view, keys, now);
        for (const key of postponed) dirty.add(key);
        swarm.commit(changes, 'scheduler');
      }
      return commits;
    },
  };
}

const task = (swarm: Pick<Swarm, 'view'>, id: string): Task => swarm.view.get('task', id) as Task;
const nodeOf = (swarm: Pick<Swarm, 'view'>, id: string) => task(swarm, id).nodeId;
const errorOf = (swarm: Pick<Swarm, 'view'>, id: string) => task(swarm, id).status.error;
const waiting = (count: number, fields: Partial<Task> = {}, prefix = 't') =>
  Array.from({ length: count }, (_, index) => makeTask(`${prefix}${String(index + 1).padStart(5, '0')}`, { slot: index + 1, ...fields }));
const spec = (fields: Partial<TaskSpec>): TaskSpec => ({ runtime: { kind: 'container', container: { image: 'busybox' } }, forceUpdate: 0, ...fields });
const described = (index: number, description: Partial<Node['description'] & object>, fields: Partial<Node> = {}): Node => {
  const node = makeNode(index, fields);
  return { ...node, description: { ...(node.description as Node['description'] & object), ...description } };
};
const perNode = (swarm: Pick<Swarm, 'view'>) => {
  const counts: Record<string, number> = {};
  for (const { nodeId } of swarm.view.list('task')) if (nodeId) counts[nodeId] = (counts[nodeId] ?? 0) + 1;
  return counts;
};
const running = (id: string, nodeId: string, fields: Partial<Task> = {}) =>
  makeTask(id, { nodeId, status: { state: 'running', timestamp: 1, message: 'started' }, ...fields });

describe('scheduler', () => {
  it('assigns a pending task with the message that users know', () => {
    const swarm = start([makeNode(1), ...waiting(1)]);
    swarm.run();
    assert.equal(nodeOf(swarm, 't00001'), 'node00001');
    assert.deepEqual(task(swarm, 't00001').status, { state: 'assigned', timestamp: NOW, message: 'scheduler assigned task to node' });
  });

  it('says why nothing fits, most frequent reason first, and tries again when a node changes', () => {
    const drained = makeNode(1, { spec: { labels: {}, role: 'worker', availability: 'drain' } });
    const windows = [2, 3].map((index) => described(index, { platform: { os: 'windows', architecture: 'amd64' } }));
    const swarm = start([drained, ...windows, ...waiting(1, { spec: spec({ placement: { platforms: [{ os: 'linux', architecture: 'amd64' }] } }) })]);
    swarm.run();
    assert.equal(errorOf(swarm, 't00001'), 'no suitable node (unsupported platform on 2 nodes; 1 node not available for new tasks)');
    assert.equal(task(swarm, 't00001').status.state, 'pending');
    assert.equal(task(swarm, 't00001').status.message, 'pending task scheduling');
    swarm.put({ ...(swarm.view.get('node', 'node00001') as Node), spec: { labels: {}, role: 'worker', availability: 'active' } });
    swarm.run();
    assert.equal(nodeOf(swarm, 't00001'), 'node00001');
    assert.equal(errorOf(swarm, 't00001'), undefined);
  });

  it('uses the singular and the plural of every reason', () => {
    const cases: readonly (readonly [string, Partial<TaskSpec>, Partial<Task>])[] = [
      ['insufficient resources on', { resources: { reservations: { memoryBytes: 2 ** 40 } } }, {}],
      ['insufficient resources on', { resources: { reservations: { generic: [{ kind: 'discrete', name: 'gpu', value: 1 }] } } }, {}],
      ['scheduling constraints not satisfied on', { placement: { constraints: ['node.labels.zone==a'] } }, {}],
      ['unsupported platform on', { placement: { platforms: [{ os: 'plan9', architecture: '' }] } }, {}],
    ];
    for (const [text, fields, taskFields] of cases) {
      for (const [count, nodes] of [
        [1, '1 node'],
        [3, '3 nodes'],
      ] as const) {
        const swarm = start([...Array.from({ length: count }, (_, index) => makeNode(index + 1)), ...waiting(1, { spec: spec(fields), ...taskFields })]);
        swarm.run();
        assert.equal(errorOf(swarm, 't00001'), `no suitable node (${text} ${nodes})`);
      }
    }
  });

  it('says only that there is no suitable node when there is no node', () => {
    const swarm = start(waiting(1));
    swarm.run();
    assert.equal(errorOf(swarm, 't00001'), 'no suitable node');
  });

  it('misses plugins of volumes, networks and logs only on nodes that name their plugins', () => {
    const withPlugins = described(1, {
      engine: {
        version: '1',
        labels: {},
        plugins: [
          { type: 'Volume', name: 'local' },
          { type: 'Log', name: 'json-file' },
        ],
      },
    });
    const volume = spec({
      runtime: { kind: 'container', container: { image: 'i', mounts: [{ type: 'volume', target: '/d', volume: { driver: { name: 'nfs' } } }] } },
    });
    const swarm = start([withPlugins, ...waiting(1, { spec: volume }), makeTask('log', { specVersion: 2, spec: spec({ logDriver: { name: 'gelf' } }) })]);
    swarm.run();
    assert.equal(errorOf(swarm, 't00001'), 'no suitable node (missing plugin on 1 node)');
    assert.equal(errorOf(swarm, 'log'), 'no suitable node (missing plugin on 1 node)');
    swarm.put(makeNode(2));
    swarm.run();
    assert.deepEqual([nodeOf(swarm, 't00001'), nodeOf(swarm, 'log')], ['node00002', 'node00002']);
  });

  it('gives a host-mode port to one task per node, and the next when it is free again', () => {
    const endpoint = { ports: [{ protocol: 'tcp', targetPort: 80, publishedPort: 8080, publishMode: 'host' }] } as const;
    const swarm = start([makeNode(1), makeNode(2), ...waiting(3, { endpoint })]);
    swarm.run();
    assert.deepEqual(perNode(swarm), { node00001: 1, node00002: 1 });
    assert.equal(errorOf(swarm, 't00003'), 'no suitable node (host-mode port already in use on 2 nodes)');
    const first = task(swarm, 't00001');
    swarm.put({ ...first, desiredState: 'shutdown' });
    swarm.run();
    assert.equal(nodeOf(swarm, 't00003'), undefined, 'the port is held until the task has stopped');
    swarm.put({ ...task(swarm, 't00001'), status: { state: 'shutdown', timestamp: 2, message: '' } });
    swarm.run();
    assert.equal(nodeOf(swarm, 't00003'), first.nodeId);
  });

  it('keeps to the maximum of replicas per node', () => {
    const swarm = start([makeNode(1), makeNode(2), ...waiting(5, { spec: spec({ placement: { maxReplicas: 2 } }) })]);
    swarm.run();
    assert.deepEqual(perNode(swarm), { node00001: 2, node00002: 2 });
    assert.equal(errorOf(swarm, 't00005'), 'no suitable node (max replicas per node limit exceed)');
    swarm.put({ ...task(swarm, 't00001'), desiredState: 'shutdown' });
    swarm.run();
    assert.equal(nodeOf(swarm, 't00005'), nodeOf(swarm, 't00001'));
  });

  it('never gives away more than a node has, and counts what stops but has not stopped', () => {
    const big = spec({ resources: { reservations: { nanoCpus: 2_000_000_000 } } });
    const swarm = start([makeNode(1), running('old', 'node00001', { spec: big, desiredState: 'shutdown' }), ...waiting(2, { spec: big })]);
    swarm.run();
    assert.equal(nodeOf(swarm, 't00001'), 'node00001');
    assert.equal(errorOf(swarm, 't00002'), 'no suitable node (insufficient resources on 1 node)');
    swarm.remove(task(swarm, 'old'));
    swarm.run();
    assert.equal(nodeOf(swarm, 't00002'), 'node00001');
  });

  it('hands out named and counted generic resources', () => {
    const generic = [
      { kind: 'named', name: 'gpu', value: 'UUID-1' },
      { kind: 'named', name: 'gpu', value: 'UUID-2' },
      { kind: 'discrete', name: 'ssd', value: 3 },
    ] as const;
    const wants = spec({
      resources: {
        reservations: {
          generic: [
            { kind: 'discrete', name: 'gpu', value: 1 },
            { kind: 'discrete', name: 'ssd', value: 1 },
          ],
        },
      },
    });
    const swarm = start([described(1, { resources: { generic } }), ...waiting(3, { spec: wants })]);
    swarm.run();
    const claims = ['t00001', 't00002'].map((id) => task(swarm, id).genericResources);
    assert.deepEqual(claims, [
      [
        { kind: 'named', name: 'gpu', value: 'UUID-1' },
        { kind: 'discrete', name: 'ssd', value: 1 },
      ],
      [
        { kind: 'named', name: 'gpu', value: 'UUID-2' },
        { kind: 'discrete', name: 'ssd', value: 1 },
      ],
    ]);
    assert.equal(errorOf(swarm, 't00003'), 'no suitable node (insufficient resources on 1 node)');
  });

  it('spreads a service before it looks at the load of the nodes', () => {
    const others = [1, 2, 3].map((index) => running(`other${index}`, 'node00001', { serviceId: 'other' }));
    const swarm = start([makeNode(1), makeNode(2), ...others, running('mine', 'node00002'), ...waiting(1)]);
    swarm.run();
    assert.equal(nodeOf(swarm, 't00001'), 'node00001');
  });

  it('evens out what is uneven first', () => {
    const existing = [1, 2, 3, 4].map((index) => running(`e${index}`, 'node00001'));
    const swarm = start([makeNode(1), makeNode(2), makeNode(3), ...existing, ...waiting(5)]);
    swarm.run();
    assert.deepEqual(perNode(swarm), { node00001: 4, node00002: 3, node00003: 2 });
  });

  it('spreads over label values first, then over the nodes of each, level by level', () => {
    const zone = (index: number, labels: Record<string, string>) => makeNode(index, { spec: { labels, role: 'worker', availability: 'active' } });
    const nodes = [zone(1, { zone: 'a' }), zone(2, { zone: 'a' }), zone(3, { zone: 'a' }), zone(4, { zone: 'b' }), zone(5, {})];
    const swarm = start([...nodes, ...waiting(9, { spec: spec({ placement: { preferences: [{ spread: 'nonsense' }, { spread: 'node.labels.zone' }] } }) })]);
    swarm.run();
    assert.deepEqual(perNode(swarm), { node00001: 1, node00002: 1, node00003: 1, node00004: 3, node00005: 3 });
  });

  it('goes on with the other branches when one is full', () => {
    const small = described(1, { resources: { nanoCpus: 1_000_000_000 } }, { spec: { labels: { zone: 'a' }, role: 'worker', availability: 'active' } });
    const placement = { preferences: [{ spread: 'node.labels.zone' }] };
    const cpu = { reservations: { nanoCpus: 1_000_000_000 } };
    const swarm = start([small, makeNode(2), ...waiting(4, { spec: spec({ placement, resources: cpu }) })]);
    swarm.run();
    assert.deepEqual(perNode(swarm), { node00001: 1, node00002: 3 });
  });

  it('avoids a node on which this version of the service failed often lately, until that is long ago', () => {
    const failed = [1, 2, 3, 4].map((index) =>
      makeTask(`f${index}`, { nodeId: 'node00001', desiredState: 'shutdown', status: { state: 'failed', timestamp: NOW - 1_000, message: '' } }),
    );
    const objects = [makeCluster(), makeNode(1), makeNode(2), ...failed, running('busy', 'node00002'), ...waiting(1)];
    const soon = start(objects);
    soon.run();
    assert.equal(nodeOf(soon, 't00001'), 'node00002');
    const late = start(objects);
    late.run(NOW + 6 * 60_000);
    assert.equal(nodeOf(late, 't00001'), 'node00001');
  });

  it('confirms tasks that were made for a node, or tells them why not in one sentence', () => {
    const cpus = (nanoCpus: number) => spec({ resources: { reservations: { nanoCpus } } });
    const swarm = start([
      makeNode(1),
      makeTask('fits', { nodeId: 'node00001', spec: cpus(1) }),
      makeTask('large', { nodeId: 'node00001', spec: cpus(5_000_000_000) }),
      makeTask('homeless', { nodeId: 'gone' }),
    ]);
    swarm.run();
    assert.deepEqual(task(swarm, 'fits').status, { state: 'assigned', timestamp: NOW, message: 'scheduler confirmed task can run on preassigned node' });
    assert.equal(errorOf(swarm, 'large'), 'insufficient resources on 1 node');
    assert.equal(task(swarm, 'homeless').status.state, 'pending');
  });

  it('lets attachments of plain containers through on a drained node', () => {
    const { serviceId: _s, specVersion: _v, slot: _n, ...attachment } = makeTask('attached', { nodeId: 'node00001' });
    const drained = makeNode(1, { spec: { labels: {}, role: 'worker', availability: 'drain' } });
    const swarm = start([drained, { ...attachment, spec: { runtime: { kind: 'attachment', containerId: 'c' }, forceUpdate: 0 } }]);
    swarm.run();
    assert.equal(task(swarm, 'attached').status.state, 'assigned');
  });

  it('leaves alone what nobody wants any more', () => {
    const swarm = start([
      makeNode(1),
      makeTask('old', { desiredState: 'shutdown' }),
      makeTask('new', { status: { state: 'new', timestamp: 0, message: 'created' } }),
    ]);
    assert.equal(swarm.run(), 1);
    assert.deepEqual([nodeOf(swarm, 'old'), nodeOf(swarm, 'new')], [undefined, undefined]);
  });

  it('does not write an explanation that has not changed, and is not woken by its own', () => {
    const swarm = start([makeNode(1, { status: { state: 'down', address: '' } }), ...waiting(10)]);
    swarm.run();
    const { revision } = swarm.view;
    assert.equal(swarm.dirty.size, 0);
    swarm.put(makeNode(1, { version: 1, status: { state: 'unknown', address: '' } }));
    assert.equal(swarm.dirty.size, 1);
    swarm.run();
    assert.equal(swarm.view.revision, revision + 1);
  });

  it('keeps a commit bounded and goes on with the rest', () => {
    const swarm = createSwarm([makeNode(1), makeNode(2), ...waiting(25)]);
    const scheduler = createScheduler({ maxChanges: 10 });
    const first = scheduler.decide(swarm.view, new Set(scheduler.allKeys(swarm.view)), NOW);
    assert.equal(first.changes.length, 10);
    assert.deepEqual(first.postponed, ['group/web/1']);
  });
});
