// The engine for tests and the simulator: everything in memory, durable as long as the object lives. It follows the same contract as the
// engines on disk (test/contracts/store-backend.ts).
import type { StoreObject } from '#domain/objects.ts';
import { claimsOf } from '#domain/claims.ts';
import { assert } from '#lib/assert.ts';
import { AppError } from '#lib/errors.ts';
import type { BackendResult, StoreBackend, StoredWrite } from './backend.ts';

/**
 * A backend that starts with `objects` (version 0 becomes 1). After `close` it may be loaded again by another store: that is a restart.
 */
export function createMemoryBackend(objects: readonly StoreObject[] = []): StoreBackend {
  const stored = new Map<string, StoreObject>();
  const claims = new Map<string, string>();
  let revision = 0;
  let listener: ((revision: number, writes: readonly StoredWrite[]) => void) | undefined;
  let isOpen = false;

  for (const object of objects) {
    revision = Math.max(revision, object.version, 1);
    stored.set(`${object.kind}/${object.id}`, object.version === 0 ? { ...object, version: 1 } : object);
    for (const claim of claimsOf(object)) {
      assert(!claims.has(claim), `${claim} is claimed by two of the initial objects`);
      claims.set(claim, `${object.kind}/${object.id}`);
    }
  }

  function refusal(writes: readonly StoredWrite[]): BackendResult | undefined {
    for (const { kind, id, expectedVersion } of writes) {
      if ((stored.get(`${kind}/${id}`)?.version ?? 0) !== expectedVersion) return { kind: 'conflict', objectKind: kind, id };
    }
    const freed = new Set(writes.flatMap((write) => write.removeClaims));
    const taken = new Set<string>();
    for (const claim of writes.flatMap((write) => write.addClaims)) {
      if (taken.has(claim) || (claims.has(claim) && !freed.has(claim))) return { kind: 'claimed', claim };
      taken.add(claim);
    }
    return undefined;
  }

  function apply(writes: readonly StoredWrite[]): void {
    for (const { removeClaims } of writes) for (const claim of removeClaims) claims.delete(claim);
    for (const { kind, id, object, addClaims } of writes) {
      const key = `${kind}/${id}`;
      if (object) stored.set(key, { ...object, version: revision });
      else stored.delete(key);
      for (const claim of addClaims) claims.set(claim, key);
    }
  }

  return {
    async load() {
      isOpen = true;
      return { revision, objects: [...stored.values()].map((object) => ({ ...object })) };
    },
    async commit(writes) {
      // Never within the call: a listener of one commit may ask for the next.
      await Promise.resolve();
      if (!isOpen) throw new AppError('unavailable', 'the store is closed');
      const refused = refusal(writes);
      if (refused) return refused;
      revision++;
      apply(writes);
      listener?.(revision, writes);
      return { kind: 'committed', revision };
    },
    subscribe(next) {
      listener = next;
    },
    async close() {
      isOpen = false;
      listener = undefined;
    },
  };
}
