// Which services an event concerns.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { StoreEvent } from '#domain/view.ts';
import { createSwarm, makeNode, makeService, makeTask } from '../../test/lib/swarm.ts';
import { allKeys, keysOfEvent } from './keys.ts';

const global = makeService('everywhere', { spec: { ...makeService('everywhere').spec, mode: { kind: 'global' } } });
const swarm = createSwarm([
  makeNode(1),
  makeService('web'),
  global,
  makeTask('a', { serviceId: 'web', nodeId: 'node00001' }),
  makeTask('b', { serviceId: 'deleted', nodeId: 'node00001' }),
]);
const keys = (event: StoreEvent) => [...keysOfEvent(event, swarm.view)].toSorted((a, b) => (a < b ? -1 : 1));
const updated = (previous: StoreEvent['object'], object: StoreEvent['object']): StoreEvent => ({ action: 'update', previous, object });

describe('the keys of the orchestrator', () => {
  it('are, for a new leader, all services, also those of which only tasks are left', () => {
    assert.deepEqual(
      [...allKeys(swarm.view)].toSorted((a, b) => (a < b ? -1 : 1)),
      ['deleted', 'everywhere', 'web'],
    );
  });

  it('of a service are itself, also when it was deleted', () => {
    for (const action of ['create', 'remove'] as const) assert.deepEqual(keys({ action, object: makeService('web') }), ['web']);
  });

  it('of a node are the services with tasks there and the global ones', () => {
    const node = makeNode(1);
    assert.deepEqual(keys({ action: 'remove', object: node }), ['deleted', 'everywhere', 'web']);
    assert.deepEqual(keys(updated(node, { ...node, status: { ...node.status, state: 'down' } })), ['deleted', 'everywhere', 'web']);
    assert.deepEqual(keys(updated(node, { ...node, status: { ...node.status, message: 'still here' } })), [], 'news that decide nothing');
  });

  it('of a task are its service, unless it only makes progress on its way to running', () => {
    const task = makeTask('a', { nodeId: 'node00001' });
    const at = (state: 'assigned' | 'preparing' | 'running' | 'failed') => ({ ...task, status: { ...task.status, state } });
    assert.deepEqual(keys({ action: 'create', object: task }), ['web']);
    assert.deepEqual(keys(updated(at('assigned'), at('preparing'))), []);
    assert.deepEqual(keys(updated(at('preparing'), at('running'))), ['web']);
    assert.deepEqual(keys(updated(at('preparing'), at('failed'))), ['web']);
    assert.deepEqual(keys(updated(at('preparing'), { ...at('preparing'), desiredState: 'shutdown' })), ['web']);
    assert.deepEqual(keys(updated(at('assigned'), { ...at('assigned'), rejection: 'because' })), ['web']);
    assert.deepEqual(keys(updated(task, { ...task, status: { ...task.status, error: 'no suitable node' } })), ['web'], 'a task in its way may be told');
  });
});
