// The restart policy: conditions, delays, attempts, windows. All of it from what is in the store.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { RestartPolicy, TaskSpec } from '#domain/spec.ts';
import { World, type WorldOptions } from './testing/world.ts';

const SECOND_NS = 1_000_000_000;

function start(restart: RestartPolicy, options: WorldOptions = {}, task: Partial<TaskSpec> = {}): World {
  const world = new World(options);
  const spec: TaskSpec = { runtime: { kind: 'container', container: { image: 'busybox' } }, forceUpdate: 0, restart, ...task };
  world.create({ task: spec });
  world.obey();
  return world;
}

/** Lets the running task end, `times` times, each time as soon as the next one runs. */
function failOver(world: World, times: number, stepMs = 10_000): void {
  for (let time = 0; time < times; time++) {
    const [task] = world.running();
    if (task === undefined) return;
    world.fail(task);
    world.advance(stepMs);
    world.obey();
  }
}

describe('restart policy', () => {
  it('prepares a replacement at once and starts it after the delay of 5 s', () => {
    const world = start({});
    const [task] = world.running();
    assert.ok(task);
    world.fail(task);
    assert.deepEqual(world.summary(), ['1 busybox failed/shutdown', '1 busybox new/ready']);
    world.advance(4_999);
    assert.deepEqual(world.summary(), ['1 busybox failed/shutdown', '1 busybox new/ready']);
    world.advance(1);
    assert.deepEqual(world.summary(), ['1 busybox failed/shutdown', '1 busybox new/running']);
  });

  it('does not wait for a time that a clock wrote which has been set back since', () => {
    const world = start({});
    const [task] = world.running();
    assert.ok(task);
    world.fail(task);
    world.setClock(-3_600_000);
    assert.deepEqual(world.summary(), ['1 busybox failed/shutdown', '1 busybox new/running']);
  });

  it('starts the replacement at once when the delay is zero', () => {
    const world = start({ delayNs: 0 });
    const [task] = world.running();
    assert.ok(task);
    world.fail(task);
    assert.deepEqual(world.summary(), ['1 busybox failed/shutdown', '1 busybox new/running']);
  });

  for (const [condition, end, restarts] of [
    ['any', 'complete', true],
    ['any', 'failed', true],
    ['any', 'rejected', true],
    ['on-failure', 'complete', false],
    ['on-failure', 'failed', true],
    ['on-failure', 'rejected', true],
    ['none', 'complete', false],
    ['none', 'failed', false],
    ['none', 'rejected', false],
  ] as const) {
    it(`${condition}: a task that is ${end} is ${restarts ? '' : 'not '}replaced`, () => {
      const world = start({ condition });
      const [task] = world.running();
      assert.ok(task);
      world.fail(task, end);
      assert.equal(world.live().length, restarts ? 1 : 0);
      world.advance(60_000);
      world.restartManager();
      assert.equal(world.tasks().length, restarts ? 2 : 1, 'a finished slot is not filled again');
    });
  }

  it('replaces a task that could not be prepared only when its own delay is over', () => {
    const world = start({});
    const [first] = world.running();
    assert.ok(first);
    world.fail(first);
    const [second] = world.live();
    assert.ok(second);
    world.advance(1_000);
    world.fail(second, 'rejected');
    assert.deepEqual(world.summary(), ['1 busybox failed/shutdown', '1 busybox rejected/ready']);
    world.advance(4_000);
    assert.deepEqual(world.summary(), ['1 busybox failed/shutdown', '1 busybox rejected/shutdown', '1 busybox new/ready']);
    world.advance(5_000);
    assert.deepEqual(
      world.live().map((task) => task.desiredState),
      ['running'],
    );
  });

  it('gives up after the allowed attempts, also when another leader decides', () => {
    const world = start({ maxAttempts: 2 });
    failOver(world, 10);
    world.restartManager();
    assert.deepEqual(world.summary(), ['1 busybox failed/shutdown', '1 busybox failed/shutdown', '1 busybox failed/shutdown']);
    assert.deepEqual(world.wakeUps, new Map());
  });

  it('counts only the attempts within the window', () => {
    const slow = start({ maxAttempts: 2, windowNs: 15 * SECOND_NS });
    failOver(slow, 6);
    assert.equal(slow.running().length, 1, 'every 10 s there are at most 2 in 15 s');
    const fast = start({ maxAttempts: 2, windowNs: 60 * SECOND_NS });
    failOver(fast, 6);
    assert.equal(fast.running().length, 0);
    fast.advance(3_600_000);
    fast.restartManager();
    assert.equal(fast.tasks().length, 3, 'a slot that was given up stays so');
  });

  it('begins to count anew with a new spec', () => {
    const world = start({ maxAttempts: 1 });
    failOver(world, 5);
    assert.equal(world.live().length, 0);
    world.updateImage('busybox:2');
    world.obey();
    assert.equal(world.running().length, 1);
    failOver(world, 1);
    assert.equal(world.running().length, 1, 'one attempt is free again');
  });

  it('waits for a task that is asked to stop, at most a minute', () => {
    const world = start({}, { nodes: 2 });
    world.setNode(1, { availability: 'drain' });
    assert.deepEqual(
      world.live().map((task) => task.desiredState),
      ['ready'],
    );
    world.advance(59_999);
    assert.deepEqual(
      world.live().map((task) => task.desiredState),
      ['ready'],
    );
    world.advance(1);
    assert.deepEqual(
      world.live().map((task) => task.desiredState),
      ['running'],
    );
  });

  it('waits longer for a task with a long grace period', () => {
    const container = { image: 'busybox', stopGracePeriodNs: 120 * SECOND_NS };
    const world = start({}, { nodes: 2 }, { runtime: { kind: 'container', container } });
    world.setNode(1, { availability: 'drain' });
    world.advance(149_999);
    assert.deepEqual(
      world.live().map((task) => task.desiredState),
      ['ready'],
    );
    world.advance(1);
    assert.deepEqual(
      world.live().map((task) => task.desiredState),
      ['running'],
    );
  });

  it('stops waiting when the node of the old task goes down', () => {
    const world = start({}, { nodes: 2 });
    world.setNode(1, { availability: 'drain' });
    world.setNode(1, { state: 'down' });
    assert.deepEqual(
      world.live().map((task) => task.desiredState),
      ['running'],
    );
  });

  it('is not misled by an agent whose clock is an hour ahead or behind', () => {
    for (const skewMs of [-3_600_000, 3_600_000]) {
      const world = start({ maxAttempts: 2, windowNs: 60 * SECOND_NS });
      for (let time = 0; time < 6; time++) {
        const [task] = world.running();
        if (task === undefined) break;
        world.report(task, 'failed', { timestamp: world.now + skewMs });
        world.advance(5_000);
        world.obey();
      }
      assert.equal(world.tasks().length, 3, `skew ${skewMs}`);
    }
  });
});
