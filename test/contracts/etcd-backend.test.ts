// The store on a real etcd: the contract of every engine, and what only several managers see.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { StoreEvent } from '#domain/view.ts';
import type { AppError } from '#lib/errors.ts';
import { systemClock } from '#platform/clock.ts';
import type { StoredWrite } from '#store/backend.ts';
import { createStore } from '#store/create-store.ts';
import { openEtcdBackend } from '#store/etcd/backend.ts';
import { fillEtcd } from '#store/etcd/snapshot.ts';
import { makeService } from '#store/fixtures.ts';
import { until } from '../lib/namespace.ts';
import { quietLog, startTestEtcd, type TestEtcd } from '../lib/etcd.ts';
import { testStoreBackend } from './store-backend.ts';

let etcd: TestEtcd;
let prefixes = 0;
before(async () => {
  etcd = await startTestEtcd();
});
after(() => etcd.stop());

const newPrefix = () => `test${++prefixes}/`;
const open = (prefix: string) => openEtcdBackend({ client: etcd.process.client, clock: systemClock, log: quietLog, prefix });
const openStore = (prefix: string) => createStore({ backend: open(prefix) });

testStoreBackend('etcd', async () => {
  const prefix = newPrefix();
  return { backend: open(prefix), reopen: async () => open(prefix) };
});

const create = (id: string, name = id) => ({ action: 'create', object: makeService(id, { name }) }) as const;

test('what one manager commits the others see, as the same objects at the same revision', async () => {
  const prefix = newPrefix();
  const [one, two] = [await openStore(prefix), await openStore(prefix)];
  const revision = await one.commit('control', [create('a')]);
  await until('the other manager follows', () => two.view.revision === revision);
  assert.deepEqual(two.view.get('service', 'a'), one.view.get('service', 'a'));
  assert.deepEqual(two.view.findByName('service', 'a'), two.view.get('service', 'a'));
  await Promise.all([one.close(), two.close()]);
});

test('of two managers that change one object, or want one name, at the same moment exactly one does', async () => {
  const prefix = newPrefix();
  const stores = [await openStore(prefix), await openStore(prefix)];
  for (let round = 0; round < 20; round++) {
    const results = await Promise.allSettled(stores.map((store, index) => store.commit('control', [create(`s${round}-${index}`, `name${round}`)])));
    const failures = results.flatMap((result) => (result.status === 'rejected' ? [result.reason as AppError] : []));
    assert.deepEqual(
      failures.map(({ code }) => code),
      ['alreadyExists'],
    );
  }
  await Promise.all(stores.map((store) => store.close()));
});

test('updates by two managers at once lose nothing', async () => {
  const prefix = newPrefix();
  const stores = [await openStore(prefix), await openStore(prefix)];
  await stores[0]?.commit('control', [create('a')]);
  await until('both follow', () => stores.every(({ view }) => view.get('service', 'a') !== undefined));
  const add = (store: (typeof stores)[number]) =>
    store.update('control', (view) => {
      const service = view.get('service', 'a') ?? assert.fail();
      return { changes: [{ action: 'update', object: { ...service, specVersion: service.specVersion + 1 } }], result: undefined };
    });
  const before = stores[0]?.view.get('service', 'a')?.specVersion ?? 0;
  const work = async (store: (typeof stores)[number]) => {
    for (let count = 0; count < 40; count++) {
      // A manager whose news travel slower may lose ten races in a row: its user would be told so and try again.
      for (;;) {
        const error = await add(store).then(
          () => undefined,
          (reason: AppError) => reason,
        );
        if (error === undefined) break;
        assert.equal(error.code, 'conflict');
      }
    }
  };
  await Promise.all(stores.map(work));
  assert.equal(Math.max(...stores.map(({ view }) => view.get('service', 'a')?.specVersion ?? 0)), before + 80);
  await Promise.all(stores.map((store) => store.close()));
});

test('a control loop whose fence was taken over cannot write', async () => {
  const prefix = newPrefix();
  const { client } = etcd.process;
  const store = await openStore(prefix);
  const key = `leader-of-${prefix}`;
  const first = await client.txn({ compare: [], success: [{ key, value: 'one' }] });
  const fenced = store.fenced({ key, revision: first.revision });
  await fenced.commit('control', [create('a')]);
  await client.txn({ compare: [], success: [{ key, value: 'two' }] });
  await assert.rejects(fenced.commit('control', [create('b')]), (error: AppError) => error.code === 'unavailable' && /does not lead/.test(error.message));
  await store.commit('control', [create('c')]);
  assert.deepEqual(
    [...store.view.list('service')].map(({ id }) => id),
    ['a', 'c'],
  );
  await store.close();
});

test('a store that was kept elsewhere goes on with its versions, and revisions grow from where they were', async () => {
  const prefix = newPrefix();
  const service = makeService('a', { version: 700_001 });
  await fillEtcd(etcd.process.client, 700_005, [service, makeService('b', { version: 700_005 })], prefix);
  const store = await openStore(prefix);
  assert.equal(store.view.get('service', 'a')?.version, 700_001);
  await assert.rejects(store.commit('control', [create('other', 'service-a')]), (error: AppError) => error.code === 'alreadyExists');
  const revision = await store.commit('control', [{ action: 'update', object: { ...service, specVersion: 7 } }]);
  assert.ok(revision > 700_005);
  await assert.rejects(store.commit('control', [{ action: 'update', object: service }]), (error: AppError) => error.code === 'conflict');
  await store.close();
  const again = await openStore(prefix);
  assert.equal(again.view.get('service', 'a')?.version, revision);
  assert.equal(again.view.get('service', 'b')?.version, 700_005);
  await again.commit('control', [{ action: 'remove', object: again.view.get('service', 'a') ?? assert.fail() }, create('c', 'service-a')]);
  await again.close();
});

test('2,000 changes with their claims are one commit', async () => {
  const prefix = newPrefix();
  const backend = open(prefix);
  await backend.load();
  const heard: number[] = [];
  backend.subscribe((_revision, writes) => heard.push(writes.length));
  const write = (index: number): StoredWrite => {
    const [id, claims] = [`s${index}`, [`x/${index}`, `y/${index}`, `z/${index}`]];
    return { kind: 'service', id, object: makeService(id), expectedVersion: 0, addClaims: claims, removeClaims: [] };
  };
  assert.equal((await backend.commit(Array.from({ length: 2_000 }, (_, index) => write(index)))).kind, 'committed');
  assert.deepEqual(heard, [2_000]);
  await backend.close();
});

test('a manager whose etcd is killed hears of everything in order once it is back, and its commits wait no longer than that', async () => {
  const prefix = newPrefix();
  const store = await openStore(prefix);
  const revisions: number[] = [];
  const events: StoreEvent[] = [];
  store.watch((revision, news) => {
    revisions.push(revision);
    events.push(...news);
  });
  const acknowledged: string[] = [];
  const stopAt = Date.now() + 3_000;
  const writer = async () => {
    for (let index = 0; Date.now() < stopAt; index++) {
      await store.commit('control', [create(`s${index}`)]).then(
        () => acknowledged.push(`s${index}`),
        () => {},
      );
    }
  };
  const writing = writer();
  await until('commits are made', () => acknowledged.length > 20);
  etcd.process.kill();
  await writing;
  await store.commit('control', [create('last')]);
  assert.deepEqual(
    revisions,
    revisions.toSorted((a, b) => a - b),
  );
  assert.equal(new Set(events.map(({ object }) => object.id)).size, events.length);
  const again = await openStore(prefix);
  for (const id of acknowledged) assert.ok(again.view.get('service', id), `${id} was acknowledged`);
  assert.deepEqual([...again.view.list('service')], [...store.view.list('service')]);
  await Promise.all([again.close(), store.close()]);
});
