// The key that locks the managers' keys, which the swarm's state holds sealed.
import type { Cluster } from '#domain/objects.ts';
import { sealContexts } from './seal-contexts.ts';
import type { Sealer } from './seal.ts';

/** Undefined while autolock is off. Throws as the sealer does when it is another swarm's. */
export function unlockKeyOf({ spec, sealedUnlockKey }: Cluster, sealer: Sealer): Uint8Array | undefined {
  if (!spec.encryption.autoLockManagers || sealedUnlockKey === undefined) return undefined;
  return sealer.open(sealedUnlockKey, sealContexts.unlockKey);
}
