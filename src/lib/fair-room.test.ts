import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createFairRoom, placeOfAddress } from './fair-room.ts';

test('there are never more guests than there is room for, and nobody goes for a place that has more than his', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(5), fc.boolean()), { maxLength: 200 }),
      fc.integer({ min: 1, max: 10 }),
      fc.integer({ min: 1, max: 5 }),
      (steps, total, perPlace) => {
        const room = createFairRoom<number>({ total, perPlace });
        const inside = new Map<number, number>();
        const count = (place: number) => [...inside.values()].filter((other) => other === place).length;
        for (const [guest, [place, leaves]] of steps.entries()) {
          inside.set(guest, place);
          const evicted = room.enter(guest, String(place));
          if (evicted !== undefined) {
            const from = inside.get(evicted);
            assert(from !== undefined);
            assert(from === place || [0, 1, 2, 3, 4, 5].every((other) => count(other) <= count(from)));
            assert.equal(evicted, [...inside].find(([, other]) => other === from)?.[0], 'the oldest of its place goes');
            inside.delete(evicted);
          }
          if (leaves) {
            room.leave(guest);
            inside.delete(guest);
          }
          assert.equal(room.size, inside.size);
          assert(room.size <= total);
          assert([0, 1, 2, 3, 4, 5].every((other) => count(other) <= perPlace));
        }
      },
    ),
  );
});

test('an IPv6 address is from its network of 64 bits, an IPv4 one is itself', () => {
  assert.equal(placeOfAddress('2001:db8:1:2:aaaa::1'), placeOfAddress('2001:db8:1:2::7'));
  assert.notEqual(placeOfAddress('2001:db8:1:2::1'), placeOfAddress('2001:db8:1:3::1'));
  assert.equal(placeOfAddress('::ffff:192.0.2.1'), placeOfAddress('192.0.2.1'));
  assert.notEqual(placeOfAddress('192.0.2.2'), placeOfAddress('192.0.2.1'));
  assert.equal(placeOfAddress('fe80::1%eth0'), 'fe80::1%eth0');
});
