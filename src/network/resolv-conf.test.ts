import assert from 'node:assert/strict';
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { createHostResolvers, parseNameservers } from './resolv-conf.ts';

test('name servers are read in order, comments are not', () => {
  assert.deepEqual(parseNameservers('# nameserver 9.9.9.9\nsearch a\nnameserver 192.0.2.1\n  nameserver\t2001:db8::1 # x\nnameserver\n'), [
    '192.0.2.1',
    '2001:db8::1',
  ]);
});

test('the file is followed, and our own address is left out', () => {
  const folder = mkdtempSync(join(tmpdir(), 'skep-resolv-'));
  try {
    const path = join(folder, 'resolv.conf');
    const resolvers = createHostResolvers({ path, exclude: '169.254.53.53' });
    assert.deepEqual(resolvers.upstreams(), []);
    writeFileSync(path, 'nameserver 169.254.53.53\nnameserver 192.0.2.1\n');
    assert.deepEqual(resolvers.upstreams(), ['192.0.2.1']);
    writeFileSync(`${path}.new`, 'nameserver 192.0.2.2\n');
    renameSync(`${path}.new`, path);
    assert.deepEqual(resolvers.upstreams(), ['192.0.2.2']);
    rmSync(path);
    assert.deepEqual(resolvers.upstreams(), ['192.0.2.2']);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
