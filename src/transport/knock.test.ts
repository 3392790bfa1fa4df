import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '#platform/clock.ts';
import { knock } from './knock.ts';

test('at a port that is none nobody answers', async () => {
  assert.deepEqual(await Promise.all([70_000, 0, Number.NaN].map((port) => knock('127.0.0.1', port, 100, systemClock))), ['silent', 'silent', 'silent']);
});
