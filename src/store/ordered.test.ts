import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { itemsOf, itemsWithPrefix, type Ordered, withItem, withoutItem } from './ordered.ts';

interface Item {
  readonly id: string;
  readonly value: number;
}

const ids = fc.string({ unit: fc.constantFrom('a', 'b', 'c', '0'), minLength: 1, maxLength: 6 });
const steps = fc.array(fc.record({ id: ids, value: fc.nat(), remove: fc.boolean() }), { maxLength: 3_000, size: 'max' });

test('an ordered collection is a map that is walked in order of id, and older values stay as they were', () => {
  fc.assert(
    fc.property(steps, ids, fc.nat(50), (operations, prefix, limit) => {
      const model = new Map<string, Item>();
      let ordered: Ordered<Item> = [];
      let snapshot: { readonly ordered: Ordered<Item>; readonly items: readonly Item[] } | undefined;
      for (const [index, { id, value, remove }] of operations.entries()) {
        if (remove) model.delete(id);
        else model.set(id, { id, value });
        ordered = remove ? withoutItem(ordered, id) : withItem(ordered, { id, value });
        if (index === operations.length >> 1) snapshot = { ordered, items: [...itemsOf(ordered)] };
      }
      const expected = [...model.values()].toSorted((a, b) => (a.id < b.id ? -1 : 1));
      assert.deepEqual([...itemsOf(ordered)], expected);
      assert.ok(ordered.every((chunk) => chunk.length > 0 && chunk.length <= 256));
      assert.deepEqual(itemsWithPrefix(ordered, prefix, limit), expected.filter(({ id }) => id.startsWith(prefix)).slice(0, limit));
      if (snapshot) assert.deepEqual([...itemsOf(snapshot.ordered)], snapshot.items);
    }),
    { numRuns: 60 },
  );
});

test('ids that only grow fill the chunks', () => {
  let ordered: Ordered<Item> = [];
  for (let index = 0; index < 2_000; index++) ordered = withItem(ordered, { id: String(index).padStart(5, '0'), value: index });
  assert.ok(ordered.length <= 9, `${ordered.length} chunks`);
  assert.equal([...itemsOf(ordered)].length, 2_000);
});
