import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { StoreEvent } from '#domain/view.ts';
import { AssertionError } from '#lib/assert.ts';
import { present } from '#lib/assert.ts';
import { AppError } from '#lib/errors.ts';
import type { ObjectKey } from './backend.ts';
import { createStore } from './create-store.ts';
import { makeService, makeTask } from './fixtures.ts';
import { createMemoryBackend } from './memory.ts';
import type { Store } from './store.ts';

let time = 1_000;
const clock = { now: () => ++time };
const openStore = (objects: Parameters<typeof createMemoryBackend>[0] = []): Promise<Store> => createStore({ backend: createMemoryBackend(objects), clock });

test('a commit is in the view when it resolves, with its revision as version and with times', async () => {
  const store = await openStore();
  const revision = await store.commit('control', [{ action: 'create', object: makeService('a') }]);
  const service = present(store.view.get('service', 'a'), 'service');
  assert.equal(service.version, revision);
  assert.equal(store.view.revision, revision);
  assert.ok(service.createdAt > 0 && service.updatedAt === service.createdAt);
  const next = await store.commit('control', [{ action: 'update', object: { ...service, spec: { ...service.spec, labels: { a: 'b' } } } }]);
  assert.ok(next > revision);
  assert.equal(store.view.get('service', 'a')?.createdAt, service.createdAt);
  assert.ok((store.view.get('service', 'a')?.updatedAt ?? 0) > service.updatedAt);
});

test('nothing was changed before it was made, also when its creator names a time that is yet to come', async () => {
  const store = await openStore();
  await store.commit('orchestrator', [{ action: 'create', object: { ...makeTask('t'), createdAt: time + 1_000 } }]);
  const task = present(store.view.get('task', 't'), 'task');
  assert.equal(task.updatedAt, task.createdAt);
});

test('an update of an object that changed meanwhile is a conflict and changes nothing', async () => {
  const store = await openStore([makeService('a'), makeService('b')]);
  const stale = present(store.view.get('service', 'a'), 'service');
  await store.commit('control', [{ action: 'update', object: { ...stale, specVersion: 7 } }]);
  const b = present(store.view.get('service', 'b'), 'service');
  await assert.rejects(
    store.commit('control', [
      { action: 'update', object: { ...b, specVersion: 9 } },
      { action: 'update', object: { ...stale, specVersion: 8 } },
    ]),
    (error) => error instanceof AppError && error.code === 'conflict',
  );
  assert.equal(store.view.get('service', 'a')?.specVersion, 7);
  assert.equal(store.view.get('service', 'b')?.specVersion, 0);
});

test('a duplicate name is refused in Docker’s words, whatever its case, also among commits under way', async () => {
  const store = await openStore();
  const results = await Promise.allSettled([
    store.commit('control', [{ action: 'create', object: makeService('a', { name: 'web' }) }]),
    store.commit('control', [{ action: 'create', object: makeService('b', { name: 'WEB' }) }]),
  ]);
  assert.deepEqual(
    results.map((result) => result.status),
    ['fulfilled', 'rejected'],
  );
  const [, second] = results;
  assert.ok(second?.status === 'rejected' && second.reason instanceof AppError);
  assert.equal(second.reason.code, 'alreadyExists');
  assert.equal(second.reason.message, 'rpc error: code = AlreadyExists desc = name conflicts with an existing object: service web already exists');
  assert.equal(store.view.findByName('service', 'Web')?.id, 'a');
});

test('a claim may move from one object to another within one commit', async () => {
  const networks = [{ networkId: 'n', addresses: ['10.0.0.5/24'], aliases: [] }];
  const store = await openStore([makeTask('a', { networks }), makeTask('b')]);
  const [a, b] = [present(store.view.get('task', 'a'), 'a'), present(store.view.get('task', 'b'), 'b')];
  await assert.rejects(store.commit('allocator', [{ action: 'update', object: { ...b, networks } }]), /10\.0\.0\.5 of network n is already in use by task a/);
  await store.commit('allocator', [
    { action: 'update', object: { ...b, networks } },
    { action: 'update', object: { ...a, networks: [] } },
  ]);
  assert.deepEqual(store.view.claimant('address/n/10.0.0.5'), { kind: 'task', id: 'b' });
});

test('forty contenders for one object all get their update through', async () => {
  const store = await openStore([makeService('a')]);
  await Promise.all(
    Array.from({ length: 40 }, () =>
      store.update('control', (view) => {
        const service = present(view.get('service', 'a'), 'a');
        return { changes: [{ action: 'update', object: { ...service, specVersion: service.specVersion + 1 } }], result: undefined };
      }),
    ),
  );
  assert.equal(store.view.get('service', 'a')?.specVersion, 40);
});

test('watchers hear every commit in order, and a commit made by a watcher comes after the one it heard of', async () => {
  const store = await openStore();
  const heard: [number, StoreEvent['action'], string][] = [];
  let nested: Promise<number> | undefined;
  const stop = store.watch((revision, events) => {
    assert.equal(store.view.revision, revision);
    for (const { action, object } of events) heard.push([revision, action, object.id]);
    nested ??= store.commit('control', [{ action: 'create', object: makeService('nested') }]);
  });
  await Promise.all(['a', 'b'].map((id) => store.commit('control', [{ action: 'create', object: makeService(id) }])));
  await nested;
  const a = present(store.view.get('service', 'a'), 'a');
  await store.commit('control', [{ action: 'remove', object: a }]);
  stop();
  await store.commit('control', [{ action: 'create', object: makeService('c') }]);
  assert.deepEqual(
    heard.map(([, action, id]) => `${action} ${id}`),
    ['create a', 'create b', 'create nested', 'remove a'],
  );
  assert.deepEqual(
    heard.map(([revision]) => revision),
    heard.map(([revision]) => revision).toSorted((x, y) => x - y),
  );
});

test('a writer that touches a field of another one is stopped', async () => {
  const store = await openStore([makeTask('t', { status: { state: 'running', timestamp: 1, message: '' } }), makeService('s')]);
  const task = present(store.view.get('task', 't'), 't');
  const service = present(store.view.get('service', 's'), 's');
  const forbidden: [Parameters<Store['commit']>[0], Parameters<Store['commit']>[1][number], RegExp][] = [
    ['scheduler', { action: 'update', object: { ...task, desiredState: 'shutdown' } }, /scheduler may not change desiredState of task t/],
    ['orchestrator', { action: 'remove', object: task }, /orchestrator may not remove task t/],
    ['dispatcher', { action: 'update', object: { ...task, status: { ...task.status, state: 'starting' } } }, /goes from running back to starting/],
    ['orchestrator', { action: 'update', object: { ...task, desiredState: 'ready' } }, /from running back to ready/],
    ['allocator', { action: 'update', object: { ...service, specVersion: 3 } }, /allocator may not change specVersion/],
    ['control', { action: 'create', object: makeTask('x') }, /only create attachment tasks/],
  ];
  for (const [writer, change, message] of forbidden) {
    await assert.rejects(store.commit(writer, [change]), (error) => error instanceof AssertionError && message.test(error.message), `${message}`);
  }
  await store.commit('dispatcher', [{ action: 'update', object: { ...task, status: { ...task.status, state: 'failed' } } }]);
});

test('tasks are found by service, node and state, in order of id, and a list taken earlier stays as it was', async () => {
  const store = await openStore(['c', 'a', 'b'].map((id) => makeTask(id, { status: { state: 'pending', timestamp: 1, message: '' } })));
  const before = store.view.tasksInState('pending');
  const b = present(store.view.get('task', 'b'), 'b');
  await store.commit('scheduler', [{ action: 'update', object: { ...b, nodeId: 'n1', status: { ...b.status, state: 'assigned' } } }]);
  const ids = (objects: Iterable<{ id: string }>) => [...objects].map(({ id }) => id);
  assert.deepEqual(ids(before), ['a', 'b', 'c']);
  assert.deepEqual(ids(store.view.tasksInState('pending')), ['a', 'c']);
  assert.deepEqual(ids(store.view.tasksInState('assigned')), ['b']);
  assert.deepEqual(ids(store.view.tasksOfNode('n1')), ['b']);
  assert.deepEqual(ids(store.view.tasksOfService('web')), ['a', 'b', 'c']);
  assert.deepEqual(ids(store.view.tasksOfService('none')), []);
});

test('what was committed is there for the next store on the same backend', async () => {
  const backend = createMemoryBackend();
  const first = await createStore({ backend, clock });
  await first.commit('control', [{ action: 'create', object: makeService('a', { name: 'web' }) }]);
  const { revision } = first.view;
  await first.close();
  await assert.rejects(first.commit('control', [{ action: 'create', object: makeService('b') }]), /the store is closed/);
  const second = await createStore({ backend, clock });
  assert.equal(second.view.revision, revision);
  assert.equal(second.view.findByName('service', 'web')?.version, revision);
  await assert.rejects(second.commit('control', [{ action: 'create', object: makeService('b', { name: 'web' }) }]), /service web already exists/);
});

test('what the engine finds damaged is written again as it is in memory, unless it is gone', async () => {
  const memory = createMemoryBackend();
  let damaged: readonly ObjectKey[] = [];
  const store = await createStore({
    backend: {
      ...memory,
      async *damaged() {
        yield* damaged;
      },
    },
  });
  await store.commit('control', [{ action: 'create', object: makeService('a') }]);
  const before = store.view.get('service', 'a');
  const { signal } = new AbortController();
  assert.deepEqual(await store.mend(signal), []);
  damaged = [
    { kind: 'service', id: 'a' },
    { kind: 'service', id: 'gone' },
  ];
  assert.deepEqual(await store.mend(signal), ['service a', 'service gone']);
  const after = store.view.get('service', 'a');
  assert.deepEqual({ ...after, version: 0, updatedAt: 0 }, { ...before, version: 0, updatedAt: 0 });
  assert.equal(after?.version, 2);
});
