import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type KeptLogLimits, type KeptLogSize, logsToForget, MAX_KEPT_PER_SLOT } from './kept-log-limits.ts';

const limits: KeptLogLimits = { taskBytes: 100, totalBytes: 1_000, maxAgeMs: 10_000 };
const log = (taskId: string, fields: Partial<KeptLogSize> = {}): KeptLogSize => ({ taskId, slotKey: taskId, bytes: 100, keptAt: 50_000, ...fields });

test('a log that is too old goes, however small', () => {
  assert.deepEqual(logsToForget([log('old', { keptAt: 39_999, bytes: 1 }), log('new')], limits, 50_000), ['old']);
});

test('when there are too many bytes the oldest go', () => {
  const kept = Array.from({ length: 12 }, (_, index) => log(`t${index}`, { keptAt: 45_000 + index }));
  assert.deepEqual(logsToForget(kept, limits, 50_000), ['t1', 't0']);
});

test('a slot that fails all the time pushes out its own logs, not those of others', () => {
  const loud = Array.from({ length: MAX_KEPT_PER_SLOT + 3 }, (_, index) => log(`loud${index}`, { slotKey: 'loud.1', bytes: 1, keptAt: 45_000 + index }));
  assert.deepEqual(logsToForget([log('quiet', { keptAt: 44_000 }), ...loud], limits, 50_000), ['loud2', 'loud1', 'loud0']);
});

test('what stays is within all limits, and nothing goes without need', () => {
  const one = fc.record({ slot: fc.nat(3), bytes: fc.nat(400), keptAt: fc.integer({ min: 35_000, max: 50_000 }) });
  fc.assert(
    fc.property(fc.array(one, { maxLength: 60 }), (logs) => {
      const kept = logs.map(({ slot, bytes, keptAt }, index) => log(`t${index}`, { slotKey: `s${slot}`, bytes, keptAt }));
      const gone = new Set(logsToForget(kept, limits, 50_000));
      const stays = kept.filter(({ taskId }) => !gone.has(taskId));
      assert(stays.reduce((sum, { bytes }) => sum + bytes, 0) <= limits.totalBytes);
      assert(stays.every(({ keptAt }) => 50_000 - keptAt <= limits.maxAgeMs));
      for (const key of ['s0', 's1', 's2', 's3']) assert(stays.filter(({ slotKey }) => slotKey === key).length <= MAX_KEPT_PER_SLOT);
      assert.deepEqual(logsToForget(stays, limits, 50_000), []);
    }),
  );
});
