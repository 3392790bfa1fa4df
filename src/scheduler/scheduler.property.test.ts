// Random swarms and histories: the scheduler never gives away what a node does not have, keeps to constraints and limits, spreads evenly, decides the
// same on the same view, and its index is always what a new one would be.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { matchesConstraints, parseConstraints } from '#domain/constraint.ts';
import type { Node, Task } from '#domain/objects.ts';
import type { TaskSpec } from '#domain/spec.ts';
import { createSwarm, makeNode, makeTask } from '../../test/lib/swarm.ts';
import { type ClusterIndex, createClusterIndex, isActive, isOnNode, isWaiting } from './cluster-index.ts';
import { hostPortsOf } from './requirements.ts';
import { createScheduler } from './scheduler.ts';

const CPU = 1_000_000_000;

const nodes = fc.array(
  fc.record({
    cpus: fc.integer({ min: 1, max: 4 }),
    gpus: fc.integer({ min: 0, max: 2 }),
    zone: fc.constantFrom('a', 'b', ''),
    availability: fc.constantFrom('active' as const, 'active' as const, 'pause' as const, 'drain' as const),
    state: fc.constantFrom('ready' as const, 'ready' as const, 'ready' as const, 'down' as const),
  }),
  { minLength: 1, maxLength: 6 },
);

const services = fc.array(
  fc.record({
    tasks: fc.integer({ min: 1, max: 8 }),
    cpus: fc.integer({ min: 0, max: 2 }),
    gpus: fc.integer({ min: 0, max: 1 }),
    port: fc.boolean(),
    maxReplicas: fc.integer({ min: 0, max: 2 }),
    constraint: fc.constantFrom(undefined, 'node.labels.zone==a', 'node.labels.zone!=b'),
    spread: fc.boolean(),
    preassigned: fc.nat(5).map((n) => n === 0),
  }),
  { minLength: 1, maxLength: 5 },
);

type NodeShape = (typeof nodes extends fc.Arbitrary<(infer T)[]> ? T : never) & object;
type ServiceShape = (typeof services extends fc.Arbitrary<(infer T)[]> ? T : never) & object;

function nodeOf(index: number, { cpus, gpus, zone, availability, state }: NodeShape): Node {
  const node = makeNode(index);
  const generic = Array.from({ length: gpus }, (_, unit) => ({ kind: 'named', name: 'gpu', value: `${index}-${unit}` }) as const);
  return {
    ...node,
    spec: { labels: zone === '' ? {} : { zone }, role: 'worker', availability },
    status: { state, address: '10.1.0.1' },
    description: { ...(node.description as Node['description'] & object), resources: { nanoCpus: cpus * CPU, memoryBytes: 2 ** 33, generic } },
  };
}

function tasksOf(index: number, shape: ServiceShape, nodeIds: readonly string[]): Task[] {
  const spec: TaskSpec = {
    runtime: { kind: 'container', container: { image: 'busybox' } },
    forceUpdate: 0,
    resources: { reservations: { nanoCpus: shape.cpus * CPU, generic: shape.gpus === 0 ? [] : [{ kind: 'discrete', name: 'gpu', value: shape.gpus }] } },
    placement: {
      constraints: shape.constraint === undefined ? [] : [shape.constraint],
      maxReplicas: shape.maxReplicas,
      preferences: shape.spread ? [{ spread: 'node.labels.zone' }] : [],
    },
  };
  const ports = shape.port ? [{ protocol: 'tcp', targetPort: 80, publishedPort: 8080, publishMode: 'host' } as const] : [];
  return Array.from({ length: shape.tasks }, (_, slot) =>
    makeTask(`s${index}-${slot}`, {
      serviceId: `s${index}`,
      slot,
      spec,
      endpoint: { ports },
      ...(shape.preassigned ? { nodeId: nodeIds[slot % nodeIds.length] ?? '' } : {}),
    }),
  );
}

/** The index as plain data, so that two can be compared. */
function contents(index: ClusterIndex): unknown {
  const plain = (value: unknown): unknown => {
    if (value instanceof Map) return [...value].map(([key, entry]) => [key, plain(entry)] as const).sort(([a], [b]) => (String(a) < String(b) ? -1 : 1));
    if (value instanceof Set) return [...value].sort((a, b) => (String(a) < String(b) ? -1 : 1));
    if (typeof value === 'object' && value !== null) return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, plain(entry)]));
    return typeof value === 'function' ? undefined : value;
  };
  return JSON.parse(JSON.stringify(plain(index)));
}

function assertNoneOvercommitted(swarm: ReturnType<typeof createSwarm>): void {
  for (const node of swarm.view.list('node')) {
    const tasks = [...swarm.view.tasksOfNode(node.id)].filter(isOnNode);
    const cpus = tasks.reduce((sum, task) => sum + (task.spec.resources?.reservations?.nanoCpus ?? 0), 0);
    assert.ok(cpus <= (node.description?.resources.nanoCpus ?? 0), `${node.id} has ${cpus}`);
    const units = tasks.flatMap((task) => (task.genericResources ?? []).map((resource) => resource.value));
    assert.equal(new Set(units).size, units.length, `a unit of ${node.id} was given twice`);
    const ports = tasks.flatMap(hostPortsOf);
    assert.equal(new Set(ports).size, ports.length, `a host port of ${node.id} was given twice`);
    for (const task of tasks) {
      assert.ok(matchesConstraints(parseConstraints(task.spec.placement?.constraints ?? []), node));
      const limit = task.spec.placement?.maxReplicas ?? 0;
      const alike = tasks.filter((other) => other.serviceId === task.serviceId && isActive(other)).length;
      assert.ok(limit === 0 || alike <= limit);
    }
  }
}

describe('scheduler, whatever happens', () => {
  it('never overcommits a node, keeps to constraints and limits, and tells everybody else why', () => {
    fc.assert(
      fc.property(
        nodes,
        services,
        fc.array(fc.nat(100), { maxLength: 12, size: 'max' }),
        fc.constantFrom(2, 2_000),
        (nodeShapes, serviceShapes, stops, maxChanges) => {
          const made = nodeShapes.map((shape, index) => nodeOf(index + 1, shape));
          const swarm = createSwarm([
            ...made,
            ...serviceShapes.flatMap((shape, index) =>
              tasksOf(
                index,
                shape,
                made.map(({ id }) => id),
              ),
            ),
          ]);
          const scheduler = createScheduler({ maxChanges });
          const mirror = createClusterIndex();
          const dirty = new Set(scheduler.allKeys(swarm.view));
          mirror.rebuild(swarm.view);
          swarm.onEvent((event, view) => {
            mirror.apply(event);
            for (const key of scheduler.keysOf(event, view)) dirty.add(key);
          });
          const settle = () => {
            for (let round = 0; dirty.size > 0; round++) {
              assert.ok(round < 1_000, 'the scheduler does not come to rest');
              const keys = new Set(dirty);
              dirty.clear();
              const { changes, postponed } = scheduler.decide(swarm.view, keys, 7);
              const fresh = createScheduler({ maxChanges }).decide(swarm.view, keys, 7);
              assert.equal(JSON.stringify(fresh.changes), JSON.stringify(changes), 'the same view gives the same bytes');
              for (const key of postponed) dirty.add(key);
              swarm.commit(changes, 'scheduler');
            }
            assertNoneOvercommitted(swarm);
            const rebuilt = createClusterIndex();
            rebuilt.rebuild(swarm.view);
            assert.deepEqual(contents(mirror), contents(rebuilt));
            for (const task of swarm.view.list('task')) assert.ok(!isWaiting(task) || task.status.error, `${task.id} waits and does not say why`);
          };
          settle();
          for (const stop of stops) {
            const tasks = [...swarm.view.list('task')];
            const task = tasks[stop % tasks.length];
            if (!task) continue;
            if (stop % 3 === 0) swarm.remove(task);
            else if (stop % 3 === 1) swarm.put({ ...task, desiredState: 'shutdown' });
            else swarm.put({ ...task, desiredState: 'shutdown', status: { state: 'failed', timestamp: 5, message: '' } });
            settle();
          }
          // A settled swarm is settled: looking at everything again finds nobody a place. (Reasons may have changed: nobody looks again only for that.)
          const { changes } = createScheduler().decide(swarm.view, new Set(createScheduler().allKeys(swarm.view)), 8);
          assert.deepEqual(
            changes.filter(({ object }) => object.kind === 'task' && object.nodeId !== undefined && object.status.state !== 'pending'),
            [],
          );
        },
      ),
      { numRuns: 200 },
    );
  });

  it('spreads the tasks of a service over equal nodes so that none has two more than another', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: 100 }), fc.integer({ min: 1, max: 50 }), (nodeCount, taskCount, maxChanges) => {
        const made = Array.from({ length: nodeCount }, (_, index) => makeNode(index + 1));
        const tasks = Array.from({ length: taskCount }, (_, index) => makeTask(`t${index}`, { slot: index + 1 }));
        const swarm = createSwarm([...made, ...tasks]);
        const scheduler = createScheduler({ maxChanges });
        for (let keys = new Set(scheduler.allKeys(swarm.view)); keys.size > 0; ) {
          const { changes, postponed } = scheduler.decide(swarm.view, keys, 1);
          swarm.commit(changes, 'scheduler');
          keys = new Set(postponed);
        }
        const counts = made.map(({ id }) => [...swarm.view.tasksOfNode(id)].length);
        assert.equal(
          counts.reduce((sum, count) => sum + count, 0),
          taskCount,
        );
        assert.ok(Math.max(...counts) - Math.min(...counts) <= 1);
      }),
      { numRuns: 100 },
    );
  });

  it('sends each of many small services to the least loaded node that takes it, the first id among equals', () => {
    const loads = fc.array(fc.nat(3), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(loads, fc.array(fc.integer({ min: 0, max: 2 }), { maxLength: 30, size: 'max' }), (existing, wishes) => {
        const made = existing.map((_, index) => makeNode(index + 1));
        const running = existing.flatMap((count, index) =>
          Array.from({ length: count }, (_, slot) =>
            makeTask(`r${index}-${slot}`, {
              serviceId: `r${index}`,
              nodeId: made[index]?.id ?? '',
              status: { state: 'running', timestamp: 1, message: '' },
            }),
          ),
        );
        // Named so that the order of the groups is the order of the wishes.
        const wanted = wishes.map((cpus, index) => {
          const id = `w${String(index).padStart(3, '0')}`;
          const spec: TaskSpec = {
            runtime: { kind: 'container', container: { image: 'i' } },
            forceUpdate: 0,
            resources: { reservations: { nanoCpus: cpus * CPU } },
          };
          return makeTask(id, { serviceId: id, spec });
        });
        const swarm = createSwarm([...made, ...running, ...wanted]);
        const scheduler = createScheduler();
        swarm.commit(scheduler.decide(swarm.view, new Set(scheduler.allKeys(swarm.view)), 1).changes, 'scheduler');
        const state = existing.map((tasks) => ({ tasks, free: 4 }));
        for (const [index, cpus] of wishes.entries()) {
          const fits = state.filter(({ free }) => free >= cpus);
          const best = fits.find(({ tasks }) => tasks === Math.min(...fits.map((node) => node.tasks)));
          const expected = best && made[state.indexOf(best)]?.id;
          assert.equal(swarm.view.get('task', wanted[index]?.id ?? '')?.nodeId, expected);
          if (best) [best.tasks, best.free] = [best.tasks + 1, best.free - cpus];
        }
      }),
      { numRuns: 200 },
    );
  });
});
