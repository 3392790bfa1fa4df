// The swarm itself: its spec, join tokens, the unlock key. Rules and texts are SwarmKit's (manager/controlapi/cluster.go, ca_rotation.go).
import { createJoinSecret, formatJoinToken } from '#ca/join-token.ts';
import type { Cluster } from '#domain/objects.ts';
import type { ClusterSpec, NodeRole } from '#domain/spec.ts';
import { validateClusterSpec } from '#domain/validate/cluster.ts';
import { present } from '#lib/assert.ts';
import { equalSpecs } from '#lib/equal.ts';
import { rpcError } from '#lib/errors.ts';
import { sealContexts } from '#store/seal-contexts.ts';
import { createUnlockKey, formatUnlockKey } from '#store/seal.ts';
import type { View } from '#domain/view.ts';
import type { SwarmControl } from './control.ts';
import type { ControlDependencies } from './dependencies.ts';

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
      const { spec, sealedUnlockKey } = clusterOf(store.view);
      return spec.encryption.autoLockManagers && sealedUnlockKey !== undefined ? formatUnlockKey(sealer.open(sealedUnlockKey, sealContexts.unlockKey)) : '';
    },
    async update(version, { signingCaKey, ...spec }, rotate) {
      validateClusterSpec(spec);
      await store.update('control', (view) => {
        const cluster = clusterOf(view);
        assertRootStays(cluster, spec, signingCaKey);
        if (cluster.version !== version) throw rpcError('unknown', 'update out of sequence');
        return { changes: [{ action: 'update', object: updatedCluster(cluster, spec, rotate, dependencies) }], result: undefined };
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

/**
 * What Docker refuses is refused in its words; what it would do and this swarm cannot do yet is said plainly: the root of trust stays the one that the
 * swarm was made with, and it signs all certificates itself.
 */
function assertRootStays({ spec: current, rootCa }: Cluster, { ca }: ClusterSpec, signingCaKey: string | undefined): void {
  const wanted = normalisePem(ca.signingCaCert ?? '');
  if (signingCaKey && wanted === '') throw rpcError('invalidArgument', 'if a signing CA key is provided, the signing CA cert must also be provided');
  const certificates = wanted.split('-----BEGIN CERTIFICATE-----').length - 1;
  if (wanted !== '' && certificates === 0) throw rpcError('invalidArgument', 'could not parse the desired CA certificate');
  if (certificates > 1) throw rpcError('invalidArgument', 'the desired CA certificate cannot contain multiple certificates');
  const rotates = (ca.forceRotate ?? 0) !== (current.ca.forceRotate ?? 0);
  const isOtherRoot = wanted !== '' && wanted !== normalisePem(rootCa.certificate);
  if (rotates || isOtherRoot || signingCaKey) throw rpcError('unimplemented', 'this swarm cannot change its root CA yet');
  const hasNewExternalCas = (ca.externalCas ?? []).length > 0 && !equalSpecs(ca.externalCas, current.ca.externalCas);
  if (hasNewExternalCas) throw rpcError('unimplemented', 'external CAs are not supported yet: this swarm signs all certificates with its own CA');
}

function normalisePem(pem: string): string {
  return pem
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .join('\n');
}
