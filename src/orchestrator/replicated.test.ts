// Replicated services: slots, scaling, nodes that go, services that are deleted.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { makeService } from '../../test/lib/swarm.ts';
import { byText, World } from './testing/world.ts';

const replicas = (count: number) => ({ mode: { kind: 'replicated', replicas: count } as const });

describe('a replicated service', () => {
  it('gets a new task for each slot from 1 on, with what the service says', () => {
    const world = new World();
    world.create({ ...replicas(3), labels: { tier: 'front' }, endpoint: { mode: 'dnsrr' } });
    assert.deepEqual(world.summary(), ['1 busybox new/running', '2 busybox new/running', '3 busybox new/running']);
    const [task] = world.tasks();
    assert.deepEqual(task?.status, { state: 'new', timestamp: world.now, message: 'created' });
    assert.equal(task?.serviceName, 'web');
    assert.deepEqual(task?.serviceLabels, { tier: 'front' });
    assert.deepEqual(task?.endpoint, { mode: 'dnsrr' });
    assert.equal(task?.specVersion, world.service.specVersion);
  });

  it('uses the log driver of the task, or else the one of the cluster', () => {
    const world = new World();
    const [cluster] = world.swarm.view.list('cluster');
    assert.ok(cluster);
    world.swarm.put({ ...cluster, spec: { ...cluster.spec, taskDefaults: { logDriver: { name: 'journald' } } } });
    world.create();
    world.update((spec) => ({ ...spec, ...replicas(2), task: { ...spec.task, logDriver: { name: 'local' } } }));
    assert.deepEqual(
      world
        .live()
        .map((task) => task.logDriver?.name)
        .toSorted(byText),
      ['local', 'local'],
    );
    assert.ok(world.tasks().some((task) => task.logDriver?.name === 'journald'));
  });

  it('fills the lowest free slots when it grows', () => {
    const world = new World();
    world.create(replicas(2));
    world.obey();
    world.scale(4);
    assert.deepEqual(world.summary(), ['1 busybox running/running', '2 busybox running/running', '3 busybox new/running', '4 busybox new/running']);
    assert.equal(world.service.updateStatus, undefined, 'scaling is no roll-out');
  });

  it('gives up slots that do not run first, then the highest on the fullest node', () => {
    const world = new World({ nodes: 2 });
    world.create(replicas(5));
    const slot = (number: number) => world.live().find((task) => task.slot === number);
    world.obey({ start: (task) => task.slot !== 2 });
    // Slots 1, 4 on one node and 3, 5 on the other; 2 is nowhere yet.
    world.scale(4);
    assert.equal(slot(2), undefined);
    world.scale(2);
    assert.deepEqual(
      world
        .live()
        .map((task) => task.nodeId)
        .toSorted(byText),
      ['node00001', 'node00002'],
    );
    assert.deepEqual(
      world
        .live()
        .map((task) => task.slot)
        .toSorted(byText),
      [1, 3],
    );
    world.obey();
    assert.equal(world.tasks().length, 2, 'stopped tasks of removed slots are deleted');
  });

  it('scales to zero and back', () => {
    const world = new World();
    world.create(replicas(2));
    world.obey();
    world.scale(0);
    assert.deepEqual(world.summary(), ['1 busybox running/remove', '2 busybox running/remove']);
    world.scale(1);
    assert.deepEqual(world.summary(), ['1 busybox running/remove', '1 busybox new/ready', '2 busybox running/remove'], 'the slot is not run twice');
    world.obey();
    assert.deepEqual(world.summary(), ['1 busybox running/running']);
  });

  it('replaces the tasks of a node that goes down at once, and stops waiting for them', () => {
    const world = new World({ nodes: 2 });
    world.create(replicas(2));
    world.obey();
    world.setNode(1, { state: 'down' });
    assert.deepEqual(world.summary(), ['1 busybox running/shutdown', '1 busybox new/running', '2 busybox running/running']);
    world.obey({ start: () => true });
    world.setNode(1, { state: 'ready' });
    assert.equal(world.live().length, 2);
  });

  it('moves the tasks of a drained node when they have stopped, without the restart delay', () => {
    const world = new World({ nodes: 2 });
    world.create(replicas(2));
    world.obey();
    world.setNode(1, { availability: 'drain' });
    assert.deepEqual(world.summary(), ['1 busybox running/shutdown', '1 busybox new/ready', '2 busybox running/running']);
    const [old] = world.tasks((task) => task.desiredState === 'shutdown');
    assert.ok(old);
    world.report(old, 'shutdown');
    assert.deepEqual(world.summary(), ['1 busybox shutdown/shutdown', '1 busybox new/running', '2 busybox running/running']);
  });

  it('leaves the tasks of a paused node where they are', () => {
    const world = new World({ nodes: 2 });
    world.create(replicas(2));
    world.obey();
    const before = world.summary();
    world.setNode(1, { availability: 'pause' });
    assert.deepEqual(world.summary(), before);
  });

  it('replaces tasks of a node that was removed', () => {
    const world = new World({ nodes: 2 });
    world.create(replicas(2));
    world.obey();
    world.removeNode(1);
    assert.deepEqual(world.summary(), ['1 busybox orphaned/shutdown', '1 busybox new/running', '2 busybox running/running']);
  });

  it('takes its tasks along when it is deleted: what never began at once, what runs when it has stopped', () => {
    const world = new World();
    world.create(replicas(2));
    const [first] = world.tasks();
    assert.ok(first);
    world.report(first, 'running');
    world.removeService();
    assert.deepEqual(world.summary(), ['1 busybox running/remove']);
    world.obey();
    assert.deepEqual(world.summary(), []);
  });

  it('keeps the tasks of a deleted service on a node that is down until they are orphaned or the node is removed', () => {
    const world = new World({ nodes: 2 });
    world.create(replicas(1));
    world.obey();
    world.setNode(1, { state: 'down' });
    world.removeService();
    assert.deepEqual(world.summary(), ['1 busybox running/remove']);
    world.removeNode(1);
    assert.deepEqual(world.summary(), []);
  });

  // Quadratic work would take minutes.
  it('with 10,000 replicas is decided soon', { timeout: 60_000 }, () => {
    const world = new World();
    const service = makeService('web', { specVersion: 1 });
    world.swarm.put({ ...service, spec: { ...service.spec, ...replicas(10_000) } });
    world.settle();
    assert.equal(world.tasks().length, 10_000);
  });
});
