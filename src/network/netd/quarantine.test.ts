import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Clock } from '#lib/clock.ts';
import { cluster, local } from '../fixtures.ts';
import { createQuarantine } from './quarantine.ts';

const nobody = { version: 1, endpoints: [] };

function start() {
  let now = 0;
  const clock: Clock = { now: () => now, elapsed: () => now, sleep: () => Promise.resolve(), schedule: () => () => {} };
  const quarantine = createQuarantine(clock);
  quarantine.note('e1', '10.0.1.11');
  quarantine.enter('e1', 'net-a');
  return { quarantine, pass: (ms: number) => (now += ms) };
}

test('a container is in quarantine until the agent has reported it', () => {
  const { quarantine } = start();
  assert.equal(quarantine.isActive(cluster, nobody), true);
  assert.equal(quarantine.isActive(cluster, local), false);
  assert.equal(quarantine.isActive(cluster, nobody), false);
});

test('or until it has gone, or the agent has had time enough', () => {
  const gone = start();
  gone.quarantine.leave('e1');
  assert.equal(gone.quarantine.isActive(cluster, nobody), false);
  const late = start();
  late.pass(60_000);
  assert.equal(late.quarantine.isActive(cluster, nobody), true);
  late.pass(1);
  assert.equal(late.quarantine.isActive(cluster, nobody), false);
});

test('a report of another container does not end it', () => {
  const { quarantine } = start();
  const other = { version: 1, endpoints: local.endpoints.map((endpoint) => ({ ...endpoint, taskId: 't2' })) };
  assert.equal(quarantine.isActive(cluster, other), true);
});
