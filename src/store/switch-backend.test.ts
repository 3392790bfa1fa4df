import assert from 'node:assert/strict';
import { test } from 'node:test';
import { testStoreBackend } from '../../test/contracts/store-backend.ts';
import { createStore } from './create-store.ts';
import { makeService } from './fixtures.ts';
import { createMemoryBackend } from './memory.ts';
import { createSwitchableBackend } from './switch-backend.ts';

testStoreBackend('switchable', async () => {
  const memory = createMemoryBackend();
  return { backend: createSwitchableBackend(memory), reopen: async () => memory };
});

const create = (id: string) => ({ action: 'create', object: makeService(id) }) as const;

test('commits that come during a switch wait, and go to the new backend; those under way end before it is made', async () => {
  const backend = createSwitchableBackend(createMemoryBackend());
  const store = await createStore({ backend });
  await store.commit('control', [create('a')]);
  const underWay = store.commit('control', [create('b')]);
  let next = createMemoryBackend();
  const open = Promise.withResolvers<void>();
  const switching = backend.switchTo(async () => {
    next = createMemoryBackend([...store.view.list('service')]);
    await next.load();
    await open.promise;
    return next;
  });
  await underWay;
  const held = store.commit('control', [create('c')]);
  open.resolve();
  await Promise.all([switching, held]);
  assert.deepEqual(
    [...store.view.list('service')].map(({ id }) => id),
    ['a', 'b', 'c'],
  );
  assert.deepEqual(
    (await next.load()).objects.map(({ id }) => id),
    ['a', 'b', 'c'],
  );
});

test('a switch that fails changes nothing', async () => {
  const backend = createSwitchableBackend(createMemoryBackend());
  const store = await createStore({ backend });
  await assert.rejects(
    backend.switchTo(() => Promise.reject(new Error('no etcd'))),
    /no etcd/,
  );
  await store.commit('control', [create('a')]);
  assert.equal(store.view.count('service'), 1);
});
