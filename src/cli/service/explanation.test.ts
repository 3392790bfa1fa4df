import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Node } from '#docker-api/node.ts';
import type { Service } from '#docker-api/service.ts';
import type { Task } from '#docker-api/task.ts';
import { sentences } from './explanation.ts';

const service = { ID: 's1', Spec: { Name: 'web', Mode: { Replicated: { Replicas: 3 } } } } as Service;
const nodes = ['one', 'two'].map((name) => ({ ID: `id-${name}`, Description: { Hostname: name } }) as unknown as Node);

function task(slot: number, state: string, { error = '', node = '', second = 0 }: { error?: string; node?: string; second?: number } = {}): Task {
  const createdAt = new Date(second * 1000).toISOString();
  const ended = state === 'failed' || state === 'rejected';
  return {
    ID: `t${slot}${second}`,
    Slot: slot,
    NodeID: node,
    CreatedAt: createdAt,
    DesiredState: ended ? 'running' : 'ready',
    Status: { State: state, Err: error },
  } as Task;
}

function explained(tasks: readonly Task[]): readonly string[] {
  return sentences(service, tasks, { converged: false, progress: '0 out of 3 tasks', nodes }).slice(1);
}

test('a failure is said once, with the node that had it and what can be done', () => {
  assert.deepEqual(explained([task(1, 'rejected', { error: 'No such image: web:2', node: 'id-two' })]), [
    '  web.1: its last task rejected on two: No such image: web:2. each node pulls for itself: push the image to a registry that it reaches, or load it there (`docker load`)',
  ]);
  assert.deepEqual(explained([task(1, 'failed', { error: 'task: non-zero exit (3)', node: 'id-one', second: 1 }), task(1, 'ready', { second: 2 })]), [
    '  web.1: is ready and waits for its turn (a restart delay, or the end of the task before it)',
    '  web.1: its last task failed on one: task: non-zero exit (3). see `service logs web`',
  ]);
});

test('tasks with the same reason are one line', () => {
  const full = { error: 'no suitable node (insufficient resources on 2 nodes)' };
  assert.deepEqual(explained([task(1, 'pending', full), task(2, 'pending', full)]), [
    '  web.1, web.2: is pending: no suitable node (insufficient resources on 2 nodes). lower --reserve-cpu or --reserve-memory, or add nodes',
  ]);
});

test('what became of an update is said once', () => {
  const said = (state: string, message: string) =>
    sentences({ ...service, UpdateStatus: { State: state, Message: message } } as Service, [], { converged: true, progress: '3 out of 3 tasks', nodes })[0];
  assert.equal(said('rollback_completed', 'rollback completed'), 'web: the last update is rollback completed.');
  assert.equal(said('paused', 'update paused due to failure'), 'web: the last update is paused: update paused due to failure.');
});
