import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { DEPENDS_ON_LABEL } from '#domain/depends-on.ts';
import type { ServiceMode, ServiceSpec } from '#domain/spec.ts';
import { isTerminal } from '#domain/task-state.ts';
import { waitsFor } from '#domain/waiting.ts';
import { imageOf, World } from './testing/world.ts';

/** One world with the services "db" and "web"; `on(name)` is the world that speaks of one of them. */
function worldOf(dependsOn: string, { db = {}, web = {} }: { readonly db?: Partial<ServiceSpec> | 'none'; readonly web?: Partial<ServiceSpec> } = {}) {
  const world = new World({ nodes: 2 });
  const on = (name: string) => {
    world.serviceId = name;
    return world;
  };
  const restart = { condition: 'any', delayNs: 0 } as const;
  const create = (name: string, labels: ServiceSpec['labels'], spec: Partial<ServiceSpec>) => {
    const { task, ...rest } = spec;
    const runtime = { kind: 'container', container: { image: 'v1' } } as const;
    on(name).create({ labels, task: { runtime, restart, forceUpdate: 0, ...task }, ...rest });
  };
  create('web', { [DEPENDS_ON_LABEL]: dependsOn }, web);
  if (db !== 'none') create('db', {}, db);
  const web1 = () => on('web').summary();
  const waits = () => waitsFor(world.swarm.view, on('web').service);
  return { world, on, web1, waits, createDb: (spec: Partial<ServiceSpec> = {}) => create('db', {}, spec) };
}

const oneShot = {
  task: { runtime: { kind: 'container', container: { image: 'v1' } }, restart: { condition: 'on-failure', delayNs: 0 }, forceUpdate: 0 },
} as const;

describe('a service that depends on another', () => {
  it('has its tasks prepared, and starts them when the other runs', () => {
    const { on, web1, waits } = worldOf('db:service_healthy');
    assert.deepEqual([web1(), waits()], [['1 v1 new/ready'], ['service db (service_healthy)']]);
    on('db').report(on('db').tasks()[0]!, 'starting');
    assert.deepEqual(web1(), ['1 v1 new/ready']);
    on('db').obey();
    assert.deepEqual([web1(), waits()], [['1 v1 new/running'], []]);
  });

  it('starts with `service_started` as soon as the other starts', () => {
    const { on, web1 } = worldOf('db');
    on('db').report(on('db').tasks()[0]!, 'starting');
    assert.deepEqual(web1(), ['1 v1 new/running']);
  });

  it('waits again when its own task ends while the other does not run', () => {
    const { on, web1 } = worldOf('db:service_healthy');
    on('db').obey();
    on('web').obey();
    on('db').fail(on('db').running()[0]!);
    on('web').fail(on('web').running()[0]!);
    assert.deepEqual(web1(), ['1 v1 failed/shutdown', '1 v1 new/ready']);
    on('db').obey();
    assert.deepEqual(web1(), ['1 v1 failed/shutdown', '1 v1 new/running']);
  });

  it('goes on running when the other one stops', () => {
    const { on, web1 } = worldOf('db:service_healthy');
    on('db').obey();
    on('web').obey();
    on('db').scale(0);
    on('db').obey();
    assert.deepEqual(web1(), ['1 v1 running/running']);
  });

  it('says that the other one does not exist, is scaled to 0, or failed for good', () => {
    const { on, waits, createDb } = worldOf('db:service_healthy', { db: 'none' });
    assert.deepEqual(waits(), ['service db (service_healthy), which does not exist']);
    createDb({ mode: { kind: 'replicated', replicas: 0 } });
    assert.deepEqual(waits(), ['service db (service_healthy), which is scaled to 0']);
    const failed = worldOf('db:service_completed_successfully', { db: { task: { ...oneShot.task, restart: { condition: 'none' } } } });
    failed.on('db').fail(failed.on('db').tasks()[0]!);
    assert.deepEqual(failed.waits(), ['service db (service_completed_successfully), whose tasks failed and are not restarted']);
    on('db').removeService();
    assert.deepEqual(waits(), ['service db (service_healthy), which does not exist']);
  });

  it('starts without an optional one that is not there or fails, and waits for one that is on its way', () => {
    assert.deepEqual(worldOf('db:service_healthy:optional', { db: 'none' }).web1(), ['1 v1 new/running']);
    const { on, web1 } = worldOf('db:service_healthy:optional');
    const late = worldOf('nobody:optional,db:service_completed_successfully:optional', { db: oneShot });
    // The optional one came after: what was started stays.
    assert.deepEqual([web1(), late.web1()], [['1 v1 new/running'], ['1 v1 new/running']]);
    on('web').scale(2);
    assert.deepEqual(web1(), ['1 v1 new/running', '2 v1 new/ready']);
    on('db').fail(on('db').tasks()[0]!);
    assert.deepEqual(web1(), ['1 v1 new/running', '2 v1 new/running']);
  });

  for (const [name, mode] of [
    ['a one-shot service', { kind: 'replicated', replicas: 2 }],
    ['a job', { kind: 'replicated-job', maxConcurrent: 1, totalCompletions: 2 }],
  ] as const satisfies readonly (readonly [string, ServiceMode])[]) {
    it(`waits until ${name} has completed, and anew after an update of it`, () => {
      const { on, web1 } = worldOf('db:service_completed_successfully', { db: { ...oneShot, mode } });
      const complete = () => {
        const [task] = on('db').tasks((one) => !isTerminal(one.status.state) && imageOf(one) === imageOf(on('db').tasks().at(-1)!));
        if (task) on('db').fail(task, 'complete');
      };
      complete();
      assert.deepEqual(web1(), ['1 v1 new/ready']);
      complete();
      assert.deepEqual(web1(), ['1 v1 new/running']);
      on('web').obey();
      on('db').updateImage('v2');
      on('web').updateImage('v2');
      assert.equal(on('web').service.updateStatus?.message, 'update in progress: waiting for service db (service_completed_successfully)');
      assert.deepEqual(web1(), ['1 v1 running/running'], 'the old task serves meanwhile');
      for (let round = 0; round < 4; round++) {
        on('db').advance(10_000);
        complete();
      }
      assert.deepEqual(web1(), ['1 v1 running/shutdown', '1 v2 new/ready']);
      on('web').obey();
      assert.deepEqual(on('web').running().map(imageOf), ['v2']);
    });
  }

  it('is updated after the other, whose old tasks do not count while it is updated', () => {
    const { on, web1 } = worldOf('db:service_healthy');
    on('db').obey();
    on('web').obey();
    on('db').updateImage('v2');
    on('web').updateImage('v2');
    assert.deepEqual(web1(), ['1 v1 running/running']);
    on('db').obey();
    on('web').obey();
    assert.deepEqual([on('web').running().map(imageOf), on('web').service.updateStatus?.message], [['v2'], 'update in progress']);
  });

  it('is updated although the other’s update is paused with its old tasks serving', () => {
    const { on } = worldOf('db:service_healthy', { db: { mode: { kind: 'replicated', replicas: 2 } } });
    on('db').obey();
    on('web').obey();
    on('db').updateImage('v2');
    on('db').obey({ start: () => false });
    on('db').fail(
      on('db')
        .live()
        .find((task) => imageOf(task) === 'v2')!,
    );
    assert.equal(on('db').service.updateStatus?.state, 'paused');
    on('web').updateImage('v2');
    on('web').obey();
    assert.deepEqual(on('web').running().map(imageOf), ['v2']);
  });

  it('with `restart` is restarted once after an update of the other, and not after its failures', () => {
    const { world, on } = worldOf('db:service_healthy:restart');
    const versions = () => on('web').service.spec.task.forceUpdate;
    const quiet = () => {
      for (const name of ['db', 'web', 'db', 'web']) {
        on(name).obey();
        world.advance(10_000);
      }
    };
    quiet();
    on('db').fail(on('db').running()[0]!);
    quiet();
    assert.equal(versions(), 0);
    world.advance(1_000);
    on('db').updateImage('v2');
    quiet();
    assert.equal(versions(), 1);
    quiet();
    world.restartManager();
    assert.equal(versions(), 1);
    assert.equal(on('web').running().length, 1);
    world.advance(1_000);
    on('db').update((spec) => ({ ...spec, task: { ...spec.task, forceUpdate: 1 } }));
    quiet();
    assert.equal(versions(), 2);
  });

  it('with `restart` keeps the spec that its user may go back to, and a restart that fails is paused instead of undone', () => {
    const update = { parallelism: 1, failureAction: 'rollback' } as const;
    const { world, on } = worldOf('db:service_healthy:restart', { web: { update } });
    const quiet = () => {
      for (const name of ['db', 'web', 'db', 'web']) {
        on(name).obey();
        world.advance(10_000);
      }
    };
    quiet();
    on('web').updateImage('v2');
    quiet();
    const { previousSpec, previousSpecVersion } = on('web').service;
    on('db').updateImage('v2');
    on('db').obey();
    world.advance(10_000);
    on('web').settle();
    assert.equal(on('web').service.spec.task.forceUpdate, 1);
    assert.deepEqual([on('web').service.previousSpec, on('web').service.previousSpecVersion], [previousSpec, previousSpecVersion]);
    for (const task of on('web').tasks((one) => one.desiredState === 'shutdown')) on('web').report(task, 'shutdown');
    on('web').fail(on('web').live()[0]!, 'rejected');
    assert.equal(on('web').service.updateStatus?.state, 'paused');
    on('web').rollback();
    quiet();
    assert.deepEqual(on('web').running().map(imageOf), ['v1']);
  });

  it('with `restart` is not restarted in the middle of its own update, so that a failure goes back to what was before that', () => {
    const update = { parallelism: 1, delayNs: 0, failureAction: 'rollback', monitorNs: 5e9, maxFailureRatio: 0, order: 'stop-first' } as const;
    const { world, on } = worldOf('db:service_healthy:restart', { web: { mode: { kind: 'replicated', replicas: 2 }, update } });
    on('db').obey();
    on('web').obey();
    on('web').updateImage('v2');
    const start = (image: string) =>
      on('web').report(
        on('web')
          .live()
          .find((task) => imageOf(task) === image && task.status.state !== 'running')!,
        'running',
      );
    for (const task of on('web').tasks((one) => one.desiredState === 'shutdown')) on('web').report(task, 'shutdown');
    start('v2');
    world.advance(1_000);
    on('db').updateImage('v2');
    on('db').obey();
    world.advance(10_000);
    on('db').obey();
    assert.equal(on('db').service.updateStatus?.state, 'completed');
    assert.deepEqual([on('web').service.spec.task.forceUpdate, on('web').service.updateStatus?.state], [0, 'updating']);
    for (const task of on('web').tasks((one) => one.desiredState === 'shutdown')) on('web').report(task, 'shutdown');
    on('web').fail(
      on('web')
        .live()
        .find((task) => imageOf(task) === 'v2' && task.status.state !== 'running')!,
    );
    assert.equal(on('web').service.updateStatus?.state, 'rollback_started');
    for (let round = 0; round < 4; round++) {
      on('web').obey();
      world.advance(10_000);
    }
    assert.deepEqual(on('web').running().map(imageOf), ['v1', 'v1']);
    assert.equal(on('web').service.spec.task.forceUpdate, 0, 'all of its tasks have begun since');
  });

  it('does not wait for one that waits for it', () => {
    const { on, web1 } = worldOf('db:service_healthy:restart');
    on('db').update((spec) => ({ ...spec, labels: { [DEPENDS_ON_LABEL]: 'cache:restart' } }));
    assert.deepEqual(web1(), ['1 v1 new/ready']);
    on('cache').create({ labels: { [DEPENDS_ON_LABEL]: 'web:service_healthy:restart' } });
    assert.deepEqual([web1(), on('db').summary(), on('cache').summary()], [['1 v1 new/running'], ['1 v1 new/running'], ['1 busybox new/running']]);
  });
});

type Step =
  | { readonly kind: 'move'; readonly service: number; readonly pick: number; readonly state: 'running' | 'failed' | 'complete' }
  | { readonly kind: 'scale' | 'update' | 'force'; readonly service: number; readonly to: number }
  | { readonly kind: 'remove'; readonly service: number }
  | { readonly kind: 'down' | 'up'; readonly node: number }
  | { readonly kind: 'advance' };

const services = ['a', 'b', 'c'] as const;
const service = fc.nat(services.length - 1);
const anyStep: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('move' as const),
      service,
      pick: fc.nat(9),
      state: fc.constantFrom('running', 'running', 'running', 'failed', 'complete'),
    }),
  },
  { weight: 3, arbitrary: fc.constant({ kind: 'advance' as const }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('scale' as const, 'update' as const, 'force' as const), service, to: fc.nat(3) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('remove' as const), service }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom('down' as const, 'up' as const), node: fc.constantFrom(1, 2) }) },
);
const anyLabel = fc.array(
  fc.tuple(
    fc.constantFrom(...services, 'd'),
    fc.constantFrom('service_started', 'service_healthy', 'service_completed_successfully'),
    fc.constantFrom('', ':optional', ':restart'),
  ),
  { maxLength: 2 },
);

describe('whatever happens to services that depend on each other', () => {
  it('none starts a task while it waits, and nothing that may start is held back', () => {
    fc.assert(
      fc.property(fc.array(anyLabel, { minLength: 3, maxLength: 3 }), fc.array(anyStep, { maxLength: 40 }), (labels, steps) => {
        const world = new World({ nodes: 2 });
        const { view } = world.swarm;
        // A decision is made on the view before it: what waits there may not start by it.
        const held = new Set<string>();
        const noteHeld = () => {
          held.clear();
          for (const task of view.list('task')) {
            const owner = view.get('service', task.serviceId ?? '');
            if (task.desiredState === 'ready' && owner !== undefined && waitsFor(view, owner).length > 0) held.add(task.id);
          }
        };
        world.swarm.onEvent(({ object }) => {
          const isStarted = object.kind === 'task' && (object.desiredState === 'running' || object.desiredState === 'complete');
          if (isStarted) assert.ok(!held.has(object.id), `${object.id} of ${object.serviceName} starts while its service waits`);
          noteHeld();
        });
        services.forEach((name, index) => {
          const text = (labels[index] ?? []).filter(([other]) => other !== name).map(([other, condition, how]) => `${other}:${condition}${how}`);
          world.serviceId = name;
          world.create({ labels: text.length === 0 ? {} : { [DEPENDS_ON_LABEL]: text.join(',') }, ...(index === 2 ? oneShot : {}) });
        });
        for (const step of steps) take(world, step);
        for (const index of [1, 2]) world.setNode(index, { state: 'ready' });
        // Longer than old tasks that never stop are waited for, twice.
        world.advance(300_000);
        world.restartManager();
        for (const task of view.list('task')) {
          const owner = view.get('service', task.serviceId ?? '');
          if (task.desiredState !== 'ready' || isTerminal(task.status.state) || owner === undefined) continue;
          assert.notEqual(waitsFor(view, owner).length, 0, `${task.id} of ${task.serviceName} is held back for nothing`);
        }
      }),
      { numRuns: 300 },
    );
  });
});

function take(world: World, step: Step): void {
  if ('node' in step) return world.setNode(step.node, { state: step.kind === 'up' ? 'ready' : 'down' });
  if (step.kind === 'advance') return world.advance(6_000);
  world.serviceId = services[step.service] ?? 'a';
  if (world.swarm.view.get('service', world.serviceId) === undefined) return undefined;
  switch (step.kind) {
    case 'remove':
      return world.removeService();
    case 'scale':
      return world.scale(step.to);
    case 'update':
      return world.updateImage(`v${step.to}`);
    case 'force':
      return world.update((spec) => ({ ...spec, task: { ...spec.task, forceUpdate: spec.task.forceUpdate + 1 } }));
    case 'move':
      return move(world, step);
  }
}

/** What an agent reports of one of the tasks, if its node is there. */
function move(world: World, { pick, state }: Extract<Step, { readonly kind: 'move' }>): void {
  const isReady = (index: number) => world.node(index).status.state === 'ready';
  const isReachable = (nodeId: string | undefined) => [1, 2].some((index) => isReady(index) && (nodeId === undefined || world.node(index).id === nodeId));
  const movable = world.tasks((task) => !isTerminal(task.status.state) && (task.desiredState !== 'ready' || state === 'failed'));
  const task = movable[pick % Math.max(1, movable.length)];
  if (task === undefined || !isReachable(task.nodeId) || state === task.status.state) return;
  world.report(task, task.desiredState === 'shutdown' || task.desiredState === 'remove' ? 'shutdown' : state);
}
