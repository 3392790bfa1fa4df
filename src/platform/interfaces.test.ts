import assert from 'node:assert/strict';
import { networkInterfaces } from 'node:os';
import { test } from 'node:test';
import { interfacesOf, systemInterfaces } from './interfaces.ts';

const eth0 = { ifname: 'eth0', flags: ['UP', 'LOWER_UP'], address: '02:00:00:00:00:01', addr_info: [{ family: 'inet', local: '192.0.2.1', prefixlen: 24 }] };
/** Up, and its carrier is not known yet. */
const lan0 = { ifname: 'lan0', flags: ['NO-CARRIER', 'UP'], addr_info: [{ family: 'inet6', local: 'fd00::1', prefixlen: 64 }] };

test('a link that has no carrier yet has its address, and counts as internal', () => {
  const interfaces = interfacesOf([eth0, lan0, { ifname: 'none', flags: ['UP'] }, {}]);
  assert.deepEqual(Object.keys(interfaces), ['eth0', 'lan0']);
  assert.deepEqual(
    Object.values(interfaces)
      .flat()
      .map(({ address, family, internal }) => [address, family, internal]),
    [
      ['192.0.2.1', 'IPv4', false],
      ['fd00::1', 'IPv6', true],
    ],
  );
});

test('this machine has at least the addresses that Node knows', () => {
  const addresses = Object.values(systemInterfaces()).flatMap((all) => (all ?? []).map(({ address }) => address));
  for (const { address } of Object.values(networkInterfaces()).flatMap((all) => all ?? [])) assert(addresses.includes(address), address);
});
