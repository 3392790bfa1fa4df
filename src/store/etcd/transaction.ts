// A commit as one etcd transaction, and why etcd refused it. Pure.
import type { Condition, Operation, TxnRequest, TxnResult } from '#etcd/messages.ts';
import { AppError } from '#lib/errors.ts';
import type { BackendResult, Fence, StoredWrite } from '../backend.ts';
import { writeChecked } from '../checked-json.ts';
import { holderText, type Keys } from './keys.ts';

interface Check {
  readonly condition: Condition;
  readonly refusal: BackendResult | 'fenced';
  /** What the commit writes under the key; null: it deletes it. */
  readonly written?: string | null;
}

export interface Transaction {
  readonly request: TxnRequest;
  /** Keys that it reads or writes: of two commits that share one, the second waits for the first. */
  readonly keys: readonly string[];
  /**
   * The revision at which an earlier try of this commit, whose answer never came, was written after all; undefined when it was not. For a refusal that was read
   * with values.
   */
  writtenAt(result: TxnResult): number | undefined;
  /** What a refusal by etcd means. */
  refusal(result: TxnResult): BackendResult;
}

export const FENCED = 'this manager does not lead the swarm any more; what it decided was not written';

/** `modRevisionOf` says at which revision of etcd an object of this version was written. */
export function createTransaction(
  writes: readonly StoredWrite[],
  keys: Keys,
  modRevisionOf: (key: string, version: number) => number,
  fence?: Fence,
): Transaction {
  const checks: Check[] = [];
  if (fence !== undefined) checks.push({ condition: { key: fence.key, modRevision: fence.revision }, refusal: 'fenced' });
  const objects: Operation[] = [];
  for (const { kind, id, object, expectedVersion } of writes) {
    const key = keys.object(kind, id);
    const condition = expectedVersion === 0 ? { key, createRevision: 0 } : { key, modRevision: modRevisionOf(key, expectedVersion) };
    const value = object === undefined ? undefined : writeChecked(object);
    checks.push({ condition, refusal: { kind: 'conflict', objectKind: kind, id }, written: value ?? null });
    objects.push(value === undefined ? { key } : { key, value });
  }
  const claims = claimOperations(writes, keys);
  const freed = new Set(writes.flatMap(({ removeClaims }) => removeClaims));
  for (const claim of writes.flatMap(({ addClaims }) => addClaims)) {
    // One that is given up in the same commit is held by its object, whose version is checked.
    if (!freed.has(claim)) checks.push({ condition: { key: keys.claim(claim), createRevision: 0 }, refusal: { kind: 'claimed', claim } });
  }
  const conditions = checks.map(({ condition }) => condition);
  const request = { compare: conditions, success: [...objects, ...claims], failure: conditions.map(({ key }) => key) };
  return {
    request,
    keys: request.success.map(({ key }) => key),
    writtenAt: ({ reads, revision }) => revisionWritten(checks, reads, revision),
    refusal: ({ reads }) => {
      const failed = checks.find(({ condition }, index) => !holds(condition, reads[index]?.[0]));
      if (failed === undefined) throw new AppError('internal', 'etcd refused a commit although all of its conditions hold');
      if (failed.refusal === 'fenced') throw new AppError('unavailable', FENCED);
      return failed.refusal;
    },
  };
}

function revisionWritten(checks: readonly Check[], reads: TxnResult['reads'], revision: number): number | undefined {
  const revisions = new Set<number>();
  for (const [index, { written }] of checks.entries()) {
    const found = reads[index]?.[0];
    if (written === undefined) continue;
    if ((found?.value ?? null) !== written) return undefined;
    if (found !== undefined) revisions.add(found.modRevision);
  }
  if (revisions.size > 1) return undefined;
  // Only deletions: they were written some time before.
  const [only = revision] = revisions;
  return only;
}

/** A claim that two writes of one commit want, before etcd is asked. */
export function claimedTwice(writes: readonly StoredWrite[]): string | undefined {
  const taken = new Set<string>();
  for (const claim of writes.flatMap(({ addClaims }) => addClaims)) {
    if (taken.has(claim)) return claim;
    taken.add(claim);
  }
  return undefined;
}

/** Each claim once: etcd takes no two operations on one key. */
function claimOperations(writes: readonly StoredWrite[], keys: Keys): readonly Operation[] {
  const operations = new Map<string, Operation>();
  for (const claim of writes.flatMap(({ removeClaims }) => removeClaims)) operations.set(claim, { key: keys.claim(claim) });
  for (const { kind, id, addClaims } of writes)
    for (const claim of addClaims) operations.set(claim, { key: keys.claim(claim), value: holderText({ kind, id }) });
  return [...operations.values()];
}

function holds(condition: Condition, found: { readonly createRevision: number; readonly modRevision: number } | undefined): boolean {
  if ('modRevision' in condition) return (found?.modRevision ?? 0) === condition.modRevision;
  return (found?.createRevision ?? 0) === condition.createRevision;
}
