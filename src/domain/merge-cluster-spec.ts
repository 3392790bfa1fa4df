// What a spec that comes with `swarm init --force-new-cluster` changes about a swarm that exists: only what it says. The rules are Docker's
// (MergeSwarmSpecToGRPC), but for autolock: it is never switched off by a request that may just not have mentioned it.
import type { ClusterSpec } from './spec.ts';

type Given = ClusterSpec & { readonly signingCaKey?: string };

/** The stored spec with every value of the given one that is neither absent nor zero. */
export function mergeClusterSpec(stored: ClusterSpec, given: Given): Given {
  const externalCas = [...(stored.ca.externalCas ?? []), ...(given.ca.externalCas ?? [])];
  const { signingCaKey } = given;
  return {
    ...stored,
    labels: Object.keys(given.labels).length > 0 ? given.labels : stored.labels,
    orchestration: { ...stored.orchestration, ...given.orchestration },
    raft: {
      ...stored.raft,
      ...given.raft,
      electionTick: given.raft.electionTick || stored.raft.electionTick,
      heartbeatTick: given.raft.heartbeatTick || stored.raft.heartbeatTick,
    },
    dispatcher: { ...stored.dispatcher, ...given.dispatcher },
    ca: { ...stored.ca, ...given.ca, ...(externalCas.length > 0 ? { externalCas } : {}) },
    taskDefaults: { ...stored.taskDefaults, ...given.taskDefaults },
    encryption: { autoLockManagers: stored.encryption.autoLockManagers || given.encryption.autoLockManagers },
    ...(signingCaKey === undefined ? {} : { signingCaKey }),
  };
}
