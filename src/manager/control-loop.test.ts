import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { StoreEvent } from '#domain/view.ts';
import { AppError } from '#lib/errors.ts';
import { silentLogger } from '#lib/log.ts';
import { createFakeClock } from '#lib/testing/fake-clock.ts';
import { createStore } from '#store/create-store.ts';
import { makeService } from '#store/fixtures.ts';
import { createMemoryBackend } from '#store/memory.ts';
import type { Store } from '#store/store.ts';
import { type ControlLoop, perKey, runControlLoop } from './control-loop.ts';

const onlyServices = ({ object }: StoreEvent) => (object.kind === 'service' ? [object.id] : []);

/** A loop over services that decides nothing unless told to, and remembers what it looked at. */
function recorder(decideOne: Parameters<typeof perKey>[0] = () => ({ changes: [] })): ControlLoop & { readonly looked: string[] } {
  const looked: string[] = [];
  const decide = perKey((view, key, now) => {
    looked.push(key);
    return decideOne(view, key, now);
  });
  return { name: 'test', writer: 'orchestrator', allKeys: (view) => [...view.list('service')].map(({ id }) => id), keysOf: onlyServices, decide, looked };
}

async function setUp(context: TestContext, loop: ControlLoop, wrap: (store: Store) => Store = (store) => store) {
  const clock = createFakeClock();
  const store = wrap(await createStore({ backend: createMemoryBackend(), clock }));
  await store.commit('control', [{ action: 'create', object: makeService('a') }]);
  const stop = new AbortController();
  const running = runControlLoop(loop, { store, clock, log: silentLogger }, stop.signal);
  context.after(async () => {
    stop.abort();
    await running;
  });
  await clock.settle();
  return { clock, store };
}

test('a clock that is set while a key waits makes it wait neither longer nor shorter', async (context) => {
  for (const byMs of [-3_600_000, 3_600_000]) {
    const wakeUps = [1_000];
    const loop = recorder((_view, _key, now) => {
      const delay = wakeUps.shift();
      return { changes: [], ...(delay === undefined ? {} : { wakeAt: now + delay }) };
    });
    const { clock } = await setUp(context, loop);
    clock.set(byMs);
    await clock.advance(999);
    assert.equal(loop.looked.length, 1);
    await clock.advance(1);
    assert.equal(loop.looked.length, 2);
  }
});

test('it looks at every key once when it begins, and then only at what events name', async (context) => {
  const loop = recorder();
  const { store, clock } = await setUp(context, loop);
  assert.deepEqual(loop.looked, ['a']);
  await store.commit('control', [{ action: 'create', object: makeService('b') }]);
  await clock.settle();
  assert.deepEqual(loop.looked, ['a', 'b']);
});

test('it looks again when a decision said so, and an event in between replaces that', async (context) => {
  const wakeUps = [1_000];
  const loop = recorder((_view, _key, now) => {
    const delay = wakeUps.shift();
    return { changes: [], ...(delay === undefined ? {} : { wakeAt: now + delay }) };
  });
  const { clock } = await setUp(context, loop);
  await clock.advance(999);
  assert.equal(loop.looked.length, 1);
  await clock.advance(1);
  assert.equal(loop.looked.length, 2);
  await clock.advance(60_000);
  assert.equal(loop.looked.length, 2);
});

test('after a conflict it looks again at once, after a failure later', async (context) => {
  const failures: Error[] = [new AppError('conflict', 'changed'), new AppError('resourceExhausted', 'the disk is full')];
  const loop = recorder((view, key) => {
    const service = view.get('service', key);
    return {
      changes:
        service && service.updateStatus === undefined ? [{ action: 'update', object: { ...service, updateStatus: { state: 'completed', message: 'x' } } }] : [],
    };
  });
  const { clock, store } = await setUp(context, loop, (inner) => ({
    ...inner,
    commit: (writer, changes) => {
      const failure = writer === 'orchestrator' ? failures.shift() : undefined;
      return failure === undefined ? inner.commit(writer, changes) : Promise.reject(failure);
    },
  }));
  assert.equal(loop.looked.length, 2, 'the conflict costs one more look');
  await clock.advance(50);
  assert.equal(store.view.get('service', 'a')?.updateStatus?.state, 'completed');
});

test('a large decision is committed in parts', () => {
  const object = makeService('x');
  const decide = perKey(() => ({ changes: Array.from({ length: 300 }, () => ({ action: 'create' as const, object })) }));
  const { changes, postponed } = decide({} as never, new Set(['a', 'b', 'c']), 0);
  assert.equal(changes.length, 600);
  assert.deepEqual(postponed, ['c']);
});
