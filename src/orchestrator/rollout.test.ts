// Rolling updates and rollbacks: order, parallelism, delay, monitoring, and the words users see.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isNew, newTasks, SECOND_NS, start, status } from './testing/rollout.ts';
import { byText, imageOf } from './testing/world.ts';

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
