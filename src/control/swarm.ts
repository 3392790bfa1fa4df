// The swarm itself: its spec, join tokens, the unlock key. Rules and texts are SwarmKit's (manager/controlapi/cluster.go, ca_rotation.go).
import { createJoinSecret, formatJoinToken } from '#ca/join-token.ts';
import type { Cluster } from '#domain/objects.ts';
import type { ClusterSpec, NodeRole } from '#domain/spec.ts';
import { validateClusterSpec } from '#domain/validate/cluster.ts';
import { present } from '#lib/assert.ts';
import { rpcError } from '#lib/errors.ts';
import { sealContexts } from '#store/seal-contexts.ts';
import { createUnlockKey, formatUnlockKey } from '#store/seal.ts';
import { unlockKeyOf } from '#store/unlock-key.ts';
import type { View } from '#domain/view.ts';
import type { SwarmControl } from './control.ts';
import type { ControlDependencies } from './dependencies.ts';
import { nextRoot } from './root-rotation.ts';

type Rotation = Parameters<SwarmControl['update']>[2];

export function createSwarmControl(dependencies: ControlDependencies): SwarmControl {
  const { store, sealer } = dependencies;
  const joinToken = (cluster: Cluster, role: NodeRole) => {
    const secret = Buffer.from(sealer.open(cluster.sealedJoinTokens[role], sealContexts.joinToken(role))).toString();
    return formatJoinToken(cluster.rootCa.certificate, secret);
  };
  return {
    get: () => clusterOf(store.view),
    joinTokens() {
      const cluster = clusterOf(store.view);
      return { worker: joinToken(cluster, 'worker'), manager: joinToken(cluster, 'manager') };
    },
    unlockKey() {
      const key = unlockKeyOf(clusterOf(store.view), sealer);
      return key === undefined ? '' : formatUnlockKey(key);
    },
    async update(version, { signingCaKey, ...spec }, rotate) {
      validateClusterSpec(spec);
      const before = clusterOf(store.view);
      if (before.version !== version) throw rpcError('unknown', 'update out of sequence');
      // Keys are made before the commit, which cannot wait; it holds only if the cluster is still the one that they were made for.
      const rootCa = await nextRoot(before, spec.ca, signingCaKey, dependencies);
      await store.update('control', (view) => {
        const cluster = clusterOf(view);
        if (cluster.version !== version) throw rpcError('unknown', 'update out of sequence');
        const object = { ...updatedCluster(cluster, spec, rotate, dependencies), rootCa, rootRotationInProgress: rootCa.rotation !== undefined };
        return { changes: [{ action: 'update', object }], result: undefined };
      });
    },
  };
}

function clusterOf(view: View): Cluster {
  const [cluster] = view.list('cluster');
  return present(cluster, 'the cluster object');
}

function updatedCluster(cluster: Cluster, spec: ClusterSpec, rotate: Rotation, { sealer, random }: ControlDependencies): Cluster {
  const { sealedUnlockKey, ...rest } = cluster;
  const sealText = (text: string, context: string) => sealer.seal(Buffer.from(text), context);
  const token = (role: NodeRole, isNew: boolean) => (isNew ? sealText(createJoinSecret(random), sealContexts.joinToken(role)) : cluster.sealedJoinTokens[role]);
  const unlockKey = () => (sealedUnlockKey === undefined || rotate.unlockKey ? sealer.seal(createUnlockKey(random), sealContexts.unlockKey) : sealedUnlockKey);
  return {
    ...rest,
    spec: { ...spec, name: 'default' },
    sealedJoinTokens: { worker: token('worker', rotate.workerToken), manager: token('manager', rotate.managerToken) },
    ...(spec.encryption.autoLockManagers ? { sealedUnlockKey: unlockKey() } : {}),
  };
}
