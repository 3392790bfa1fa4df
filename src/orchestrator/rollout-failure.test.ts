// Updates that fail: what counts as a failure, the failure actions, and the words users see.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { newTasks, runningNew, SECOND_NS, start, status } from './testing/rollout.ts';
import { byText, imageOf, World } from './testing/world.ts';

describe('a failing update', () => {
  it('pauses, says which task failed, and stays paused until there is a new spec', () => {
    const world = start({}, 3);
    world.updateImage('busybox:2');
    for (const task of world.tasks((candidate) => candidate.desiredState === 'shutdown')) world.report(task, 'shutdown');
    const [failed] = newTasks(world);
    assert.ok(failed);
    world.report(failed, 'starting');
    world.fail(failed);
    assert.deepEqual(status(world), ['paused', `update paused due to failure or early termination of task ${failed.id}`]);
    assert.equal(world.service.updateStatus?.completedAt, undefined);
    world.advance(600_000);
    world.obey();
    world.restartManager();
    assert.deepEqual(world.running().map(imageOf).toSorted(byText), ['busybox', 'busybox', 'busybox:2'], 'the restart policy goes on, the update does not');
    assert.equal(world.service.updateStatus?.state, 'paused');
    world.updateImage('busybox:3');
    assert.equal(world.service.updateStatus?.state, 'updating');
  });

  it('a task that fails before it ever ran counts; one that fails after the monitor period does not', () => {
    const early = start({ monitorNs: 5 * SECOND_NS }, 2);
    early.updateImage('busybox:2');
    const [successor] = newTasks(early);
    assert.ok(successor);
    early.fail(successor, 'rejected');
    assert.equal(early.service.updateStatus?.state, 'paused');

    const late = start({ monitorNs: 5 * SECOND_NS, delayNs: 4 * SECOND_NS }, 3);
    late.updateImage('busybox:2');
    late.obey();
    late.advance(4_000);
    const [first] = runningNew(late);
    assert.ok(first);
    late.advance(1_002);
    late.fail(first);
    assert.equal(late.service.updateStatus?.state, 'updating');
  });

  it('tolerates failures up to the ratio', () => {
    const world = start({ parallelism: 0, maxFailureRatio: 0.5 }, 4);
    world.updateImage('busybox:2');
    for (const [index, task] of newTasks(world).entries()) {
      assert.equal(world.service.updateStatus?.state, index < 3 ? 'updating' : 'paused');
      if (index < 3) world.fail(task, 'rejected');
    }
  });

  it('goes on whatever happens with the action continue', () => {
    const world = start({ failureAction: 'continue' }, 2);
    world.updateImage('busybox:2');
    for (let slot = 1; slot <= 2; slot++) {
      const successor = newTasks(world).find((task) => task.slot === slot);
      assert.ok(successor, `slot ${slot} is updated`);
      world.fail(successor, 'rejected');
    }
    world.advance(5_000);
    assert.deepEqual(status(world), ['completed', 'update completed']);
  });

  it('rolls back to the previous spec with the action rollback, and says when that is done', () => {
    const world = start({ failureAction: 'rollback' }, 2);
    const before = world.service;
    world.updateImage('busybox:2');
    world.obey();
    const failed = runningNew(world)[0];
    assert.ok(failed);
    world.fail(failed);
    assert.deepEqual(status(world), ['rollback_started', `update rolled back due to failure or early termination of task ${failed.id}`]);
    assert.deepEqual(world.service.spec, before.spec);
    assert.equal(world.service.specVersion, before.specVersion);
    assert.equal(world.service.previousSpec, undefined);
    for (let round = 0; round < 5; round++) {
      world.obey();
      world.advance(10_000);
    }
    assert.deepEqual(world.running().map(imageOf), ['busybox', 'busybox']);
    assert.deepEqual(status(world), ['rollback_completed', 'rollback completed']);
  });

  it('says that it rolls back also when the old tasks run still, so that nothing is to be started', () => {
    const restart = { condition: 'none' } as const;
    const task = { runtime: { kind: 'container', container: { image: 'busybox' } }, forceUpdate: 0, restart } as const;
    const world = start({ failureAction: 'rollback', order: 'start-first' }, 2, {}, { task });
    const before = world.running().map(({ id }) => id);
    world.updateImage('busybox:2');
    const [failed] = newTasks(world);
    assert.ok(failed);
    const seen: unknown[] = [];
    world.swarm.onEvent(({ object }) => object.kind === 'service' && seen.push(object.updateStatus?.state));
    world.fail(failed, 'rejected');
    assert.deepEqual(status(world), ['rollback_started', `update rolled back due to failure or early termination of task ${failed.id}`]);
    world.advance(10_000);
    assert.deepEqual(status(world), ['rollback_completed', 'rollback completed']);
    assert.deepEqual([...new Set(seen)], ['rollback_started', 'rollback_completed']);
    assert.deepEqual(
      world.running().map(({ id }) => id),
      before,
    );
  });

  it('a task that no node ever had is over as soon as another takes its place', () => {
    const world = new World();
    world.create({ mode: { kind: 'replicated', replicas: 1 } });
    const [waiting] = world.live();
    assert.ok(waiting);
    world.report(waiting, 'pending', { error: 'no suitable node' });
    world.updateImage('busybox:2');
    assert.deepEqual(world.summary(), ['1 busybox shutdown/shutdown', '1 busybox:2 new/running']);
    const [over] = world.tasks(({ status }) => status.state === 'shutdown');
    assert.equal(over?.status.error, undefined);
  });

  it('has a status when the user goes back to the old spec after a pause, and old and new tasks share a slot', () => {
    const world = start({ order: 'start-first' }, 2);
    const before = world.service.spec;
    world.updateImage('busybox:2');
    const [failed] = newTasks(world);
    assert.ok(failed);
    world.fail(failed, 'rejected');
    assert.equal(world.service.updateStatus?.state, 'paused');
    assert.equal(newTasks(world).length, 1, 'the restart policy tries again beside the old task');
    world.update(() => before);
    assert.deepEqual(status(world), ['updating', 'update in progress']);
    assert.equal(newTasks(world).length, 0);
    world.obey();
    world.advance(5_001);
    assert.deepEqual(status(world), ['completed', 'update completed']);
  });

  it('pauses a rollback that fails, in the words of its own failure action', () => {
    for (const [failureAction, message] of [
      ['rollback', 'rollback paused'],
      ['pause', 'update paused'],
    ] as const) {
      const world = start({ failureAction: 'rollback', parallelism: 0 }, 2, {}, { rollback: { parallelism: 1, failureAction } });
      world.updateImage('busybox:2');
      world.obey();
      const [failed, other] = runningNew(world);
      assert.ok(failed && other);
      world.fail(failed);
      assert.equal(world.service.updateStatus?.state, 'rollback_started');
      world.report(other, 'shutdown');
      const back = world.live().find((task) => task.slot === other.slot);
      assert.ok(back);
      world.fail(back, 'rejected');
      assert.deepEqual(status(world), ['rollback_paused', `${message} due to failure or early termination of task ${back.id}`]);
    }
  });

  it('pauses when there is nothing to go back to', () => {
    const world = start({ failureAction: 'rollback' }, 1);
    world.updateImage('busybox:2');
    const { previousSpec: _spec, previousSpecVersion: _version, ...service } = world.service;
    world.swarm.put(service);
    world.settle();
    const [task] = newTasks(world);
    assert.ok(task);
    world.fail(task, 'rejected');
    assert.deepEqual(status(world), ['paused', `update paused due to failure or early termination of task ${task.id}`]);
  });

  it('does not count tasks that were asked to stop', () => {
    const world = start({}, 2, { nodes: 3 });
    world.updateImage('busybox:2');
    world.obey();
    const [task] = runningNew(world);
    assert.ok(task);
    const index = Number(task.nodeId?.slice(-1));
    world.setNode(index, { availability: 'drain' });
    world.obey();
    world.advance(60_000);
    world.obey();
    world.advance(60_000);
    assert.equal(world.service.updateStatus?.state, 'completed');
  });
});
