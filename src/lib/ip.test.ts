import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  formatIp,
  formatIpv4,
  formatIpv4Subnet,
  formatSubnet,
  ipv4SubnetContains,
  ipv4SubnetCovers,
  ipv4SubnetOf,
  ipv4SubnetsIn,
  ipv4SubnetsOverlap,
  lastIpv4,
  parseCidr,
  parseIp,
  parseIpv4,
  parseIpv4Cidr,
  subnetContains,
  subnetsOverlap,
} from './ip.ts';

const anyAddress = fc.integer({ min: 0, max: 0xffffffff });
const anySubnet = fc.tuple(anyAddress, fc.integer({ min: 0, max: 32 })).map(([address, prefix]) => ipv4SubnetOf(address, prefix));

test('an IPv4 address survives formatting and parsing', () => {
  fc.assert(fc.property(anyAddress, (address) => assert.equal(parseIpv4(formatIpv4(address)), address)));
});

test('what is no dotted quad is refused', () => {
  for (const text of ['', '1', '1.2.3', '1.2.3.4.5', '256.1.1.1', '01.2.3.4', '1.2.3.4 ', '1.2.3.x', '-1.2.3.4', '1..2.3'])
    assert.equal(parseIpv4(text), undefined, text);
});

test('a CIDR gives its address and its subnet', () => {
  const parsed = parseIpv4Cidr('10.0.1.5/24');
  assert.equal(parsed?.address, parseIpv4('10.0.1.5'));
  assert.equal(formatIpv4Subnet(parsed?.subnet ?? { base: 0, prefix: 0 }), '10.0.1.0/24');
  for (const text of ['10.0.0.0', '10.0.0.0/33', '10.0.0.0/-1', '10.0.0/8', '/24', '10.0.0.0/']) assert.equal(parseIpv4Cidr(text), undefined, text);
});

test('a subnet contains its first and last address and not their neighbours', () => {
  fc.assert(
    fc.property(anySubnet, (subnet) => {
      assert.ok(ipv4SubnetContains(subnet, subnet.base));
      assert.ok(ipv4SubnetContains(subnet, lastIpv4(subnet)));
      assert.ok(!ipv4SubnetContains(subnet, subnet.base - 1));
      assert.ok(!ipv4SubnetContains(subnet, lastIpv4(subnet) + 1));
    }),
  );
});

test('two subnets overlap exactly when one covers the other', () => {
  fc.assert(fc.property(anySubnet, anySubnet, (a, b) => assert.equal(ipv4SubnetsOverlap(a, b), ipv4SubnetCovers(a, b) || ipv4SubnetCovers(b, a))));
});

test('a pool is divided into subnets without gap or overlap', () => {
  const pool = parseIpv4Cidr('10.0.0.0/22')?.subnet ?? assert.fail();
  assert.deepEqual([...ipv4SubnetsIn(pool, 24)].map(formatIpv4Subnet), ['10.0.0.0/24', '10.0.1.0/24', '10.0.2.0/24', '10.0.3.0/24']);
  assert.equal([...ipv4SubnetsIn({ base: parseIpv4('255.255.255.0') ?? 0, prefix: 24 }, 25)].length, 2);
});

test('IPv6 is read in all its forms and written in the shortest', () => {
  const forms: readonly (readonly [string, string])[] = [
    ['::', '::'],
    ['::1', '::1'],
    ['2001:DB8:0:0:0:0:0:1', '2001:db8::1'],
    ['fe80::1:0:0:1', 'fe80::1:0:0:1'],
    ['1:2:3:4:5:6:7:8', '1:2:3:4:5:6:7:8'],
    ['64:ff9b::10.0.0.1', '64:ff9b::a00:1'],
    ['::ffff:10.0.0.1', '10.0.0.1'],
  ];
  for (const [text, expected] of forms) assert.equal(formatIp(parseIp(text) ?? assert.fail(text)), expected);
  for (const text of ['', ':', ':::', '1:2:3', '1:2:3:4:5:6:7:8:9', '1::2::3', 'g::1', '12345::', '1.2.3.4::', '1:2:3:4:5:6:7::8']) {
    if (text === '1:2:3:4:5:6:7::8') assert.equal(parseIp(text), undefined, 'a double colon stands for one group at least');
    else assert.equal(parseIp(text), undefined, text);
  }
});

test('an IPv6 address survives formatting and parsing', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: (1n << 128n) - 1n }), (value) => {
      const family = value >> 32n === 0xffffn ? 4 : 6;
      const address = { family, value: family === 4 ? value & 0xffffffffn : value } as const;
      assert.deepEqual(parseIp(formatIp(address)), address);
    }),
  );
});

test('subnets of either family compare by their family', () => {
  const six = parseCidr('2001:db8::5/32')?.subnet ?? assert.fail();
  const four = parseCidr('0.0.0.0/0')?.subnet ?? assert.fail();
  assert.equal(formatSubnet(six), '2001:db8::/32');
  assert.ok(subnetContains(six, parseIp('2001:db8:ffff::1') ?? assert.fail()));
  assert.ok(!subnetContains(four, parseIp('2001:db8::1') ?? assert.fail()));
  assert.ok(subnetsOverlap(four, parseCidr('10.0.0.0/8')?.subnet ?? assert.fail()));
  assert.ok(!subnetsOverlap(four, six));
});
