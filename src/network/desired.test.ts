import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { deriveHost } from './desired-host.ts';
import { deriveOverlays } from './desired.ts';
import { alone, both, cluster, inputs, local, overlayNetwork } from './fixtures.ts';

const shuffled = <T>(values: readonly T[]) => fc.shuffledSubarray([...values], { minLength: values.length, maxLength: values.length });

test('a node alone has no tunnel and no mesh', () => {
  assert.equal(deriveOverlays(alone)[0]?.tunnel, undefined);
  assert.equal(deriveHost(alone).mesh, undefined);
});

test('a node among others has a tunnel with the tasks of the others, and shares ports by their number of tasks', () => {
  assert.deepEqual(deriveOverlays(inputs), [
    {
      vxlanId: 4097,
      mtu: 1450,
      gateways: ['10.0.1.1/24'],
      virtualIps: [
        { address: '10.0.1.2', backends: ['10.0.1.11', '10.0.1.12'] },
        { address: '10.0.1.3', backends: [] },
      ],
      tunnel: { localAddress: '192.0.2.1', port: 4789, remotes: [{ address: '10.0.1.12', nodeAddress: '192.0.2.2' }] },
    },
  ]);
  const host = deriveHost(inputs);
  assert.deepEqual(host.ports[0], { protocol: 'tcp', publishedPort: 8080, local: [{ address: '172.18.0.2', port: 80 }], remote: [{ index: 2, weight: 1 }] });
  assert.deepEqual(host.mesh, { index: 1, localAddress: '192.0.2.1', port: 4789, mtu: 1450, peers: [{ index: 2, nodeAddress: '192.0.2.2' }] });
});

test('an encrypted network does not leave the node in the clear', () => {
  const encrypted = { ...inputs, cluster: { ...cluster, networks: [{ ...overlayNetwork, encrypted: true }] } };
  assert.equal(deriveOverlays(encrypted)[0]?.tunnel, undefined);
});

test('a local task gets published traffic only once its container is known here', () => {
  const unknown = deriveHost({ ...alone, local: { version: 1, endpoints: [] } });
  assert.deepEqual(
    unknown.ports.map((port) => port.local),
    [[], []],
  );
});

test('packets fit into a smaller underlay, and an MTU that was asked for is kept', () => {
  assert.equal(deriveOverlays({ ...inputs, hostAddresses: new Map([['192.0.2.1', { mtu: 1400 }]]) })[0]?.mtu, 1350);
  assert.equal(deriveOverlays({ ...inputs, cluster: { ...cluster, networks: [{ ...overlayNetwork, mtu: 8950 }] } })[0]?.mtu, 8950);
  const [network] = inputs.driverNetworks;
  assert.ok(network);
  assert.equal(deriveOverlays({ ...inputs, driverNetworks: [{ ...network, mtu: 1300 }] })[0]?.mtu, 1300);
});

test('only containers on nothing but internal networks have no egress', () => {
  const internal = {
    ...cluster,
    networks: [
      { ...overlayNetwork, internal: true },
      { ...overlayNetwork, networkId: 'net-b', vxlanId: 4098 },
    ],
  };
  const on = (...networkIds: string[]) =>
    deriveHost({ ...alone, cluster: internal, local: { version: 1, endpoints: local.endpoints.map((endpoint) => ({ ...endpoint, networkIds })) } });
  assert.deepEqual(on('net-a').withoutEgress, ['172.18.0.2']);
  assert.deepEqual(on('net-a', 'net-b').withoutEgress, []);
  assert.deepEqual(on().withoutEgress, []);
});

test('the order of what a node is told makes no difference', () => {
  fc.assert(
    fc.property(
      shuffled(cluster.services),
      shuffled(cluster.nodes),
      shuffled(cluster.ingress),
      shuffled(overlayNetwork.endpoints),
      (services, nodes, ingress, endpoints) => {
        const other = { ...inputs, cluster: { ...cluster, services, nodes, ingress, networks: [{ ...overlayNetwork, endpoints }] } };
        assert.deepEqual(deriveOverlays(other), deriveOverlays(inputs));
        assert.deepEqual(deriveHost(other), deriveHost(inputs));
      },
    ),
  );
});

test('a network of both families over IPv6 has virtual addresses of each, one entry per task, and leaves room for longer headers', () => {
  const [overlay] = deriveOverlays(both);
  assert.equal(overlay?.mtu, 1430);
  assert.deepEqual(overlay.virtualIps6, [
    { address: 'fd00:1::2', backends: ['fd00:1::11', 'fd00:1::12'] },
    { address: 'fd00:1::3', backends: [] },
  ]);
  assert.deepEqual(overlay.tunnel?.remotes, [{ address: '10.0.1.12', address6: 'fd00:1::12', nodeAddress: '2001:db8::2' }]);
  assert.equal(deriveHost(both).mesh?.mtu, 1430);
});

test('an interface with IPv6 is never smaller than IPv6 allows', () => {
  assert.equal(deriveOverlays({ ...both, hostAddresses: new Map([['2001:db8::1', { mtu: 1300 }]]) })[0]?.mtu, 1280);
});

test('a node whose data path is of the other family is out of reach, and in nobody’s way', () => {
  const [one, two] = both.cluster.nodes;
  assert.ok(one && two);
  const mixed = { ...both, cluster: { ...both.cluster, nodes: [one, { ...two, dataPathAddress: '192.0.2.2' }] } };
  assert.deepEqual(deriveOverlays(mixed)[0]?.tunnel?.remotes, []);
  assert.deepEqual(deriveHost(mixed).mesh?.peers, []);
});
