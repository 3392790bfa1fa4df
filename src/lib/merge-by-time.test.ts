import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createFakeClock } from './testing/fake-clock.ts';
import { mergeByTime } from './merge-by-time.ts';

const never = new AbortController().signal;
const keyOf = (item: string) => item;

async function* given(items: readonly string[]) {
  for (const item of items) {
    // Some come at once, some later.
    if (item.charCodeAt(0) % 2 === 0) await new Promise((resolve) => setImmediate(resolve));
    yield item;
  }
}

test('sources that are in order become one in order, without loss, however many items there are', async () => {
  const source = fc.array(fc.string({ minLength: 1, maxLength: 3 }), { maxLength: 400 }).map((items) => items.sort());
  await fc.assert(
    fc.asyncProperty(fc.array(source, { maxLength: 5 }), async (sources) => {
      const merged: string[] = [];
      for await (const item of mergeByTime({ sources: sources.map(given), keyOf, clock: createFakeClock(), signal: never })) merged.push(item);
      assert.deepEqual(merged, sources.flat().sort());
    }),
    { numRuns: 30 },
  );
});

test('with patience a silent source does not hold up the others, and new sources join', async () => {
  const clock = createFakeClock();
  const stop = new AbortController();
  const silent = async function* (): AsyncGenerator<string> {
    await new Promise<void>((resolve) => stop.signal.addEventListener('abort', () => resolve()));
    yield* [];
  };
  let add = (_source: AsyncIterable<string>) => {};
  const merged: string[] = [];
  const reading = (async () => {
    const items = mergeByTime({
      sources: [given(['b', 'd']), silent()],
      keyOf,
      patienceMs: 100,
      onReady: (adder) => (add = adder),
      clock,
      signal: stop.signal,
    });
    for await (const item of items) merged.push(item);
  })();
  await clock.settle();
  assert.deepEqual(merged, []);
  await clock.advance(200);
  assert.deepEqual(merged, ['b', 'd']);
  add(given(['a', 'c']));
  await clock.advance(200);
  assert.deepEqual(merged, ['b', 'd', 'a', 'c']);
  stop.abort();
  await reading;
});

test('with patience a source that says very much is not slowed down by a silent one', async () => {
  const clock = createFakeClock();
  const stop = new AbortController();
  const loud = given(Array.from({ length: 1_000 }, () => 'a'));
  const silent = async function* (): AsyncGenerator<string> {
    await new Promise<void>((resolve) => stop.signal.addEventListener('abort', () => resolve()));
    yield* [];
  };
  let count = 0;
  for await (const _ of mergeByTime({ sources: [loud, silent()], keyOf, patienceMs: 1_000, onReady: () => {}, clock, signal: stop.signal }))
    if (++count === 700) break;
  stop.abort();
});

test('a clock that is set while a source is silent holds nothing back', async () => {
  const clock = createFakeClock();
  const stop = new AbortController();
  const silent = async function* (): AsyncGenerator<string> {
    await new Promise<void>((resolve) => stop.signal.addEventListener('abort', () => resolve()));
    yield* [];
  };
  const merged: string[] = [];
  const reading = (async () => {
    for await (const item of mergeByTime({ sources: [given(['b']), silent()], keyOf, patienceMs: 100, onReady: () => {}, clock, signal: stop.signal }))
      merged.push(item);
  })();
  await clock.settle();
  clock.set(-3_600_000);
  await clock.advance(200);
  assert.deepEqual(merged, ['b']);
  stop.abort();
  await reading;
});

test('the failure of a source is the failure of all', async () => {
  const broken = async function* (): AsyncGenerator<string> {
    yield 'a';
    throw new Error('broken');
  };
  const read = async () => {
    for await (const _ of mergeByTime({ sources: [broken()], keyOf, clock: createFakeClock(), signal: never }));
  };
  await assert.rejects(read, /broken/);
});
