// What sealed texts are bound to, so that one cannot be put in another's place. Whoever seals and whoever opens takes the context from here.
import type { NodeRole } from '#domain/spec.ts';

export const sealContexts = {
  rootKey: 'cluster/root-key',
  etcdKey: 'cluster/etcd-key',
  unlockKey: 'cluster/unlock-key',
  joinToken: (role: NodeRole) => `cluster/join-token/${role}`,
  secret: (id: string) => `secret/${id}`,
  /** Of a task's spec, which moves from the service to its tasks: it cannot be bound to one object. */
  registryAuth: 'registry-auth',
  /** A manager's own private key on its disk. */
  nodeKey: 'node-key',
} as const;
