import assert from 'node:assert/strict';
import { it } from 'node:test';
import { jsonList } from './route.ts';

it('a list is one JSON text when it is short, and comes in parts with room for others between them when it is long', async () => {
  const toText = (value: number) => JSON.stringify({ value });
  const short = jsonList([1, 2], toText);
  assert.deepEqual(short, { kind: 'json-text', status: 200, text: '[{"value":1},{"value":2}]' });
  assert.deepEqual(jsonList([], toText), { kind: 'json-text', status: 200, text: '[]' });
  for (const count of [501, 1_000, 1_001]) {
    const items = Array.from({ length: count }, (_, index) => index);
    const long = jsonList(items, toText);
    assert.equal(long.kind, 'stream');
    const parts: Uint8Array[] = [];
    let others = 0;
    const other = () => void (others++, setImmediate(other).unref());
    setImmediate(other).unref();
    if (long.kind === 'stream') for await (const part of long.body) parts.push(part);
    assert.equal(Buffer.concat(parts).toString(), `${JSON.stringify(items.map((value) => ({ value })))}\n`, `${count}`);
    assert.deepEqual([parts.length, others >= parts.length - 1], [Math.ceil(count / 500), true]);
  }
});
