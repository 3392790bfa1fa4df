import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isIntact, readChecked, writeChecked } from './checked-json.ts';

test('what is written is read again, by programs that know nothing of checksums too', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string({ unit: 'binary' }), fc.jsonValue()), (value) => {
      const plain = JSON.parse(JSON.stringify(value)) as unknown;
      assert.deepEqual(readChecked(writeChecked(value)), plain);
      assert.deepEqual(JSON.parse(writeChecked(value)), plain);
      assert.deepEqual(readChecked(JSON.stringify(value)), plain);
    }),
  );
});

test('any bit that changes is noticed', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.string()), fc.nat(), fc.nat(7), (value, at, bit) => {
      const bytes = Buffer.from(writeChecked(value));
      const index = at % bytes.length;
      bytes.writeUInt8(bytes.readUInt8(index) ^ (1 << bit), index);
      assert.equal(isIntact(bytes.toString()), false);
      assert.throws(() => readChecked(bytes.toString()), SyntaxError);
    }),
    { numRuns: 2_000 },
  );
});
