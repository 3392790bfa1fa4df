import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  defaultClusterSpec,
  heartbeatPeriodNsOf,
  insertClusterDefaults,
  insertServiceDefaults,
  restartPolicyOf,
  rollbackConfigOf,
  stopGracePeriodNsOf,
  taskHistoryLimitOf,
  updateConfigOf,
} from './defaults.ts';
import type { ServiceSpec } from './spec.ts';

const bare: ServiceSpec = {
  name: 'web',
  labels: {},
  mode: { kind: 'replicated', replicas: 1 },
  task: { runtime: { kind: 'container', container: { image: 'a' } }, forceUpdate: 0 },
};
const defaultUpdate = { parallelism: 1, failureAction: 'pause', monitorNs: 5e9, maxFailureRatio: 0, order: 'stop-first' };

test('what a user left out has the values of SwarmKit', () => {
  assert.deepEqual(restartPolicyOf(bare.task), { condition: 'any', delayNs: 5e9, maxAttempts: 0, windowNs: 0 });
  assert.deepEqual(restartPolicyOf({ ...bare.task, restart: { condition: 'on-failure', delayNs: 0 } }), {
    condition: 'on-failure',
    delayNs: 0,
    maxAttempts: 0,
    windowNs: 0,
  });
  assert.deepEqual(updateConfigOf(bare), { ...defaultUpdate, delayNs: 0 });
  assert.equal(updateConfigOf({ ...bare, update: { parallelism: 0 } }).parallelism, 0);
  assert.equal(rollbackConfigOf({ ...bare, update: { parallelism: 7 } }).parallelism, 1);
  assert.equal(stopGracePeriodNsOf({ image: 'a' }), 10e9);
  assert.equal(heartbeatPeriodNsOf({ ...defaultClusterSpec, dispatcher: { heartbeatPeriodNs: 0 } }), 5e9);
  assert.equal(taskHistoryLimitOf({ ...defaultClusterSpec, orchestration: { taskHistoryRetentionLimit: -1 } }), -1);
});

test('a spec is filled in where Docker fills it in, and nowhere else', () => {
  assert.deepEqual(insertServiceDefaults(bare), {
    ...bare,
    task: {
      runtime: { kind: 'container', container: { image: 'a', stopGracePeriodNs: 10e9, dns: {} } },
      forceUpdate: 0,
      resources: {},
      restart: { condition: 'any', delayNs: 5e9, maxAttempts: 0 },
      placement: {},
    },
    update: defaultUpdate,
    rollback: defaultUpdate,
  });
  const given = insertServiceDefaults({ ...bare, update: { parallelism: 0, order: 'start-first' } });
  assert.deepEqual(given.update, { parallelism: 0, order: 'start-first', monitorNs: 5e9 });
  assert.deepEqual(insertServiceDefaults(insertServiceDefaults(bare)), insertServiceDefaults(bare));
});

test('a new swarm takes zero and nothing for the default', () => {
  const filled = insertClusterDefaults({
    name: '',
    labels: { a: 'b' },
    orchestration: { taskHistoryRetentionLimit: 0 },
    raft: { snapshotInterval: 0, electionTick: 0, heartbeatTick: 0 },
    dispatcher: { heartbeatPeriodNs: 2e9 },
    ca: {},
    taskDefaults: {},
    encryption: { autoLockManagers: true },
  });
  assert.deepEqual(filled, {
    ...defaultClusterSpec,
    labels: { a: 'b' },
    orchestration: { taskHistoryRetentionLimit: 0 },
    dispatcher: { heartbeatPeriodNs: 2e9 },
    encryption: { autoLockManagers: true },
  });
});
