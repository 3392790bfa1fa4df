import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseNanoCpus } from './basic.ts';
import { parseCsv } from './csv.ts';
import { environmentOf } from './environment.ts';
import { parseMoment } from './moment.ts';
import { parseMount } from './mount.ts';
import { parsePort } from './port.ts';
import { parseFileReference, parseNetwork } from './references.ts';
import { parseUlimit, shellWords } from './service.ts';

test('ports are read in the short and in the long form', () => {
  assert.deepEqual(parsePort('8080:80/udp').ports, [{ Protocol: 'udp', TargetPort: 80, PublishedPort: 8080, PublishMode: 'ingress' }]);
  assert.deepEqual(parsePort('80').ports, [{ Protocol: 'tcp', TargetPort: 80, PublishMode: 'ingress' }]);
  assert.deepEqual(
    parsePort('90-91:80-81').ports.map(({ PublishedPort, TargetPort }) => [PublishedPort, TargetPort]),
    [
      [90, 80],
      [91, 81],
    ],
  );
  assert.deepEqual(
    parsePort('90-91:80').ports.map(({ PublishedPort, TargetPort }) => [PublishedPort, TargetPort]),
    [
      [90, 80],
      [91, 80],
    ],
  );
  assert.match(parsePort('127.0.0.1:80:80').warning ?? '', /ignoring IP-address \(127\.0\.0\.1:80:80\/tcp\)/);
  assert.throws(() => parsePort('published=1'), /missing mandatory field 'target'/);
  assert.throws(() => parsePort('1-2:3-5'), /invalid ranges specified/);
});

test('mounts are read and mixed options refused', () => {
  assert.deepEqual(parseMount('type=bind,source=/a,target=/b,ro'), { Type: 'bind', Source: '/a', Target: '/b', ReadOnly: true });
  assert.deepEqual(parseMount('type=tmpfs,dst=/t,tmpfs-size=1m,tmpfs-mode=1777').TmpfsOptions, { SizeBytes: 2 ** 20, Mode: 0o1777 });
  assert.throws(() => parseMount('type=bind,volume-nocopy,target=/a'), /cannot mix 'volume-\*' options with mount type 'bind'/);
  assert.throws(() => parseMount('source=/a'), /target is required/);
  assert.throws(() => parseMount('bogus=1,target=/a'), /unexpected key 'bogus' in 'bogus=1'/);
});

test('networks, secrets and configs are names or keys', () => {
  assert.deepEqual(parseNetwork('n'), { Target: 'n' });
  assert.deepEqual(parseNetwork('name=n,alias=a,driver-opt=k=v'), { Target: 'n', Aliases: ['a'], DriverOpts: { k: 'v' } });
  assert.deepEqual(parseFileReference('s'), { source: 's', target: 's', uid: '0', gid: '0', mode: 0o444 });
  assert.deepEqual(parseFileReference('source=s,target=t,mode=0400,uid=5'), { source: 's', target: 't', uid: '5', gid: '0', mode: 0o400 });
  assert.throws(() => parseFileReference('target=t'), /source is required/);
});

test('other values', () => {
  assert.equal(parseNanoCpus('.5'), 500_000_000);
  assert.throws(() => parseNanoCpus('0.0000000001'), /value is too precise/);
  assert.deepEqual(parseUlimit('nofile=10:20'), { Name: 'nofile', Hard: 20, Soft: 10 });
  assert.deepEqual(parseUlimit('nofile=10'), { Name: 'nofile', Hard: 10, Soft: 10 });
  assert.deepEqual(parseCsv('a,"b,""c",d'), ['a', 'b,"c', 'd']);
  assert.deepEqual(shellWords(`sh -c "a 'b' \\"c" d\\ e '' # f`), ['sh', '-c', `a 'b' "c`, 'd e', '']);
  assert.deepEqual(environmentOf([], ['A=1', 'B', 'C', 'A=2'], { B: 'x' }), ['B=x', 'C', 'A=2']);
  assert.equal(parseMoment('42m', 3_600_000), '1080.000000000');
  assert.equal(parseMoment('2013-01-02T13:23:37Z', 0), '1357133017.000000000');
  assert.throws(() => parseMoment('yesterday', 0), /failed to parse value as time or duration/);
});
