import assert from 'node:assert/strict';
import { test } from 'node:test';
import { devicesOfLearnedRoutes } from './gateway-bridge.ts';

const zero = '0'.repeat(32);
const line = (flags: string, device: string) => `${zero} 00 ${zero} 00 fe800000000000000000000000000001 00000400 00000001 00000000 ${flags}     ${device}`;

test('a default route that a router has told of is found by its flags, one that somebody has set is not', () => {
  assert.deepEqual(
    devicesOfLearnedRoutes(['', line('00450003', 'eth0'), line('00450003', 'eth0'), line('00000003', 'eth1'), line('00200200', 'lo')].join('\n')),
    ['eth0'],
  );
  assert.deepEqual(devicesOfLearnedRoutes(''), []);
});
