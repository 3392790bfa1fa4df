// Global services: which nodes have a task, and what becomes of it when the node changes.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ServiceSpec } from '#domain/spec.ts';
import { byText, imageOf, World } from './testing/world.ts';

function start(nodes: number, spec: Partial<ServiceSpec> = {}): World {
  const world = new World({ nodes });
  world.create({ mode: { kind: 'global' }, ...spec });
  world.obey();
  return world;
}

const task = { runtime: { kind: 'container', container: { image: 'busybox' } }, forceUpdate: 0 } as const;
const liveNodes = (world: World) =>
  world
    .live()
    .map(({ nodeId }) => nodeId)
    .toSorted(byText);

describe('a global service', () => {
  it('has one task on each node, assigned when it is made', () => {
    const world = new World({ nodes: 3 });
    world.create({ mode: { kind: 'global' } });
    assert.deepEqual(world.summary(), ['node00001 busybox new/running', 'node00002 busybox new/running', 'node00003 busybox new/running']);
    assert.ok(world.tasks().every(({ slot }) => slot === undefined));
  });

  it('comes to a node that joins, is activated again, or comes up', () => {
    const world = start(1);
    world.setNode(2, {});
    assert.deepEqual(liveNodes(world), ['node00001', 'node00002']);
    world.setNode(1, { availability: 'drain' });
    assert.deepEqual(liveNodes(world), ['node00002']);
    world.obey();
    world.setNode(1, { availability: 'active' });
    assert.deepEqual(liveNodes(world), ['node00001', 'node00002']);
    world.setNode(2, { state: 'down' });
    assert.deepEqual(liveNodes(world), ['node00001']);
    world.setNode(2, { state: 'ready' });
    assert.deepEqual(liveNodes(world), ['node00001', 'node00002']);
  });

  it('waits for the old task on a node that comes back', () => {
    const world = start(1);
    world.setNode(1, { state: 'down' });
    world.setNode(1, { state: 'ready' });
    assert.deepEqual(world.summary(), ['node00001 busybox running/shutdown', 'node00001 busybox new/ready']);
    world.obey();
    assert.deepEqual(world.summary(), ['node00001 busybox shutdown/shutdown', 'node00001 busybox running/running']);
  });

  it('keeps to its constraints and platforms', () => {
    const world = start(2, { task: { ...task, placement: { constraints: ['node.labels.disk==ssd'] } } });
    assert.deepEqual(liveNodes(world), []);
    world.setNode(2, { labels: { disk: 'ssd' } });
    assert.deepEqual(liveNodes(world), ['node00002']);
    world.obey();
    world.setNode(2, { labels: {} });
    assert.deepEqual(liveNodes(world), []);
    const arm = start(2, { task: { ...task, placement: { platforms: [{ os: 'linux', architecture: 'arm64' }] } } });
    assert.deepEqual(liveNodes(arm), []);
    const intel = start(2, { task: { ...task, placement: { platforms: [{ os: 'linux', architecture: 'amd64' }] } } });
    assert.equal(liveNodes(intel).length, 2);
  });

  it('rejects the task of a node that changed, and shuts down the one of a service that changed', () => {
    const world = start(2, { task: { ...task, placement: { constraints: ['node.labels.disk!=tape'] } } });
    world.obey();
    world.setNode(2, { labels: { disk: 'tape' } });
    world.obey();
    assert.deepEqual(world.summary(), ['node00001 busybox running/running', 'node00002 busybox rejected/shutdown']);
    const [rejected] = world.tasks(({ status }) => status.state === 'rejected');
    assert.deepEqual([rejected?.status.message, rejected?.status.error], ['task rejected by constraint enforcer', 'assigned node no longer meets constraints']);
    world.update((spec) => ({ ...spec, task: { ...spec.task, placement: { constraints: ['node.labels.disk==ssd'] } } }));
    world.obey();
    assert.equal(world.summary()[0], 'node00001 busybox shutdown/shutdown');
    assert.deepEqual(liveNodes(world), []);
  });

  it('restarts a task on its node, but not on a paused one', () => {
    const world = start(2);
    world.setNode(2, { availability: 'pause' });
    for (const running of world.running()) world.fail(running);
    world.advance(5_000);
    world.obey();
    assert.deepEqual(
      world.running().map(({ nodeId }) => nodeId),
      ['node00001'],
    );
    world.setNode(2, { availability: 'active' });
    world.obey();
    assert.equal(world.running().length, 2);
  });

  it('adds nothing on a paused node and leaves what runs there, also in an update', () => {
    const world = start(2);
    world.setNode(2, { availability: 'pause' });
    world.setNode(3, { availability: 'pause' });
    world.updateImage('busybox:2');
    for (let round = 0; round < 3; round++) {
      world.obey();
      world.advance(10_000);
    }
    assert.deepEqual(
      world
        .running()
        .map((running) => [running.nodeId, imageOf(running)])
        .toSorted(byText),
      [
        ['node00001', 'busybox:2'],
        ['node00002', 'busybox'],
      ],
    );
    assert.equal(world.service.updateStatus?.state, 'completed');
    world.setNode(2, { availability: 'active' });
    world.obey();
    assert.deepEqual(world.running().map(imageOf), ['busybox:2', 'busybox:2'], 'an activated node catches up');
    assert.equal(world.service.updateStatus?.state, 'completed');
  });

  it('is updated node by node', () => {
    const world = start(3);
    world.updateImage('busybox:2');
    assert.equal(world.live().filter((live) => imageOf(live) === 'busybox:2').length, 1);
    for (let round = 0; round < 3; round++) {
      world.obey();
      world.advance(10_000);
    }
    assert.equal(world.running().filter((live) => imageOf(live) === 'busybox:2').length, 3);
    assert.equal(world.service.updateStatus?.state, 'completed');
  });

  it('forgets the tasks of a node that was removed', () => {
    const world = start(2);
    world.removeNode(2);
    assert.deepEqual(world.summary(), ['node00001 busybox running/running']);
  });
});
