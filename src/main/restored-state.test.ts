import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Cluster, Node } from '#domain/objects.ts';
import { makeService } from '#store/fixtures.ts';
import { restoredObjects, restoreWarnings } from './restored-state.ts';

const meta = { version: 3, createdAt: 1, updatedAt: 2 };
const cluster = { ...meta, kind: 'cluster', id: 'c1', etcdAuthority: { certificate: 'x', sealedKey: 'y' } } as unknown as Cluster;
const aNode = (id: string, index: number, address?: string): Node => ({
  ...meta,
  kind: 'node',
  id,
  index,
  role: address === undefined ? 'worker' : 'manager',
  spec: { labels: {}, role: address === undefined ? 'worker' : 'manager', availability: 'active' },
  status: { state: 'ready', address: '' },
  ...(address === undefined ? {} : { manager: { leader: index === 1, reachability: 'reachable' as const, address } }),
});
const objects = [cluster, aNode('a', 1, '192.0.2.1:2377'), aNode('b', 2, '192.0.2.2:2377'), aNode('w', 3), makeService('s')];

test('the restored node is the only manager; the others are workers, and the old etcd is a stranger', () => {
  const self = { nodeId: 'b', advertiseAddr: '192.0.2.9:2377', keyDigest: 'k', epoch: 7 };
  const restored = restoredObjects(objects, self);
  const nodes = restored.filter((object): object is Node => object.kind === 'node');
  assert.deepEqual(
    nodes.map(({ id, role, spec, manager }) => [id, role, spec.role, manager?.address]),
    [
      ['a', 'worker', 'worker', undefined],
      ['b', 'manager', 'manager', '192.0.2.9:2377'],
      ['w', 'worker', 'worker', undefined],
    ],
  );
  assert.deepEqual(nodes[1]?.manager?.leader, true);
  assert.deepEqual(nodes[1]?.keyDigests, ['k']);
  assert.equal((restored[0] as Cluster).etcdAuthority, undefined);
  assert.deepEqual(restored[4], objects[4]);
});

test('the user is told what becomes of the managers of before, and what workers that know another address need', () => {
  const [others, lost] = restoreWarnings(objects, { nodeId: 'b', advertiseAddr: '192.0.2.9:2377' });
  assert.match(others ?? '', /become its workers once they can be reached from here, and may be promoted again: a\.$/);
  assert.match(lost ?? '', /Workers look for their managers at 192\.0\.2\.1:2377, 192\.0\.2\.2:2377, and this one is at 192\.0\.2\.9:2377/);
  assert.equal(restoreWarnings(objects, { nodeId: 'b', advertiseAddr: '192.0.2.1:2377' }).length, 1);
  assert.deepEqual(restoreWarnings([cluster, aNode('a', 1, '192.0.2.1:2377')], { nodeId: 'a', advertiseAddr: '192.0.2.7:2377' }), []);
});

test('what the daemon of old was counts for nothing: the one that is here now tells what it knows', () => {
  const described = { ...aNode('a', 1, '192.0.2.1:2377'), description: { hostname: 'h', daemon: { version: 'x', level: 7 } } } as unknown as Node;
  const [node] = restoredObjects([described], { nodeId: 'a', advertiseAddr: '192.0.2.1:2377', keyDigest: 'k', epoch: 7 });
  assert.deepEqual((node as Node).description, { hostname: 'h' });
});
