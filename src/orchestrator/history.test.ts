// The reaper and the constraint enforcer.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Task } from '#domain/objects.ts';
import type { Resources, TaskSpec } from '#domain/spec.ts';
import type { TaskState } from '#domain/task-state.ts';
import { makeTask } from '../../test/lib/swarm.ts';
import { World } from './testing/world.ts';

const container = { kind: 'container', container: { image: 'busybox' } } as const;

function failing(world: World, times: number): void {
  for (let time = 0; time < times; time++) {
    world.obey();
    for (const task of world.running()) world.fail(task);
    world.advance(5_000);
  }
}

function attachment(id: string, state: TaskState, fields: Partial<Task> = {}): Task {
  const { serviceId: _service, slot: _slot, ...task } = makeTask(id, { status: { state, timestamp: 1, message: '' }, nodeId: 'node00001', ...fields });
  return task;
}

function reserving(reservations: Resources): TaskSpec {
  return { runtime: container, forceUpdate: 0, resources: { reservations } };
}

describe('the reaper', () => {
  it('keeps the live task of a slot and the newest that are over, up to the limit', () => {
    const world = new World({ historyLimit: 3 });
    world.create({ mode: { kind: 'replicated', replicas: 2 } });
    failing(world, 6);
    for (const slot of [1, 2]) assert.equal(world.tasks((task) => task.slot === slot).length, 3);
    assert.equal(world.live().length, 2);
  });

  it('keeps everything when the limit is negative, and only the live task when it is zero', () => {
    const everything = new World({ historyLimit: -1 });
    everything.create();
    failing(everything, 8);
    assert.equal(everything.tasks().length, 9);
    const nothing = new World({ historyLimit: 0 });
    nothing.create();
    failing(nothing, 3);
    assert.deepEqual(nothing.summary(), ['1 busybox new/running']);
  });

  it('never deletes the newest task of a slot, so that a finished slot is not filled again', () => {
    const world = new World({ historyLimit: 0 });
    world.create({ task: { runtime: container, forceUpdate: 0, restart: { condition: 'none' } } });
    failing(world, 3);
    assert.deepEqual(world.summary(), ['1 busybox failed/shutdown']);
  });

  it('forgets first what ended first, also where an older task served longer', () => {
    const world = new World({ historyLimit: 3 });
    world.create({ update: { parallelism: 1, order: 'start-first' } });
    world.obey();
    const [old] = world.running();
    world.updateImage('busybox:2');
    for (let time = 0; time < 3; time++) {
      const successor = world.live().find(({ id }) => id !== old?.id);
      assert.ok(successor);
      world.advance(5_000);
      world.fail(successor, 'rejected');
    }
    world.obey();
    world.advance(5_000);
    world.obey();
    assert.deepEqual(world.summary(), ['1 busybox shutdown/shutdown', '1 busybox:2 rejected/shutdown', '1 busybox:2 running/running']);
  });

  it('keeps one task more than the policy allows restarts', () => {
    const world = new World();
    world.create({ task: { runtime: container, forceUpdate: 0, restart: { maxAttempts: 7 } } });
    failing(world, 20);
    assert.equal(world.tasks().length, 8);
  });

  it('never deletes a task that a node may still run', () => {
    const world = new World({ historyLimit: 1, nodes: 2 });
    world.create();
    world.obey();
    world.setNode(1, { state: 'down' });
    world.obey({ start: () => false });
    assert.deepEqual(world.summary(), ['1 busybox running/shutdown', '1 busybox new/running']);
  });

  it('follows the limit when it changes', () => {
    const world = new World({ historyLimit: 5 });
    world.create();
    failing(world, 6);
    assert.equal(world.tasks().length, 5);
    const [cluster] = world.swarm.view.list('cluster');
    assert.ok(cluster);
    world.swarm.put({ ...cluster, spec: { ...cluster.spec, orchestration: { taskHistoryRetentionLimit: 2 } } });
    world.settle();
    assert.equal(world.tasks().length, 2);
  });

  it('deletes tasks without a service when they are orphaned, or were to be removed and have stopped', () => {
    const world = new World();
    world.swarm.put(
      attachment('a', 'orphaned'),
      attachment('b', 'running', { desiredState: 'remove' }),
      attachment('c', 'shutdown', { desiredState: 'remove' }),
      attachment('d', 'running'),
    );
    world.settle();
    assert.deepEqual(
      [...world.swarm.view.list('task')].map((task) => task.id),
      ['b', 'd'],
    );
  });
});

describe('the constraint enforcer', () => {
  const onSsd = { runtime: container, forceUpdate: 0, placement: { constraints: ['node.labels.disk==ssd'] } } as const;

  it('rejects tasks whose node no longer meets their constraints, and the policy replaces them', () => {
    const world = new World();
    world.setNode(1, { labels: { disk: 'ssd' } });
    world.create({ task: onSsd });
    world.obey();
    world.setNode(1, { labels: { disk: 'hdd' } });
    assert.deepEqual(world.summary(), ['1 busybox running/shutdown', '1 busybox new/ready'], 'it holds on to its addresses and ports until it has stopped');
    world.obey({ start: () => false });
    assert.deepEqual(world.summary(), ['1 busybox rejected/shutdown', '1 busybox new/running']);
    const [task] = world.tasks((candidate) => candidate.status.state === 'rejected');
    assert.equal(task?.status.message, 'task rejected by constraint enforcer');
    assert.equal(task?.status.error, 'assigned node no longer meets constraints');
  });

  it('leaves paused nodes and tasks without a node alone', () => {
    const world = new World();
    world.setNode(1, { labels: { disk: 'ssd' } });
    world.create({ task: onSsd, mode: { kind: 'replicated', replicas: 2 } });
    const [first] = world.tasks();
    assert.ok(first);
    world.report(first, 'running');
    world.setNode(1, { availability: 'pause', labels: {} });
    assert.deepEqual(world.summary(), ['1 busybox running/running', '2 busybox new/running']);
  });

  it('holds a task to the new constraints of its service when it is still up to date', () => {
    const world = new World();
    world.setNode(1, { labels: { disk: 'ssd', zone: 'a' } });
    world.create({ task: onSsd });
    world.obey();
    world.update((spec) => ({ ...spec, task: { ...spec.task, placement: { constraints: ['node.labels.zone==a'] } } }));
    world.setNode(1, { labels: { zone: 'a' } });
    assert.deepEqual(world.summary(), ['1 busybox running/running'], 'the old constraint is void');
  });

  it('rejects the youngest tasks when a node has less than they reserve', () => {
    const world = new World();
    world.create({ task: reserving({ memoryBytes: 1_000 }), mode: { kind: 'replicated', replicas: 2 } });
    world.obey();
    const shrink = (resources: Resources) => {
      const node = world.node(1);
      assert.ok(node.description);
      world.swarm.put({ ...node, description: { ...node.description, resources } });
      world.settle();
    };
    shrink({ nanoCpus: 1, memoryBytes: 2_000 });
    assert.equal(world.running().length, 2);
    shrink({ nanoCpus: 1, memoryBytes: 1_999 });
    world.obey({ start: () => false });
    assert.deepEqual(
      world.running().map((task) => task.slot),
      [1],
    );
  });
});
