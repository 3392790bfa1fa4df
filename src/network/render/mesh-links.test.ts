import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deriveHost } from '../desired-host.ts';
import { inputs, publishing6 } from '../fixtures.ts';
import { DEFAULT_SLOT, namesOf, nodeMark } from '../names.ts';
import type { Step } from './commands.ts';
import { type ActualMesh, planMesh } from './mesh-links.ts';

const names = namesOf(DEFAULT_SLOT, '');
const { mesh } = deriveHost(inputs);
const nothing: ActualMesh = {
  neighbours: new Map(),
  forwarding: new Map(),
  rules: [],
  routes: new Map(),
  six: { neighbours: new Map(), rules: [], routes: new Map() },
};
const inPlace: ActualMesh = {
  device: {
    name: 'swm0',
    kind: 'vxlan',
    mtu: 1450,
    up: true,
    mac: '02:53:00:00:00:01',
    hairpin: false,
    addresses: ['198.18.0.1/16'],
    tunnel: { vxlanId: 4096, localAddress: '192.0.2.1', port: 4789 },
  },
  neighbours: new Map([['198.18.0.2', '02:53:00:00:00:02']]),
  forwarding: new Map([['02:53:00:00:00:02', '192.0.2.2']]),
  rules: [
    { priority: 1000, mark: names.mark, table: 'main' },
    { priority: 1001, mark: nodeMark(names, 2), table: String(nodeMark(names, 2)) },
  ],
  routes: new Map([[nodeMark(names, 2), '198.18.0.2']]),
  six: nothing.six,
};
const text = (steps: readonly Step[]) => steps.flatMap(({ tool, lines }) => lines.map((line) => `${tool} ${line}\n`)).join('');

test('the mesh is a device, an entry and a way back per other node', () => {
  assert.equal(
    text(planMesh(mesh, nothing, names)),
    `ip link add swm0 address 02:53:00:00:00:01 type vxlan id 4096 dstport 4789 local 192.0.2.1 nolearning
ip addr replace 198.18.0.1/16 dev swm0
ip link set swm0 mtu 1450 up
ip neigh replace 198.18.0.2 lladdr 02:53:00:00:00:02 dev swm0 nud permanent
bridge fdb replace 02:53:00:00:00:02 dev swm0 dst 192.0.2.2 self permanent
ip rule add pref 1000 iif lo fwmark 0x40000000/0x40ff0000 lookup main
ip rule add pref 1001 fwmark 0x40000002/0x40ffffff lookup 1073741826
ip route replace default via 198.18.0.2 dev swm0 table 1073741826
`,
  );
});

test('what is in place needs nothing', () => {
  assert.equal(text(planMesh(mesh, inPlace, names)), '');
  assert.equal(text(planMesh(undefined, nothing, names)), '');
});

test('without other nodes everything of it goes', () => {
  assert.equal(
    text(planMesh(undefined, inPlace, names)),
    `ip link del swm0
ip rule del pref 1001 fwmark 0x40000002/0x40ffffff lookup 1073741826
ip rule del pref 1000 iif lo fwmark 0x40000000/0x40ff0000 lookup main
`,
  );
});

test('a node that has left takes its entries with it', () => {
  assert.ok(mesh);
  const plan = text(planMesh({ ...mesh, peers: [{ index: 3, nodeAddress: '192.0.2.3' }] }, inPlace, names));
  assert.match(plan, /ip neigh del 198\.18\.0\.2 dev swm0\n/);
  assert.match(plan, /bridge fdb del 02:53:00:00:00:02 dev swm0 dst 192\.0\.2\.2 self\n/);
  assert.match(plan, /ip rule del pref 1001 fwmark 0x40000002\/0x40ffffff lookup 1073741826\n/);
  assert.match(plan, /ip rule add pref 1001 fwmark 0x40000003\/0x40ffffff lookup 1073741827\n/);
  assert.doesNotMatch(plan, /pref 1000/);
});

test('over IPv6 the mesh has the nodes that publish over it, in tables of its own, and gives all of it back', () => {
  const { mesh: mesh6 } = deriveHost(publishing6);
  const plan = planMesh(mesh6, inPlace, names);
  const mark = nodeMark(names, 2);
  assert.deepEqual(
    plan.map(({ family, lines }) => [family, ...lines]),
    [
      [undefined, 'addr replace fd73:6b65:7000::1/64 dev swm0 nodad'],
      [undefined, 'neigh replace fd73:6b65:7000::2 lladdr 02:53:00:00:00:02 dev swm0 nud permanent'],
      [
        6,
        'rule add pref 1000 iif lo fwmark 0x40000000/0x40ff0000 lookup main',
        `rule add pref 1001 fwmark 0x40000002/0x40ffffff lookup ${mark}`,
        `route replace default via fd73:6b65:7000::2 dev swm0 table ${mark}`,
      ],
    ],
  );
  const six = { rules: inPlace.rules, neighbours: new Map([['fd73:6b65:7000::2', '02:53:00:00:00:02']]), routes: new Map([[mark, 'fd73:6b65:7000::2']]) };
  const device = inPlace.device && { ...inPlace.device, addresses: [...inPlace.device.addresses, 'fd73:6b65:7000::1/64'] };
  assert.deepEqual(planMesh(mesh6, { ...inPlace, ...(device === undefined ? {} : { device }), six }, names), []);
  const removal = planMesh(undefined, { ...inPlace, six }, names).filter(({ family }) => family === 6);
  assert.equal(removal[0]?.lines.filter((line) => line.startsWith('rule del')).length, 2);
});
