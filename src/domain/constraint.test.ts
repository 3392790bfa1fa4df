import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { AppError } from '#lib/errors.ts';
import { matchesConstraints, parseConstraints } from './constraint.ts';
import type { Node } from './objects.ts';

const node: Node = {
  kind: 'node',
  id: 'n1abc',
  version: 1,
  createdAt: 0,
  updatedAt: 0,
  index: 1,
  role: 'manager',
  spec: { labels: { rack: 'R1', 'com.example.Zone': 'a' }, role: 'manager', availability: 'active' },
  status: { state: 'ready', address: '10.1.2.3' },
  description: {
    hostname: 'Host-A',
    dataPathAddress: '10.1.2.3',
    platform: { os: 'linux', architecture: 'x86_64' },
    resources: {},
    engine: { version: '1', labels: { storage: 'ssd' }, plugins: [] },
  },
};

function matches(...expressions: readonly string[]): boolean {
  return matchesConstraints(parseConstraints(expressions), node);
}

test('each key of a node can be compared', () => {
  for (const expression of [
    'node.id==n1abc',
    'node.id == N1ABC',
    'node.hostname==host-a',
    'node.role==manager',
    'NODE.ROLE==Manager',
    'node.role!=worker',
    'node.platform.os==linux',
    'node.platform.arch==x86_64',
    'node.platform.arch==amd64',
    'node.platform.arch!=arm64',
    'node.labels.rack==r1',
    'node.labels.com.example.Zone==a',
    'node.labels.missing!=x',
    'engine.labels.storage==SSD',
    'engine.labels.missing!=hdd',
    'node.ip==10.1.2.3',
    'node.ip==10.1.0.0/16',
    'node.ip!=10.2.0.0/16',
    'node.ip!=2001:db8::1',
  ]) {
    assert.ok(matches(expression), expression);
  }
});

test('what differs does not match', () => {
  for (const expression of [
    'node.id==n1',
    'node.role!=manager',
    'node.platform.arch!=amd64',
    'node.labels.Rack==r1',
    'node.labels.missing==x',
    'node.labels.constructor==x',
    'node.ip==10.1.2.4',
    'node.ip!=10.1.0.0/16',
    'node.ip!=nonsense',
    'unknown.key==x',
    'unknown.key!=x',
    'node.labels.==x',
  ]) {
    assert.ok(!matches(expression), expression);
  }
});

test('all constraints must hold', () => {
  assert.ok(matches('node.role==manager', 'node.labels.rack==r1'));
  assert.ok(!matches('node.role==manager', 'node.labels.rack==r2'));
  assert.ok(matches());
});

test('a node that was never described has an empty hostname and platform', () => {
  const { description: _description, ...bare } = node;
  assert.ok(!matchesConstraints(parseConstraints(['node.hostname==x']), bare));
  assert.ok(matchesConstraints(parseConstraints(['node.hostname!=x', 'engine.labels.a!=b']), bare));
});

test("a bad expression is refused in SwarmKit's words", () => {
  const cases: readonly (readonly [string, string])[] = [
    ['node.role', 'rpc error: code = Unknown desc = constraint expected one operator from ==, !='],
    ['node.role>manager', 'rpc error: code = Unknown desc = constraint expected one operator from ==, !='],
    ['1x==y', "rpc error: code = Unknown desc = key '1x' is invalid"],
    ['a!=b==c', "rpc error: code = Unknown desc = key 'a!=b' is invalid"],
    ['node.role==', "rpc error: code = Unknown desc = value '' is invalid"],
    ['node.role==a==b', "rpc error: code = Unknown desc = value 'a==b' is invalid"],
  ];
  for (const [expression, message] of cases) {
    assert.throws(
      () => parseConstraints([expression]),
      (error) => error instanceof AppError && error.message === message && error.httpStatus === 500,
      expression,
    );
  }
});

test('parsing either gives constraints or throws an AppError, and an accepted pair of == and != never both match', () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), (key, value) => {
      try {
        const [equal, different] = parseConstraints([`${key}==${value}`, `${key}!=${value}`]);
        if (equal && different) assert.ok(!(matchesConstraints([equal], node) && matchesConstraints([different], node)));
      } catch (error) {
        assert.ok(error instanceof AppError, String(error));
      }
    }),
  );
});
