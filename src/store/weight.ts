// How many bytes changes take, roughly, and how many may go together: etcd takes requests up to a limit, and what no commit can hold would be tried for ever.
import type { StoreObject } from '#domain/objects.ts';
import type { Change } from '#domain/view.ts';
import { rpcError } from '#lib/errors.ts';

/** Well below etcd's largest request (64 MiB), because the rest of an object is only guessed. */
export const MAX_COMMIT_BYTES = 24 * 1024 * 1024;
/** SwarmKit's largest transaction: what a user sets must fit into one, with the spec that it replaces. */
const MAX_SPEC_BYTES = 1.5 * 1024 * 1024;
/** Of an object without its specs. */
const REST_BYTES = 2_000;

/** A service's tasks share its spec, and nothing changes a spec in place. */
const known = new WeakMap<object, number>();

export function weightOf(object: StoreObject): number {
  const { spec, previousSpec } = object as { readonly spec?: object; readonly previousSpec?: object };
  return REST_BYTES + bytesOf(spec) + bytesOf(previousSpec);
}

/** Throws AppError in SwarmKit's words for a spec that no commit would take. */
export function assertSpecFits(object: StoreObject): void {
  if (bytesOf((object as { readonly spec?: object }).spec) > MAX_SPEC_BYTES) throw rpcError('unknown', "raft: raft message is too large and can't be sent");
}

/** The changes in their order, in parts that a commit takes; almost always one. */
export function splitByWeight(changes: readonly Change[]): readonly (readonly Change[])[] {
  const parts: Change[][] = [[]];
  let bytes = 0;
  for (const change of changes) {
    const weight = weightOf(change.object);
    if (bytes > 0 && bytes + weight > MAX_COMMIT_BYTES) {
      parts.push([]);
      bytes = 0;
    }
    bytes += weight;
    parts.at(-1)?.push(change);
  }
  return parts;
}

function bytesOf(spec: object | undefined): number {
  if (spec === undefined) return 0;
  const cached = known.get(spec);
  if (cached !== undefined) return cached;
  const { length } = JSON.stringify(spec);
  known.set(spec, length);
  return length;
}
