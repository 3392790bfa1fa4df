import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AppError } from '#lib/errors.ts';
import { makeService } from './fixtures.ts';
import { assertSpecFits, MAX_COMMIT_BYTES, splitByWeight, weightOf } from './weight.ts';

const service = (id: string, bytes: number) => {
  const made = makeService(id);
  return { ...made, spec: { ...made.spec, labels: { filler: 'x'.repeat(bytes) } } };
};

test('what a user sets must fit into a transaction, in the words of SwarmKit', () => {
  assertSpecFits(service('small', 1_000_000));
  assert.throws(
    () => assertSpecFits(service('large', 1_700_000)),
    (error: AppError) => error.httpStatus === 500 && error.message === "rpc error: code = Unknown desc = raft: raft message is too large and can't be sent",
  );
});

test('changes that are too heavy together go in parts, in order and none twice', () => {
  const changes = Array.from({ length: 100 }, (_, index) => ({ action: 'create', object: service(`s${index}`, 1_000_000) }) as const);
  const parts = splitByWeight(changes);
  assert.deepEqual(parts.flat(), changes);
  assert(parts.length > 1);
  for (const part of parts) assert(part.reduce((sum, { object }) => sum + weightOf(object), 0) <= MAX_COMMIT_BYTES);
  assert.deepEqual(splitByWeight(changes.slice(0, 5)), [changes.slice(0, 5)]);
});
