import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DEFAULT_SLOT, endpointIdOf, namesOf } from '../names.ts';
import { renderHostRules } from './host-nft.ts';
import { sandboxSteps } from './sandbox-links.ts';

const names = namesOf(DEFAULT_SLOT, '', true);
const network = { networkId: 'n1', vxlanId: 4097, gateways: ['10.0.1.1/24'], address: '10.0.1.5/24' };

test('a sandbox gets an interface for each overlay in order, and the way out last', () => {
  const [host, inside] = sandboxSteps(
    { taskId: 't1', networks: [network], hostPorts: [], gatewayAddress: '172.18.0.7/20' },
    { address: '172.18.0.1/20' },
    names,
  );
  const port = names.gatewayPort(endpointIdOf('t1', ''));
  assert.deepEqual(host?.lines, [
    `link set ${names.hostPort(endpointIdOf('t1', 'n1'))} netns skep-t-t1 name eth0`,
    `link add ${port} type veth peer name eth1 netns skep-t-t1`,
    `link set ${port} master skep-gw up`,
    `link set ${port} type bridge_slave hairpin on`,
  ]);
  assert.equal(inside?.namespace, 'skep-t-t1');
  assert.deepEqual(inside.lines, [
    'link set lo up',
    'link set eth0 address 02:42:0a:00:01:05',
    'addr add 10.0.1.5/24 dev eth0',
    'link set eth0 up',
    'link set eth1 address 02:42:ac:12:00:07',
    'addr add 172.18.0.7/20 dev eth1',
    'link set eth1 up',
    'route add default via 172.18.0.1',
  ]);
});

test('a sandbox on a network with IPv6 has both addresses at once', () => {
  const networks = [{ ...network, address6: 'fd00:1::5/64' }];
  const [, inside] = sandboxSteps({ taskId: 't1', networks, hostPorts: [], gatewayAddress: '172.18.0.7/20' }, { address: '172.18.0.1/20' }, names);
  assert.deepEqual(inside?.lines.slice(2, 4), ['addr add 10.0.1.5/24 dev eth0', 'addr add fd00:1::5/64 dev eth0 nodad']);
});

test('where the bridge has IPv6 a sandbox has a way out over it', () => {
  const sandbox = { taskId: 't1', networks: [network], hostPorts: [], gatewayAddress: '172.18.0.7/20', gatewayAddress6: 'fd00:9::7/64' };
  const [, inside, way] = sandboxSteps(sandbox, { address: '172.18.0.1/20', address6: 'fd00:9::1/64' }, names);
  assert.ok(inside?.lines.includes('addr add fd00:9::7/64 dev eth1 nodad'));
  assert.deepEqual(way, { tool: 'ip', namespace: 'skep-t-t1', family: 6, lines: ['route add default via fd00:9::1'] });
});

test('on a bridge of our own containers get out under the node’s address, and reach each other over published ports only', () => {
  const rules = renderHostRules({ ports: [], gatewaySubnets: ['172.18.0.0/20'], withoutEgress: [] }, names);
  assert.match(rules, /ip saddr 172\.18\.0\.0\/20 oifname != "skep-gw" masquerade/);
  assert.match(rules, /iifname "skep-gw" oifname "skep-gw" ct mark and 0x40ffffff != 0x40000000 drop/);
  assert.equal(renderHostRules({ ports: [], gatewaySubnets: [], withoutEgress: [] }, names), 'table ip skep {}\ndelete table ip skep\n');
});
