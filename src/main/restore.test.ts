import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addressesToBe } from './restore.ts';

const interfaces = (address: string) => ({ eth0: [{ address, family: 'IPv4' as const, internal: false, netmask: '', mac: '', cidr: null }] });
const nothing = { listenAddr: '', advertiseAddr: '', dataPathAddr: '' };
const before = { listenAddr: '192.0.2.1:3377', advertiseAddr: '192.0.2.1:3377', dataPathAddr: '192.0.2.1' };

test('a restored node has the addresses that it had where this machine still has them', () => {
  assert.deepEqual(addressesToBe(nothing, before, nothing, interfaces('192.0.2.1')), before);
});

test("on another machine it has that one's addresses, and what listened on all addresses does so again", () => {
  assert.deepEqual(addressesToBe(nothing, before, nothing, interfaces('192.0.2.9')), {
    listenAddr: '0.0.0.0:2377',
    advertiseAddr: '192.0.2.9:2377',
    dataPathAddr: '192.0.2.9',
  });
  const everywhere = { ...before, listenAddr: '0.0.0.0:3377' };
  assert.equal(addressesToBe(nothing, everywhere, nothing, interfaces('192.0.2.9')).advertiseAddr, '192.0.2.9:3377');
});

test('what the user asks for comes first, then what the daemon was told', () => {
  const daemon = { ...nothing, advertiseAddr: '192.0.2.5' };
  assert.equal(addressesToBe(nothing, before, daemon, interfaces('192.0.2.1')).advertiseAddr, '192.0.2.5:3377');
  assert.equal(addressesToBe({ ...nothing, advertiseAddr: '192.0.2.6:1' }, before, daemon, interfaces('192.0.2.1')).advertiseAddr, '192.0.2.6:1');
});
