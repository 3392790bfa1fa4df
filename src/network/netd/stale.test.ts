import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cluster, inputs, local, overlayNetwork } from '../fixtures.ts';
import { DEFAULT_SLOT, namesOf } from '../names.ts';
import { factsOf, findStale } from './stale.ts';

const names = namesOf(DEFAULT_SLOT, '');
const before = factsOf(inputs, names);

test('nothing is stale without a past, nor without a change', () => {
  assert.deepEqual(findStale(undefined, before), { answeredBy: [], udpPorts: [] });
  assert.deepEqual(findStale(before, before), { answeredBy: [], udpPorts: [] });
});

test('connections to a task that is gone are forgotten, in its network and on the host', () => {
  const after = factsOf(
    { ...inputs, local: { ...local, endpoints: [] }, cluster: { ...cluster, networks: [{ ...overlayNetwork, endpoints: overlayNetwork.endpoints.slice(1) }] } },
    names,
  );
  assert.deepEqual(findStale(before, after).answeredBy, [
    { namespace: 'skep-4097', addresses: ['10.0.1.11'] },
    { namespace: undefined, addresses: ['172.18.0.2'] },
  ]);
});

test('connections through a node that has left are forgotten', () => {
  const after = factsOf({ ...inputs, cluster: { ...cluster, nodes: cluster.nodes.slice(0, 1) } }, names);
  assert.deepEqual(findStale(before, after).answeredBy, [{ namespace: undefined, addresses: ['198.18.0.2'] }]);
});

test('what is on a node that is down is gone as well, but not what is here', () => {
  const down = (position: number) => cluster.nodes.map((node, index) => (index === position ? { ...node, down: true as const } : node));
  const other = findStale(before, factsOf({ ...inputs, cluster: { ...cluster, nodes: down(1) } }, names)).answeredBy;
  const there = overlayNetwork.endpoints.filter(({ nodeId }) => nodeId === cluster.nodes[1]?.nodeId).map(({ address }) => address);
  assert.deepEqual(other, [
    { namespace: 'skep-4097', addresses: there },
    { namespace: undefined, addresses: ['198.18.0.2'] },
  ]);
  assert.deepEqual(findStale(before, factsOf({ ...inputs, cluster: { ...cluster, nodes: down(0) } }, names)).answeredBy, []);
});

test('a task that is out of the load balancer but alive keeps its connections', () => {
  const services = cluster.services.map((service) => ({ ...service, backends: [] }));
  const ingress = cluster.ingress.map((port) => ({ ...port, backends: [] }));
  assert.deepEqual(findStale(before, factsOf({ ...inputs, cluster: { ...cluster, services, ingress } }, names)).answeredBy, []);
});

test('flows to a UDP port begin anew when it is published', () => {
  const port = { serviceId: 's', protocol: 'udp', publishedPort: 53, targetPort: 53, backends: [] } as const;
  assert.deepEqual(findStale(before, factsOf({ ...inputs, cluster: { ...cluster, ingress: [...cluster.ingress, port] } }, names)).udpPorts, [53]);
});
