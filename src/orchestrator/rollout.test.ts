// Rolling updates and rollbacks: order, parallelism, delay, monitoring, failure actions, and the words users see.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Task } from '#domain/objects.ts';
import type { ServiceSpec, UpdateConfig } from '#domain/spec.ts';
import { byText, imageOf, World, type WorldOptions } from './testing/world.ts';

const SECOND_NS = 1_000_000_000;

function start(update: Partial<UpdateConfig> = {}, count = 3, options: WorldOptions = {}, spec: Partial<ServiceSpec> = {}): World {
  const world = new World(options);
  world.create({ mode: { kind: 'replicated', replicas: count }, update: { parallelism: 1, ...update }, ...spec });
  world.obey();
  return world;
}

const isNew = (task: Task) => imageOf(task) === 'busybox:2';
const newTasks = (world: World) => world.live().filter(isNew);
const runningNew = (world: World) => world.running().filter(isNew);
const status = (world: World) => [world.service.updateStatus?.state, world.service.updateStatus?.message];

describe('rolling update', () => {
  it('stop-first: stops one task, starts its replacement when it has stopped, and goes on when that runs', () => {
    const world = start();
    world.updateImage('busybox:2');
    assert.deepEqual(status(world), ['updating', 'update in progress']);
    assert.equal(world.service.updateStatus?.startedAt, world.now);
    assert.deepEqual(world.summary(), ['1 busybox running/shutdown', '1 busybox:2 new/ready', '2 busybox running/running', '3 busybox running/running']);
    const [old] = world.tasks((task) => task.desiredState === 'shutdown');
    assert.ok(old);
    world.report(old, 'shutdown');
    const [successor] = newTasks(world);
    assert.equal(successor?.desiredState, 'running');
    assert.ok(successor);
    world.report(successor, 'running');
    assert.deepEqual(
      world
        .live()
        .map((task) => [task.slot, imageOf(task), task.desiredState])
        .toSorted(byText),
      [
        [1, 'busybox:2', 'running'],
        [2, 'busybox:2', 'ready'],
        [3, 'busybox', 'running'],
      ],
    );
  });

  it('start-first: the old task stops when the new one runs', () => {
    const world = start({ order: 'start-first' });
    world.updateImage('busybox:2');
    assert.deepEqual(world.summary(), ['1 busybox running/running', '1 busybox:2 new/running', '2 busybox running/running', '3 busybox running/running']);
    const [successor] = newTasks(world);
    assert.ok(successor);
    world.report(successor, 'running');
    assert.deepEqual(
      world
        .tasks((task) => task.slot === 1)
        .map((task) => [imageOf(task), task.desiredState])
        .toSorted(byText),
      [
        ['busybox', 'shutdown'],
        ['busybox:2', 'running'],
      ],
    );
  });

  it('waits for the new task to serve, at most 10 s', () => {
    for (const order of ['start-first', 'stop-first'] as const) {
      const world = start({ order }, 2);
      world.updateImage('busybox:2');
      for (const task of world.tasks((candidate) => candidate.desiredState === 'shutdown')) world.report(task, 'shutdown');
      const [successor] = newTasks(world);
      assert.ok(successor);
      world.report(successor, 'running', { serving: false });
      world.advance(9_999);
      assert.equal(newTasks(world).length, 1, `${order}: the next slot waits`);
      assert.equal(world.tasks((task) => !isNew(task) && task.slot === 1 && task.desiredState === 'running').length, order === 'start-first' ? 1 : 0);
      world.advance(1);
      assert.equal(newTasks(world).length, 2, `${order}: after 10 s it goes on`);
      assert.equal(world.tasks((task) => !isNew(task) && task.slot === 1 && task.desiredState === 'running').length, 0);
    }
  });

  it('goes on as soon as the new task serves', () => {
    const world = start({ order: 'start-first' }, 2);
    world.updateImage('busybox:2');
    const [successor] = newTasks(world);
    assert.ok(successor);
    world.report(successor, 'running', { serving: false });
    world.advance(500);
    assert.equal(newTasks(world).length, 1);
    world.report(successor, 'running', { serving: true });
    assert.equal(newTasks(world).length, 2);
  });

  it('updates as many slots at once as parallelism says; zero means all', () => {
    for (const [parallelism, expected] of [
      [1, 1],
      [2, 2],
      [0, 5],
      [9, 5],
    ] as const) {
      const world = start({ parallelism }, 5);
      world.updateImage('busybox:2');
      assert.equal(newTasks(world).length, expected, `parallelism ${parallelism}`);
    }
  });

  it('waits for the delay after each slot', () => {
    const world = start({ delayNs: 30 * SECOND_NS }, 2);
    world.updateImage('busybox:2');
    world.obey();
    assert.equal(newTasks(world).length, 1);
    world.advance(29_999);
    assert.equal(newTasks(world).length, 1);
    world.advance(1);
    assert.equal(newTasks(world).length, 2);
  });

  it('is completed when the last new task was watched for the monitor period', () => {
    const world = start({ monitorNs: 7 * SECOND_NS }, 1);
    world.updateImage('busybox:2');
    world.obey();
    world.advance(6_999);
    assert.deepEqual(status(world), ['updating', 'update in progress']);
    world.advance(1);
    assert.deepEqual(status(world), ['completed', 'update completed']);
    assert.equal(world.service.updateStatus?.completedAt, world.now);
    world.restartManager();
  });

  it('leaves tasks alone when only labels, replicas or update settings change', () => {
    const world = start();
    world.update((spec) => ({ ...spec, labels: { a: 'b' }, update: { parallelism: 2 } }));
    assert.equal(world.service.updateStatus, undefined);
    assert.equal(world.tasks().length, 3);
  });

  it('leaves tasks alone whose nodes meet the new constraints, and moves the others', () => {
    const world = start({}, 2, { nodes: 2 });
    world.setNode(1, { labels: { zone: 'a' } });
    world.update((spec) => ({ ...spec, task: { ...spec.task, placement: { constraints: ['node.labels.zone==a'] } } }));
    assert.deepEqual(
      world.tasks((task) => task.desiredState === 'shutdown').map((task) => task.nodeId),
      ['node00002'],
    );
  });

  it('gives way to a newer spec in the middle', () => {
    const world = start({ order: 'start-first' }, 2);
    world.updateImage('busybox:2');
    world.updateImage('busybox:3');
    assert.deepEqual(
      world
        .live()
        .map((task) => [task.slot, imageOf(task)])
        .toSorted(byText),
      [
        [1, 'busybox'],
        [1, 'busybox:3'],
        [2, 'busybox'],
      ],
      'the half-done new task is dropped, the old one serves on',
    );
    world.obey();
    world.advance(60_000);
    assert.deepEqual(world.running().map(imageOf), ['busybox:3', 'busybox:3']);
    assert.equal(world.service.updateStatus?.state, 'completed');
  });

  it('keeps the parallelism when the service is scaled in the middle', () => {
    const world = start({}, 3);
    world.updateImage('busybox:2');
    world.scale(4);
    assert.equal(newTasks(world).length, 2, 'one that is updated and the new slot');
    assert.equal(newTasks(world).filter((task) => task.desiredState === 'ready').length, 1);
  });

  it('falls back to stop-first for a slot whose old task holds the host port', () => {
    const endpoint = { ports: [{ protocol: 'tcp', targetPort: 80, publishedPort: 8080, publishMode: 'host' }] } as const;
    const world = start({ order: 'start-first' }, 1, {}, { endpoint });
    world.updateImage('busybox:2');
    const [successor] = newTasks(world);
    assert.ok(successor);
    world.report(successor, 'pending', { error: 'no suitable node (host-mode port already in use on 1 node)' });
    assert.deepEqual(world.summary(), ['1 busybox running/shutdown', '1 busybox:2 pending/running']);
  });

  it('replaces tasks that ended for good, too', () => {
    const world = start(
      {},
      1,
      {},
      { task: { runtime: { kind: 'container', container: { image: 'busybox' } }, forceUpdate: 0, restart: { condition: 'none' } } },
    );
    const [task] = world.running();
    assert.ok(task);
    world.fail(task, 'complete');
    assert.equal(world.live().length, 0);
    world.updateImage('busybox:2');
    assert.equal(newTasks(world)[0]?.desiredState, 'running');
  });
});

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

describe('a rollback on request', () => {
  it('uses its own settings and ends as rollback completed', () => {
    const world = start({}, 3, {}, { rollback: { parallelism: 2 } });
    world.updateImage('busybox:2');
    for (let round = 0; round < 5; round++) {
      world.obey();
      world.advance(10_000);
    }
    assert.equal(world.service.updateStatus?.state, 'completed');
    world.rollback();
    assert.deepEqual(status(world), ['rollback_started', 'manually requested rollback']);
    assert.equal(world.live().filter((task) => imageOf(task) === 'busybox').length, 2);
    for (let round = 0; round < 5; round++) {
      world.obey();
      world.advance(10_000);
    }
    assert.deepEqual(status(world), ['rollback_completed', 'rollback completed']);
    assert.deepEqual(world.running().map(imageOf), ['busybox', 'busybox', 'busybox']);
  });

  it('is completed at once when no task is outdated', () => {
    const world = start();
    world.update((spec) => ({ ...spec, labels: { a: 'b' } }));
    world.rollback();
    assert.deepEqual(status(world), ['rollback_started', 'manually requested rollback']);
    world.advance(1);
    assert.deepEqual(status(world), ['rollback_completed', 'rollback completed']);
  });

  it('in the middle of a start-first update keeps the tasks that were not replaced yet', () => {
    const world = start({ order: 'start-first' }, 2);
    const before = world.running().map((task) => task.id);
    world.updateImage('busybox:2');
    world.rollback();
    world.obey();
    assert.deepEqual(
      world.running().map((task) => task.id),
      before,
    );
    world.advance(4_000);
    assert.deepEqual(status(world), ['rollback_started', 'manually requested rollback'], 'what was begun is watched');
    world.advance(1_001);
    assert.deepEqual(status(world), ['rollback_completed', 'rollback completed']);
  });

  it('fills slots again that ended for good', () => {
    const restart = { condition: 'none' } as const;
    const world = start({}, 1, {}, { task: { runtime: { kind: 'container', container: { image: 'busybox' } }, forceUpdate: 0, restart } });
    world.updateImage('busybox:2');
    world.obey();
    world.advance(10_000);
    const [task] = world.running();
    assert.ok(task);
    world.fail(task);
    assert.equal(world.live().length, 0);
    world.rollback();
    world.obey();
    assert.deepEqual(world.running().map(imageOf), ['busybox']);
    const [again] = world.running();
    assert.ok(again);
    world.advance(60_000);
    world.fail(again);
    assert.equal(world.live().length, 0, 'but not for ever');
  });
});
