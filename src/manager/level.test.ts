// Daemons of different versions in one swarm: the level of its state, and what an older manager does with what it does not know.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Cluster, Node, StoreObject } from '#domain/objects.ts';
import type { NodeRole } from '#domain/spec.ts';
import { createTestSwarm, testNode } from '#control/testing/swarm.ts';
import { createSwarm, makeCluster, makeNode } from '../../test/lib/swarm.ts';
import { raiseLevel } from './level.ts';

function node(index: number, role: NodeRole, level?: number): Node {
  const { description, manager: _manager, ...rest } = makeNode(index);
  assert.ok(description);
  const daemon = level === undefined ? {} : { daemon: { version: 'x', level } };
  const status = role === 'manager' ? { manager: { leader: false, reachability: 'reachable', address: '' } as const } : {};
  return { ...rest, role, spec: { ...rest.spec, role }, description: { ...description, ...daemon }, ...status };
}

test('the level is that of the oldest manager, never falls, and workers do not count', () => {
  const raised = (level: number | undefined, ...nodes: readonly Node[]) => {
    const cluster = makeCluster(level === undefined ? {} : { level });
    const [change] = raiseLevel(createSwarm([cluster, ...nodes]).view).changes;
    return (change?.object as Cluster | undefined)?.level;
  };
  assert.equal(raised(undefined, node(1, 'manager', 1)), undefined);
  assert.equal(raised(undefined, node(1, 'manager', 3), node(2, 'manager', 2)), 2);
  assert.equal(raised(undefined, node(1, 'manager', 2), node(2, 'worker', 1)), 2);
  assert.equal(raised(undefined, node(1, 'manager', 2), node(2, 'manager')), undefined);
  assert.equal(raised(2, node(1, 'manager', 2)), undefined);
  assert.equal(raised(3, node(1, 'manager', 2)), undefined);
  assert.equal(raised(undefined, node(1, 'manager', 2), { ...node(2, 'worker'), spec: { ...node(2, 'worker').spec, role: 'manager' } }), undefined);
});

test('what a newer manager stored in an object survives what an older one writes to it', async () => {
  const ofTheFuture = { madeOf: 'hope', parts: [1, { deep: true }] };
  const { control, store } = await createTestSwarm([{ ...testNode('n2'), future: ofTheFuture } as StoreObject]);
  await store.update('control', (view) => {
    const [cluster] = view.list('cluster');
    return { changes: [{ action: 'update', object: { ...cluster, future: ofTheFuture } as StoreObject }], result: undefined };
  });
  const [cluster] = store.view.list('cluster');
  assert.ok(cluster);
  const { spec } = cluster;
  await control.swarm.update(cluster.version, { ...spec, labels: { a: 'b' } }, { workerToken: true, managerToken: false, unlockKey: false });
  const before = store.view.get('node', 'n2');
  assert.ok(before);
  await control.nodes.update('n2', before.version, { ...before.spec, availability: 'drain' });
  const [after] = store.view.list('cluster');
  for (const object of [after, store.view.get('node', 'n2')]) assert.deepEqual((object as unknown as { future: unknown }).future, ofTheFuture);
  assert.deepEqual([after?.spec.labels, store.view.get('node', 'n2')?.spec.availability], [{ a: 'b' }, 'drain']);
});
