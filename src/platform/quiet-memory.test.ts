import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Clock } from '#lib/clock.ts';
import { collectWhenQuiet, isWorthCollecting } from './quiet-memory.ts';

const MEGABYTE = 1_024 ** 2;

describe('memory of a quiet process', () => {
  it('is collected when it has grown and nothing else is to be done', () => {
    const grown = { busyShare: 0.01, usedBytes: 40 * MEGABYTE, walkedBytes: 30 * MEGABYTE, keptBytes: 20 * MEGABYTE };
    assert.equal(isWorthCollecting(grown), true);
    assert.equal(isWorthCollecting({ ...grown, busyShare: 0.3 }), false, 'busy');
    assert.equal(isWorthCollecting({ ...grown, keptBytes: 39 * MEGABYTE }), false, 'hardly grown');
    assert.equal(isWorthCollecting({ ...grown, usedBytes: 400 * MEGABYTE }), true, 'large objects only');
    assert.equal(isWorthCollecting({ ...grown, walkedBytes: 400 * MEGABYTE }), false, 'it would stand still for too long');
  });

  it('is looked at again and again until that is called off', () => {
    const waiting: (() => void)[] = [];
    const clock = { schedule: (_delayMs: number, callback: () => void) => (waiting.push(callback), () => waiting.splice(0)) } as unknown as Clock;
    const stop = collectWhenQuiet(clock, () => Promise.resolve());
    for (let count = 0; count < 3; count++) {
      assert.equal(waiting.length, 1);
      waiting.pop()?.();
    }
    stop();
    assert.equal(waiting.length, 0);
  });

  it('is left alone where nothing can collect it', () => {
    const clock = { schedule: () => assert.fail('nothing to wait for') } as unknown as Clock;
    collectWhenQuiet(clock, undefined)();
  });
});
