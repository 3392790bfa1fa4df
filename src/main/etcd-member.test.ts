// Where etcd's members of managers are reached.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { peerPort, peerUrls } from './etcd-member.ts';

test("with the swarm's usual port a manager's member of etcd has the port after it, on the addresses that the swarm has", () => {
  assert.deepEqual(peerUrls({ listenAddr: '0.0.0.0:2377', advertiseAddr: '192.0.2.1:2377' }), {
    listenPeerUrl: 'https://0.0.0.0:2378',
    peerUrl: 'https://192.0.2.1:2378',
  });
  assert.equal(peerUrls({ listenAddr: '[::]:2377', advertiseAddr: '[2001:db8::1]:2377' }).peerUrl, 'https://[2001:db8::1]:2378');
});

test('daemons of one machine that have ports in a row do not find the members of the others on theirs', () => {
  const swarmPorts = Array.from({ length: 50 }, (_, index) => 2478 + index);
  const taken = new Set([...swarmPorts, ...swarmPorts.map(peerPort)]);
  assert.equal(taken.size, 100);
});

test('every port that a swarm may have leaves a port for the member', () => {
  for (let port = 1; port <= 65_535; port++) {
    const peer = peerPort(port);
    assert.ok(peer > 0 && peer <= 65_535 && peer !== port, `${port} → ${peer}`);
  }
});
