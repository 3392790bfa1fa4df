import assert from 'node:assert/strict';
import type { NetworkInterfaceInfo } from 'node:os';
import { test } from 'node:test';
import { resolveNodeAddresses } from './addresses.ts';

const ipv4 = (address: string, internal = false): NetworkInterfaceInfo => ({
  address,
  internal,
  family: 'IPv4',
  netmask: '255.255.255.0',
  mac: '',
  cidr: null,
});
const loopback = { lo: [ipv4('127.0.0.1', true)] };
const one = { ...loopback, eth0: [ipv4('192.0.2.10')], docker0: [ipv4('172.17.0.1')] };
const two = { ...one, eth1: [ipv4('198.51.100.7')] };
const ask = (request: object, interfaces: Parameters<typeof resolveNodeAddresses>[1] = one) =>
  resolveNodeAddresses({ listenAddr: '0.0.0.0:2377', advertiseAddr: '', dataPathAddr: '', ...request }, interfaces);

test("the system's only address is advertised with the port that is listened on", () => {
  assert.deepEqual(ask({}), { listenAddr: '0.0.0.0:2377', advertiseAddr: '192.0.2.10:2377', dataPathAddr: '192.0.2.10' });
  assert.equal(ask({ listenAddr: '0.0.0.0:3000' }).advertiseAddr, '192.0.2.10:3000');
});

test('interfaces may be named for every address', () => {
  assert.deepEqual(ask({ listenAddr: 'eth1', advertiseAddr: 'eth0:4000', dataPathAddr: 'eth1' }, two), {
    listenAddr: '198.51.100.7:2377',
    advertiseAddr: '192.0.2.10:4000',
    dataPathAddr: '198.51.100.7',
  });
});

test('several addresses need a choice, in the words of Docker', () => {
  assert.throws(() => ask({}, two), {
    message:
      'could not choose an IP address to advertise since this system has multiple addresses on different interfaces (192.0.2.10 on eth0 and 198.51.100.7 on eth1)',
  });
  assert.throws(() => ask({}, { eth0: [ipv4('192.0.2.10'), ipv4('192.0.2.11')] }), {
    message: 'could not choose an IP address to advertise since this system has multiple addresses on interface eth0 (192.0.2.10 and 192.0.2.11)',
  });
  assert.throws(() => ask({}, loopback), { message: "could not find the system's IP address" });
});

test('bad addresses are refused', () => {
  assert.throws(() => ask({ listenAddr: '' }), { message: 'invalid ListenAddr "": invalid empty address' });
  assert.throws(() => ask({ listenAddr: 'nonsense:1' }), { message: 'listen address must be an IP address or network interface (with optional port number)' });
  assert.throws(() => ask({ advertiseAddr: '0.0.0.0' }), {
    message: 'advertise address must be a non-zero IP address or network interface (with optional port number)',
  });
  assert.throws(() => ask({ dataPathAddr: '1.2.3.4:5' }), {
    message: 'data path address must be a non-zero IP address or network interface (without a port number)',
  });
  assert.throws(() => ask({ advertiseAddr: '203.0.113.1' }, two), { message: /must specify a listening address/ });
});

test('whoever advertises an address of IPv6 listens on it, and it is written in its usual form', () => {
  assert.deepEqual(ask({ advertiseAddr: '2001:DB8:0::1', dataPathAddr: '2001:db8::0:1' }), {
    listenAddr: '[::]:2377',
    advertiseAddr: '[2001:db8::1]:2377',
    dataPathAddr: '2001:db8::1',
  });
  assert.equal(ask({ advertiseAddr: '[2001:db8::1]:4000' }).advertiseAddr, '[2001:db8::1]:4000');
  assert.equal(ask({ listenAddr: '[2001:db8::1]:2377', advertiseAddr: '2001:db8::1' }).listenAddr, '[2001:db8::1]:2377');
});

test('an address on a link that has no carrier yet is the data path when it is advertised, and is not chosen unasked', () => {
  const comingUp = { ...one, lan0: [ipv4('198.51.100.7', true)] };
  assert.equal(ask({ advertiseAddr: '198.51.100.7' }, comingUp).dataPathAddr, '198.51.100.7');
  assert.equal(ask({ advertiseAddr: 'lan0' }, comingUp).dataPathAddr, '198.51.100.7');
  assert.equal(ask({}, comingUp).advertiseAddr, '192.0.2.10:2377');
});
