// Properties that hold for every history of users' wishes, nodes and task outcomes. A tiny executor model drives the decisions; fast-check prints
// the seed of a failing history and shrinks it.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import type { Task } from '#domain/objects.ts';
import type { RestartPolicy, ServiceMode, UpdateConfig } from '#domain/spec.ts';
import { isTerminal, taskStateRank } from '#domain/task-state.ts';
import { imageOf, World } from './testing/world.ts';

const SECOND_NS = 1_000_000_000;
const NODES = 3;

type Step =
  | { readonly kind: 'advance'; readonly seconds: number }
  | { readonly kind: 'progress'; readonly pick: number; readonly outcome: 'on' | 'fail' | 'complete' | 'unready' }
  | { readonly kind: 'image'; readonly version: number }
  | { readonly kind: 'scale'; readonly replicas: number }
  | { readonly kind: 'rollback' }
  | { readonly kind: 'node'; readonly index: number; readonly availability: 'active' | 'pause' | 'drain'; readonly state: 'ready' | 'down' };

const steps: fc.Arbitrary<readonly Step[]> = fc.array(
  fc.oneof(
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('advance' as const), seconds: fc.constantFrom(1, 4, 5, 11, 70) }) },
    {
      weight: 12,
      arbitrary: fc.record({
        kind: fc.constant('progress' as const),
        pick: fc.nat(50),
        outcome: fc.oneof(
          { weight: 6, arbitrary: fc.constant('on' as const) },
          { weight: 1, arbitrary: fc.constantFrom('fail' as const, 'complete' as const, 'unready' as const) },
        ),
      }),
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('image' as const), version: fc.integer({ min: 1, max: 3 }) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('scale' as const), replicas: fc.nat(5) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('rollback' as const) }) },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: fc.constant('node' as const),
        index: fc.integer({ min: 1, max: NODES }),
        availability: fc.constantFrom('active' as const, 'active' as const, 'pause' as const, 'drain' as const),
        state: fc.constantFrom('ready' as const, 'ready' as const, 'down' as const),
      }),
    },
  ),
  { maxLength: 60 },
);

const restartPolicies: fc.Arbitrary<RestartPolicy> = fc.record(
  {
    condition: fc.constantFrom('any' as const, 'any' as const, 'on-failure' as const, 'none' as const),
    delayNs: fc.constantFrom(0, SECOND_NS, 5 * SECOND_NS),
    maxAttempts: fc.constantFrom(0, 0, 1, 3),
    windowNs: fc.constantFrom(0, 10 * SECOND_NS),
  },
  { requiredKeys: [] },
);

const updateConfigs: fc.Arbitrary<UpdateConfig> = fc.record({
  parallelism: fc.constantFrom(0, 1, 1, 2),
  delayNs: fc.constantFrom(0, 2 * SECOND_NS),
  failureAction: fc.constantFrom('pause' as const, 'continue' as const, 'rollback' as const),
  maxFailureRatio: fc.constantFrom(0, 0.5),
  order: fc.constantFrom('stop-first' as const, 'start-first' as const),
});

const modes: fc.Arbitrary<ServiceMode> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('replicated' as const), replicas: fc.nat(4) }) },
  { weight: 2, arbitrary: fc.constant({ kind: 'global' as const }) },
  {
    weight: 1,
    arbitrary: fc
      .record({ maxConcurrent: fc.integer({ min: 1, max: 3 }), totalCompletions: fc.integer({ min: 1, max: 4 }) })
      .map((job) => ({ kind: 'replicated-job' as const, ...job })),
  },
  { weight: 1, arbitrary: fc.constant({ kind: 'global-job' as const }) },
);

const histories = fc.record({
  mode: modes,
  restart: restartPolicies,
  update: updateConfigs,
  rollback: updateConfigs,
  historyLimit: fc.constantFrom(0, 1, 5, -1),
  steps,
});
type History = typeof histories extends fc.Arbitrary<infer T> ? T : never;

function begin({ mode, restart, update, rollback, historyLimit }: History): World {
  const world = new World({ nodes: NODES, historyLimit });
  world.create({ mode, update, rollback, task: { runtime: { kind: 'container', container: { image: 'busybox:1' } }, forceUpdate: 0, restart } });
  return world;
}

function apply(world: World, step: Step): void {
  switch (step.kind) {
    case 'advance':
      return world.advance(step.seconds * 1_000);
    case 'progress':
      return progress(world, step.pick, step.outcome);
    case 'image':
      return world.updateImage(`busybox:${step.version}`);
    case 'scale':
      if (world.service.spec.mode.kind === 'replicated') world.scale(step.replicas);
      return;
    case 'rollback':
      if (world.service.previousSpec !== undefined) world.rollback();
      return;
    case 'node':
      return world.setNode(step.index, step);
  }
}

const canPlace = (world: World) => [...world.swarm.view.list('node')].some((node) => node.status.state === 'ready' && node.spec.availability === 'active');
const stops = (task: Task) => taskStateRank[task.desiredState] >= taskStateRank.shutdown;

/** One task that can move does: towards what is asked of it, or it ends. */
function progress(world: World, pick: number, outcome: 'on' | 'fail' | 'complete' | 'unready'): void {
  const movable = world.tasks((task) => {
    const node = task.nodeId === undefined ? undefined : world.swarm.view.get('node', task.nodeId);
    if (isTerminal(task.status.state) || (node !== undefined && node.status.state !== 'ready')) return false;
    if (taskStateRank[task.status.state] < taskStateRank.assigned) return !stops(task) && (node !== undefined || canPlace(world));
    return true;
  });
  const task = movable[pick % Math.max(1, movable.length)];
  if (task === undefined) return;
  const { state } = task.status;
  if (taskStateRank[state] < taskStateRank.assigned) return world.report(task, 'assigned');
  if (stops(task)) return world.report(task, 'shutdown');
  if (outcome === 'fail') return world.report(task, state === 'running' ? 'failed' : 'rejected');
  if (state === 'assigned') return world.report(task, 'ready');
  if (task.desiredState === 'ready') return;
  if (state === 'ready') return world.report(task, 'running', outcome === 'unready' ? { serving: false } : {});
  if (outcome === 'complete' || task.desiredState === 'complete') return world.report(task, 'complete');
  if (task.status.serving === false) world.report(task, 'running', { serving: true });
}

function check(world: World, startsFirst: boolean): void {
  const running = new Map<string, number>();
  for (const task of world.tasks()) {
    const node = task.nodeId === undefined ? undefined : world.swarm.view.get('node', task.nodeId);
    const mayRun = taskStateRank[task.status.state] >= taskStateRank.assigned && !isTerminal(task.status.state) && task.status.state === 'running';
    if (mayRun && node?.status.state === 'ready') {
      const slot = `${task.slot ?? task.nodeId}`;
      running.set(slot, (running.get(slot) ?? 0) + 1);
    }
    const { maxAttempts = 0, windowNs = 0 } = task.spec.restart ?? {};
    if (maxAttempts > 0 && windowNs === 0) assert.ok((task.restart?.attempts ?? 0) <= maxAttempts, `attempt ${task.restart?.attempts} of ${maxAttempts}`);
    if (maxAttempts > 0 && windowNs > 0) assert.ok((task.restart?.restartedAt.length ?? 0) <= maxAttempts);
  }
  if (!startsFirst) for (const [slot, count] of running) assert.ok(count <= 1, `${count} tasks run in slot ${slot}`);
}

/** Slots in which an update goes on: the new task of the present spec is there and not ready, the updater made it, and nothing else is wrong with it. */
function updating(world: World): number {
  const { specVersion } = world.service;
  const slots = new Set<string>();
  for (const task of world.live()) {
    const isUnfinished = !isTerminal(task.status.state) && (task.status.state !== 'running' || task.status.serving === false);
    if (task.specVersion === specVersion && task.restart?.ofUpdate === true && isUnfinished) slots.add(`${task.slot ?? task.nodeId}`);
  }
  return slots.size;
}

/** An update fails after the service was scaled down: the spec that comes back wants more replicas than the one that failed. */
const rollbackToMoreReplicas: History = {
  mode: { kind: 'replicated', replicas: 2 },
  restart: {},
  update: { parallelism: 1, delayNs: 0, failureAction: 'rollback', maxFailureRatio: 0, order: 'stop-first' },
  rollback: { parallelism: 0, delayNs: 0, failureAction: 'pause', maxFailureRatio: 0, order: 'stop-first' },
  historyLimit: 0,
  steps: [
    { kind: 'progress', pick: 3, outcome: 'fail' },
    { kind: 'image', version: 2 },
    { kind: 'scale', replicas: 1 },
    { kind: 'progress', pick: 0, outcome: 'on' },
    { kind: 'progress', pick: 0, outcome: 'on' },
    { kind: 'progress', pick: 0, outcome: 'fail' },
  ],
};

/** A slot waits for its update while the task of the one before still has its place among those that are updated. */
const rollbackOfARollback: History = {
  mode: { kind: 'global' },
  restart: {},
  update: { parallelism: 1, delayNs: 0, failureAction: 'pause', maxFailureRatio: 0, order: 'stop-first' },
  rollback: { parallelism: 2, delayNs: 2 * SECOND_NS, failureAction: 'pause', maxFailureRatio: 0, order: 'stop-first' },
  historyLimit: -1,
  steps: [{ kind: 'image', version: 2 }, { kind: 'rollback' }, { kind: 'rollback' }],
};

describe('for every history, the orchestrator', () => {
  const parameters = { numRuns: 400, examples: [[rollbackToMoreReplicas], [rollbackOfARollback]] as [History][] };

  it('runs one task per slot unless told to start first, keeps to attempts, and never acts twice on the same', () => {
    fc.assert(
      fc.property(histories, (history) => {
        const world = begin(history);
        const startsFirst = history.update.order === 'start-first' || history.rollback.order === 'start-first';
        // Waiting for a task that does not stop ends after a minute: then two may run.
        let sinceStop = 0;
        for (const step of history.steps) {
          if (step.kind === 'advance' && step.seconds >= 60) sinceStop++;
          const nodeReturns = step.kind === 'node';
          apply(world, step);
          if (nodeReturns || sinceStop > 0) continue;
          check(world, startsFirst || history.steps.some((other) => other.kind === 'node'));
        }
        world.restartManager();
      }),
      parameters,
    );
  });

  it('updates no more slots at once than it may', () => {
    fc.assert(
      fc.property(histories, (history) => {
        // Scaling and nodes bring tasks that wait for another reason.
        const world = begin({ ...history, mode: { kind: 'replicated', replicas: 5 } });
        world.obey();
        for (const step of history.steps) {
          if (step.kind === 'scale' || step.kind === 'node') continue;
          apply(world, step);
          const { updateStatus } = world.service;
          const config = updateStatus?.state === 'rollback_started' ? history.rollback : history.update;
          // A roll-out that a new spec cut short leaves its tasks to the next one, which may allow fewer at once.
          const parallelism = Math.max(history.update.parallelism, history.rollback.parallelism);
          if (config.parallelism > 0 && history.update.parallelism > 0 && history.rollback.parallelism > 0)
            assert.ok(updating(world) <= parallelism, `${updating(world)} slots at once`);
        }
      }),
      parameters,
    );
  });

  it('converges when faults stop', () => {
    fc.assert(
      fc.property(histories, (history) => {
        const world = begin(history);
        for (const step of history.steps) apply(world, step);
        for (let index = 1; index <= NODES; index++) world.setNode(index, { availability: 'active', state: 'ready' });
        for (let round = 0; round < 80; round++) {
          world.obey();
          for (const task of world.running()) {
            if (task.desiredState === 'complete') world.fail(task, 'complete');
            else if (task.status.serving === false) world.report(task, 'running', { serving: true });
          }
          world.advance(30_000);
        }
        assert.equal(world.wakeUps.size, 0, 'nothing is left to wait for');
        assertConverged(world);
        world.restartManager();
      }),
      parameters,
    );
  });

  it('decides the same from the same', () => {
    fc.assert(
      fc.property(histories, (history) => {
        const runs = [1, 2].map(() => {
          const world = begin(history);
          for (const step of history.steps) apply(world, step);
          return JSON.stringify([...world.swarm.view.list('task'), world.service]);
        });
        assert.equal(runs[0], runs[1]);
      }),
      { numRuns: 50 },
    );
  });
});

function assertConverged(world: World): void {
  const { spec, updateStatus } = world.service;
  const image = spec.task.runtime.kind === 'container' ? spec.task.runtime.container.image : '';
  const restartsAlways = (spec.task.restart?.condition ?? 'any') === 'any' && (spec.task.restart?.maxAttempts ?? 0) === 0;
  assert.ok(updateStatus === undefined || !/^(updating|rollback_started)$/.test(updateStatus.state), `update is ${updateStatus?.state}`);
  for (const task of world.tasks()) {
    const isSettled = isTerminal(task.status.state) || task.status.state === 'running';
    assert.ok(isSettled || taskStateRank[task.status.state] < taskStateRank.assigned, `task ${task.id} is ${task.status.state}`);
  }
  const running = world.running();
  switch (spec.mode.kind) {
    case 'replicated':
      if (restartsAlways) assert.equal(running.length, spec.mode.replicas);
      assert.equal(new Set(running.map((task) => task.slot)).size, running.length, 'one task per slot');
      break;
    case 'global':
      if (restartsAlways) assert.equal(running.length, NODES);
      assert.equal(new Set(running.map((task) => task.nodeId)).size, running.length, 'one task per node');
      break;
    case 'replicated-job': {
      const completed = world.tasks((task) => task.status.state === 'complete' && task.jobIteration === world.service.job?.iteration);
      assert.ok(completed.length <= spec.mode.totalCompletions);
      if (restartsAlways) assert.equal(completed.length, spec.mode.totalCompletions);
      assert.equal(running.length, 0);
      break;
    }
    case 'global-job':
      if (restartsAlways)
        assert.equal(world.tasks((task) => task.status.state === 'complete' && task.jobIteration === world.service.job?.iteration).length, NODES);
      assert.equal(running.length, 0);
  }
  const isPaused = updateStatus?.state === 'paused' || updateStatus?.state === 'rollback_paused';
  if (restartsAlways && !isPaused) assert.deepEqual([...new Set(running.map(imageOf))], running.length === 0 ? [] : [image]);
}
