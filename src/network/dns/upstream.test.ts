import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseUpstream } from './upstream.ts';

test('resolvers are read in all their forms, and never the server itself', () => {
  const own = { address: '169.254.53.53', port: 53 };
  const table: [string, { address: string; port: number } | undefined][] = [
    ['192.0.2.1', { address: '192.0.2.1', port: 53 }],
    [' 192.0.2.1:5353 ', { address: '192.0.2.1', port: 5353 }],
    ['2001:db8::1', { address: '2001:db8::1', port: 53 }],
    ['[2001:db8::1]:5353', { address: '2001:db8::1', port: 5353 }],
    ['fe80::1%eth0', { address: 'fe80::1%eth0', port: 53 }],
    ['169.254.53.53', undefined],
    ['169.254.53.53:5353', { address: '169.254.53.53', port: 5353 }],
    ['192.0.2.1:0', undefined],
    ['192.0.2.1:70000', undefined],
    ['resolver.example', undefined],
    ['', undefined],
  ];
  for (const [text, expected] of table) assert.deepEqual(parseUpstream(text, own), expected, text);
  assert.equal(parseUpstream('127.0.0.1', { address: '0.0.0.0', port: 53 }), undefined);
});
