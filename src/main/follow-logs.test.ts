import assert from 'node:assert/strict';
import { test } from 'node:test';
import { followLogs } from './follow-logs.ts';

async function* lines(id: string, count: number) {
  for (let line = 0; line < count; line++) yield `${id}${line}`;
}

test('without follow it ends with the last log and loses no line, however many there are', async () => {
  const read: string[] = [];
  const signal = new AbortController().signal;
  for await (const line of followLogs({ taskIds: () => ['a', 'b'], open: (id) => lines(id, 1_000), follow: false, onChange: () => () => {}, signal }))
    read.push(line);
  assert.equal(read.length, 2_000);
  assert.deepEqual(
    read.filter((line) => line.startsWith('a')),
    Array.from({ length: 1_000 }, (_, line) => `a${line}`),
  );
});

test('with follow it takes up tasks that appear, and ends when the reader goes away', async () => {
  const ids = ['a'];
  let changed = () => {};
  let watching = false;
  const onChange = (listener: () => void) => {
    changed = listener;
    watching = true;
    return () => {
      watching = false;
    };
  };
  const read: string[] = [];
  for await (const line of followLogs({ taskIds: () => ids, open: (id) => lines(id, 1), follow: true, onChange, signal: new AbortController().signal })) {
    read.push(line);
    if (line === 'b0') break;
    ids.push('b');
    changed();
  }
  assert.deepEqual(read, ['a0', 'b0']);
  assert.equal(watching, false);
});

test('an abort ends it, and the failure of one log is the failure of all', async () => {
  const stop = new AbortController();
  const never = async function* (_id: string, signal: AbortSignal) {
    await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
    yield* [] as string[];
  };
  const reading = (async () => {
    for await (const _ of followLogs({ taskIds: () => ['a'], open: never, follow: true, onChange: () => () => {}, signal: stop.signal })) assert.fail();
  })();
  stop.abort();
  await reading;
  const broken = async function* (): AsyncGenerator<string> {
    yield* [];
    throw new Error('the engine is gone');
  };
  await assert.rejects(async () => {
    for await (const _ of followLogs({ taskIds: () => ['a'], open: broken, follow: false, onChange: () => () => {}, signal: new AbortController().signal }));
  }, /the engine is gone/);
});

test('what goes wrong while a change is told of ends the stream, and does not reach whoever made the change', async () => {
  let changed = () => {};
  const onChange = (listener: () => void) => {
    changed = listener;
    return () => {};
  };
  let asked = 0;
  const taskIds = () => {
    asked += 1;
    if (asked > 1) throw new Error('the service is gone');
    return ['a'];
  };
  const read = async () => {
    const stream = followLogs({ taskIds, open: (id) => lines(id, 1), follow: true, onChange, signal: new AbortController().signal });
    for await (const line of stream) if (line === 'a0') changed();
  };
  await assert.rejects(read, /the service is gone/);
});
