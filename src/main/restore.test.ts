import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Cluster } from '#domain/objects.ts';
import { addressesToBe, assertUnderstood, type Restored } from './restore.ts';

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

test('a state that means more than this skepd knows is refused, with the version that knows it', () => {
  const restored = (level?: number): Restored => ({
    header: { schema: 1, createdAt: '', clusterId: 'c', nodeId: 'n', revision: 1, program: '9.9.9', key: { kind: 'plain', key: '' }, salt: '', nonce: '' },
    contents: { revision: 1, objects: [{ kind: 'cluster', id: 'c', ...(level === undefined ? {} : { level }) } as Cluster], node: {} as never },
    dataKey: new Uint8Array(32),
  });
  assert.throws(() => assertUnderstood(restored(3), 2), { code: 'failedPrecondition', message: /level 3; it knows up to 2\): restore it with skepd 9\.9\.9/ });
  assertUnderstood(restored(2), 2);
  assertUnderstood(restored(), 1);
});
