// Jobs: how many tasks at a time and in all, iterations, failures, nodes.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { RestartPolicy } from '#domain/spec.ts';
import { byText, World } from './testing/world.ts';

function replicatedJob(maxConcurrent: number, totalCompletions: number, { nodes = 1, restart = {} }: { nodes?: number; restart?: RestartPolicy } = {}): World {
  const world = new World({ nodes });
  const task = { runtime: { kind: 'container', container: { image: 'busybox' } }, forceUpdate: 0, restart } as const;
  world.create({ mode: { kind: 'replicated-job', maxConcurrent, totalCompletions }, task });
  return world;
}

function globalJob(nodes: number): World {
  const world = new World({ nodes });
  world.create({ mode: { kind: 'global-job' } });
  return world;
}

const completed = (world: World) => world.tasks((task) => task.status.state === 'complete');
const again = (world: World) => world.update((spec) => ({ ...spec, task: { ...spec.task, forceUpdate: spec.task.forceUpdate + 1 } }));

describe('a replicated job', () => {
  it('runs as many tasks at once as it may, in slots from 0, until all are complete', () => {
    const world = replicatedJob(2, 3);
    assert.deepEqual(world.summary(), ['0 busybox new/complete', '1 busybox new/complete']);
    world.obey();
    const [first, second] = world.running();
    assert.ok(first && second);
    world.fail(first, 'complete');
    assert.deepEqual(
      world
        .live()
        .map((task) => task.slot)
        .toSorted(byText),
      [0, 1, 2],
    );
    world.obey();
    for (const task of world.running()) world.fail(task, 'complete');
    assert.equal(completed(world).length, 3);
    world.advance(600_000);
    world.restartManager();
    assert.deepEqual(world.summary(), ['0 busybox complete/complete', '1 busybox complete/complete', '2 busybox complete/complete']);
  });

  it('tries a failed task again in its slot, whatever "any" would mean for a completed one', () => {
    const world = replicatedJob(1, 1);
    world.obey();
    const [task] = world.running();
    assert.ok(task);
    world.fail(task);
    assert.deepEqual(world.summary(), ['0 busybox failed/shutdown', '0 busybox new/ready']);
    world.advance(5_000);
    assert.deepEqual(
      world.live().map((live) => live.desiredState),
      ['complete'],
    );
  });

  it('gives up a slot after the allowed attempts and goes on with the others', () => {
    const world = replicatedJob(1, 2, { restart: { maxAttempts: 1, delayNs: 0 } });
    for (let round = 0; round < 2; round++) {
      world.obey();
      for (const task of world.running()) world.fail(task);
    }
    world.obey();
    for (const task of world.running()) world.fail(task, 'complete');
    world.advance(600_000);
    world.restartManager();
    assert.deepEqual(world.summary(), ['0 busybox failed/shutdown', '0 busybox failed/shutdown', '1 busybox complete/complete']);
  });

  it('begins anew with each update; what ran of the old iteration is removed, what was completed stays', () => {
    const world = replicatedJob(2, 2);
    world.obey();
    const [first] = world.running();
    assert.ok(first);
    world.fail(first, 'complete');
    again(world);
    world.obey();
    for (const task of world.running()) world.fail(task, 'complete');
    assert.equal(completed(world).length, 3);
    assert.deepEqual(
      completed(world)
        .map((task) => task.jobIteration)
        .toSorted(byText),
      [0, 1, 1],
    );
    assert.equal(world.tasks().length, 3);
    assert.equal(world.service.updateStatus, undefined);
  });

  it('moves from a node that goes down', () => {
    const world = replicatedJob(1, 1, { nodes: 2 });
    world.obey();
    world.setNode(1, { state: 'down' });
    assert.deepEqual(world.summary(), ['0 busybox running/shutdown', '0 busybox new/complete']);
  });

  it('keeps its results, but not the failures beyond the history limit', () => {
    const world = replicatedJob(1, 1, { restart: { delayNs: 0 } });
    for (let round = 0; round < 10; round++) {
      world.obey();
      for (const task of world.running()) world.fail(task);
    }
    world.obey();
    for (const task of world.running()) world.fail(task, 'complete');
    assert.equal(completed(world).length, 1);
    assert.equal(world.tasks().length, 5);
  });
});

describe('a global job', () => {
  it('runs once on each node that is ready and active, also on one that comes later', () => {
    const world = globalJob(2);
    world.setNode(3, { availability: 'pause' });
    world.setNode(4, { state: 'unknown' });
    world.obey();
    for (const task of world.running()) world.fail(task, 'complete');
    world.restartManager();
    assert.deepEqual(world.summary(), ['node00001 busybox complete/complete', 'node00002 busybox complete/complete']);
    world.setNode(3, { availability: 'active' });
    assert.deepEqual(
      world
        .live()
        .map((task) => task.nodeId)
        .toSorted(byText),
      ['node00001', 'node00002', 'node00003'],
    );
  });

  it('shuts down on a drained node what is not complete, and starts over when the node is back', () => {
    const world = globalJob(2);
    world.obey();
    const first = world.running().find((task) => task.nodeId === 'node00001');
    assert.ok(first);
    world.fail(first, 'complete');
    world.setNode(1, { availability: 'drain' });
    world.setNode(2, { availability: 'drain' });
    world.obey();
    assert.deepEqual(world.summary(), ['node00001 busybox complete/complete', 'node00002 busybox shutdown/shutdown']);
    world.setNode(1, { availability: 'active' });
    world.setNode(2, { availability: 'active' });
    assert.deepEqual(world.summary(), ['node00001 busybox complete/complete', 'node00002 busybox shutdown/shutdown', 'node00002 busybox new/complete']);
  });

  it('runs again on every node with the next iteration', () => {
    const world = globalJob(2);
    world.obey();
    for (const task of world.running()) world.fail(task, 'complete');
    again(world);
    assert.equal(world.live().filter((task) => task.status.state === 'new').length, 2);
  });
});
