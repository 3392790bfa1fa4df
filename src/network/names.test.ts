import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { DEFAULT_SLOT, hex, macOf, meshAddressOf, meshMacOf, namesOf, nodeMark, slotCandidates, slotOfAddress, stateKeyOf } from './names.ts';

const slots = fc.integer({ min: 1, max: 254 });

test('the first skepd of a machine has plain names', () => {
  const names = namesOf(DEFAULT_SLOT, '0123abcd');
  assert.equal(names.driver, 'skep');
  assert.equal(names.dnsAddress, '169.254.53.53');
  assert.equal(names.dnsLabel, 'lo:sk0123abcd');
  assert.equal(names.namespace(4097), 'skep-4097');
  assert.equal(names.meshDevice, 'swm0');
  assert.equal(hex(names.mark), '0x40000000');
  assert.equal(hex(nodeMark(names, 3)), '0x40000003');
});

test('two skepds share no name, address, mark or rule priority', () => {
  fc.assert(
    fc.property(slots, slots, fc.integer({ min: 1, max: 2 ** 24 - 1 }), fc.integer({ min: 1, max: 65_535 }), (a, b, vxlanId, index) => {
      fc.pre(a !== b);
      const all = (slot: number) => {
        const names = namesOf(slot, '0123abcd');
        const numbers = [names.rulePriority.exception, names.rulePriority.nodes, names.mark, nodeMark(names, index)];
        return [names.driver, names.dnsAddress, names.table, names.meshDevice, names.namespace(vxlanId), names.hostPort('0123456789'), ...numbers.map(String)];
      };
      const other = new Set(all(b));
      assert.deepEqual(
        all(a).filter((name) => other.has(name)),
        [],
      );
      assert.equal(namesOf(a, '').vxlanIdOf(namesOf(b, '').namespace(vxlanId)), undefined);
      assert.equal(namesOf(a, '').vxlanIdOf(namesOf(a, '').namespace(vxlanId)), vxlanId);
      assert.ok(!namesOf(a, '').isHostPort(namesOf(b, '').hostPort('0123456789')));
    }),
  );
});

test('names of devices and labels fit into the 15 characters that the kernel has for them', () => {
  fc.assert(
    fc.property(slots, (slot) => {
      const names = namesOf(slot, stateKeyOf('/var/lib/skep'));
      for (const name of [names.meshDevice, names.hostPort('0123456789abcdef'), names.dnsLabel]) assert.ok(name.length <= 15, name);
    }),
  );
});

test('every slot is a candidate once; the one held before comes first, then the default', () => {
  const candidates = slotCandidates('0000abcd', 7);
  assert.deepEqual(candidates.slice(0, 2), [7, DEFAULT_SLOT]);
  assert.equal(candidates.length, 254);
  assert.equal(new Set(candidates).size, 254);
  assert.equal(slotCandidates('0000abcd', undefined)[0], DEFAULT_SLOT);
  assert.notEqual(slotCandidates('00000001', undefined)[1], slotCandidates('00000002', undefined)[1]);
});

test('addresses follow from numbers', () => {
  assert.equal(macOf('10.0.1.254'), '02:42:0a:00:01:fe');
  assert.equal(meshAddressOf(1), '198.18.0.1');
  assert.equal(meshAddressOf(258), '198.18.1.2');
  assert.equal(meshMacOf(258), '02:53:00:00:01:02');
  assert.equal(slotOfAddress('169.254.53.7'), 7);
  assert.equal(slotOfAddress('127.0.0.1'), undefined);
});
