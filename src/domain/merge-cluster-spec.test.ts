import assert from 'node:assert/strict';
import { it } from 'node:test';
import { defaultClusterSpec } from './defaults.ts';
import { mergeClusterSpec } from './merge-cluster-spec.ts';
import type { ClusterSpec } from './spec.ts';

const stored: ClusterSpec = {
  ...defaultClusterSpec,
  labels: { a: 'b' },
  orchestration: { taskHistoryRetentionLimit: 3 },
  ca: { nodeCertExpiryNs: 7_200_000_000_000, externalCas: [{ protocol: 'cfssl', url: 'https://one', caCert: '' }] },
};
const nothing: ClusterSpec = {
  name: 'default',
  labels: {},
  orchestration: {},
  raft: { electionTick: 0, heartbeatTick: 0 },
  dispatcher: {},
  ca: {},
  taskDefaults: {},
  encryption: { autoLockManagers: false },
};

it('changes nothing when a spec says nothing', () => {
  assert.deepEqual(mergeClusterSpec(stored, nothing), stored);
});

it('takes over what a spec says and adds its external authorities', () => {
  const given = {
    ...nothing,
    labels: { c: 'd' },
    orchestration: { taskHistoryRetentionLimit: 0 },
    raft: { electionTick: 5, heartbeatTick: 0 },
    ca: { externalCas: [{ protocol: 'cfssl', url: 'https://two', caCert: '' }] },
    encryption: { autoLockManagers: true },
  };
  const merged = mergeClusterSpec(stored, given);
  assert.deepEqual([merged.labels, merged.orchestration.taskHistoryRetentionLimit, merged.encryption.autoLockManagers], [{ c: 'd' }, 0, true]);
  assert.deepEqual([merged.raft.electionTick, merged.raft.heartbeatTick, merged.ca.nodeCertExpiryNs], [5, 1, 7_200_000_000_000]);
  assert.deepEqual(
    merged.ca.externalCas?.map(({ url }) => url),
    ['https://one', 'https://two'],
  );
});

it('never switches autolock off by silence', () => {
  const locked = { ...stored, encryption: { autoLockManagers: true } };
  assert.equal(mergeClusterSpec(locked, nothing).encryption.autoLockManagers, true);
});
