import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLogger } from '#lib/log.ts';
import { createFakeClock } from '#lib/testing/fake-clock.ts';
import type { ContainerInspect } from './api-types.ts';
import type { EngineClient } from './engine-client.ts';
import { createHealthChecks, effectiveHealthCheck, judge } from './health-checks.ts';

test('a service’s values win over its image’s, field by field; NONE and no test at all mean no check', () => {
  const image = { Test: ['CMD-SHELL', 'true'], Interval: 2e9, Retries: 7 };
  assert.deepEqual(effectiveHealthCheck({ healthcheck: { intervalNs: 1e9 } }, image), {
    command: ['/bin/sh', '-c', 'true'],
    intervalMs: 1_000,
    timeoutMs: 30_000,
    startPeriodMs: 0,
    startIntervalMs: 5_000,
    retries: 7,
  });
  assert.deepEqual(effectiveHealthCheck({ healthcheck: { test: ['CMD', 'a', 'b'] } }, image)?.command, ['a', 'b']);
  assert.equal(effectiveHealthCheck({ healthcheck: { test: ['NONE'] } }, image), undefined);
  assert.equal(effectiveHealthCheck({}, {}), undefined);
});

test('as many failures in a row as there are retries make a container unhealthy; one success heals it', () => {
  const check = { retries: 2 };
  const once = judge({ health: 'healthy', failures: 0 }, false, false, check);
  assert.deepEqual(once, { health: 'healthy', failures: 1 });
  const twice = judge(once, false, false, check);
  assert.equal(twice.health, 'unhealthy');
  assert.deepEqual(judge(twice, true, false, check), { health: 'healthy', failures: 0 });
});

test('failures of a container that is starting count only after it was healthy once', () => {
  const check = { retries: 1 };
  assert.deepEqual(judge({ health: 'starting', failures: 0 }, false, true, check), { health: 'starting', failures: 0 });
  assert.equal(judge({ health: 'healthy', failures: 0 }, false, true, check).health, 'unhealthy');
});

test('an engine that does not answer says nothing of a container’s health', async () => {
  const clock = createFakeClock();
  let asked = 0;
  const refuse = () => {
    asked += 1;
    return Promise.reject(new Error('away'));
  };
  const client: EngineClient = { call: refuse, find: refuse, stream: refuse };
  const changes: string[] = [];
  const checks = createHealthChecks({ client, clock, log: silentLogger, onChange: (taskId) => changes.push(taskId), kill: () => {} });
  const check = { command: ['true'], intervalMs: 100, timeoutMs: 1_000, startPeriodMs: 0, startIntervalMs: 100, retries: 1 };
  const inspected = {
    Id: 'c',
    State: { Running: true, StartedAt: '2020-01-01T00:00:00Z' },
    Config: { Labels: { 'com.docker.skep.health-check': JSON.stringify(check) } },
  } as unknown as ContainerInspect;
  assert.equal(checks.observe('t', inspected), 'starting');
  for (let round = 0; round < 5; round++) await clock.advance(100);
  assert.ok(asked > 1);
  assert.deepEqual(changes, []);
  assert.equal(checks.observe('t', inspected), 'starting');
  checks.close();
});
