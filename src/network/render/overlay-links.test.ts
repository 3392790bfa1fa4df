import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deriveOverlays, type Overlay } from '../desired.ts';
import { alone, both, inputs } from '../fixtures.ts';
import { DEFAULT_SLOT, namesOf } from '../names.ts';
import type { Step } from './commands.ts';
import { type ActualLink, type ActualOverlay, EMPTY_OVERLAY, planOverlayLinks } from './overlay-links.ts';

const names = namesOf(DEFAULT_SLOT, '');
const text = (steps: readonly Step[]) =>
  steps.map(({ tool, namespace, lines }) => `${tool} ${namespace ?? 'host'}\n${lines.map((line) => `  ${line}\n`).join('')}`).join('');
const overlay = (from: typeof inputs): Overlay => {
  const [first] = deriveOverlays(from);
  assert.ok(first);
  return first;
};

const bridge: ActualLink = { name: 'br0', kind: 'bridge', mtu: 1450, up: true, mac: '02:42:0a:00:01:01', hairpin: false, addresses: ['10.0.1.1/24'] };
const loopback: ActualLink = { name: 'lo', kind: '', mtu: 65536, up: true, mac: '', hairpin: false, addresses: ['127.0.0.1/8'] };
const port: ActualLink = { name: 'p-1', kind: 'veth', mtu: 1450, up: true, mac: '', master: 'br0', hairpin: true, addresses: [] };
const tunnel: ActualLink = {
  name: 'vxlan0',
  kind: 'vxlan',
  mtu: 1450,
  up: true,
  mac: '',
  master: 'br0',
  hairpin: false,
  addresses: [],
  tunnel: { vxlanId: 4097, localAddress: '192.0.2.1', port: 4789 },
};
const inPlace: ActualOverlay = { ...EMPTY_OVERLAY, links: [loopback, bridge, port], localRoutes: ['10.0.1.2', '10.0.1.3'] };
const inPlaceWithTunnel: ActualOverlay = {
  ...inPlace,
  links: [...inPlace.links, tunnel],
  neighbours: new Map([['10.0.1.12', '02:42:0a:00:01:0c']]),
  forwarding: new Map([['02:42:0a:00:01:0c', '192.0.2.2']]),
};

test('an empty namespace gets a bridge and takes the virtual addresses for its own', () => {
  assert.equal(
    text(planOverlayLinks(overlay(alone), EMPTY_OVERLAY, names)),
    `ip skep-4097
  link set lo up
  link add br0 type bridge forward_delay 0
  link set br0 address 02:42:0a:00:01:01
  addr replace 10.0.1.1/24 dev br0
  link set br0 mtu 1450
  link set br0 up
ip skep-4097
  route replace local 10.0.1.2/32 dev lo table local proto static
  route replace local 10.0.1.3/32 dev lo table local proto static
`,
  );
});

test('what is in place needs nothing', () => {
  assert.equal(text(planOverlayLinks(overlay(alone), inPlace, names)), '');
  assert.equal(text(planOverlayLinks(overlay(inputs), inPlaceWithTunnel, names)), '');
});

test('a second node brings the tunnel, made on the host and never seen there, with its static entries', () => {
  assert.equal(
    text(planOverlayLinks(overlay(inputs), inPlace, names)),
    `ip host
  link add vxlan0 netns skep-4097 type vxlan id 4097 dstport 4789 local 192.0.2.1 proxy nolearning
ip skep-4097
  link set vxlan0 mtu 1450 master br0 up
ip skep-4097
  neigh replace 10.0.1.12 lladdr 02:42:0a:00:01:0c dev vxlan0 nud permanent
bridge skep-4097
  fdb replace 02:42:0a:00:01:0c dev vxlan0 dst 192.0.2.2 self permanent
`,
  );
});

test('the tunnel goes with the last other node, and is made anew for another address', () => {
  assert.equal(text(planOverlayLinks(overlay(alone), inPlaceWithTunnel, names)), 'ip skep-4097\n  link del vxlan0\n');
  const moved = {
    ...inputs,
    cluster: { ...inputs.cluster, nodes: inputs.cluster.nodes.map((node) => (node.nodeId === 'one' ? { ...node, dataPathAddress: '192.0.2.9' } : node)) },
  };
  const plan = text(planOverlayLinks(overlay({ ...moved, hostAddresses: new Map([['192.0.2.9', { mtu: 1500 }]]) }), inPlaceWithTunnel, names));
  assert.match(plan, /^ip skep-4097\n {2}link del vxlan0\nip host\n {2}link add vxlan0 .* local 192\.0\.2\.9 /);
  assert.match(plan, /fdb replace 02:42:0a:00:01:0c dev vxlan0 dst 192\.0\.2\.2/);
});

test('entries of tasks that have gone or moved are corrected', () => {
  const actual: ActualOverlay = {
    ...inPlaceWithTunnel,
    localRoutes: ['10.0.1.2', '10.0.1.3', '10.0.1.99'],
    neighbours: new Map([...inPlaceWithTunnel.neighbours, ['10.0.1.50', '02:42:0a:00:01:32']]),
    forwarding: new Map([
      ['02:42:0a:00:01:0c', '192.0.2.7'],
      ['02:42:0a:00:01:32', '192.0.2.7'],
    ]),
  };
  assert.equal(
    text(planOverlayLinks(overlay(inputs), actual, names)),
    `ip skep-4097
  route del local 10.0.1.99/32 dev lo table local proto static
ip skep-4097
  neigh del 10.0.1.50 dev vxlan0
bridge skep-4097
  fdb del 02:42:0a:00:01:32 dev vxlan0 dst 192.0.2.7 self
  fdb replace 02:42:0a:00:01:0c dev vxlan0 dst 192.0.2.2 self permanent
`,
  );
});

test('ports and bridge that somebody has changed are put right', () => {
  const links = [loopback, { ...bridge, addresses: ['10.9.9.1/24'] }, { ...port, hairpin: false, mtu: 1500 }];
  assert.equal(
    text(planOverlayLinks(overlay(alone), { ...inPlace, links }, names)),
    `ip skep-4097
  addr replace 10.0.1.1/24 dev br0
  addr del 10.9.9.1/24 dev br0
ip skep-4097
  link set p-1 mtu 1450
  link set p-1 type bridge_slave hairpin on
`,
  );
});

test('with IPv6 the bridge has the virtual addresses itself, and a task of another node two neighbour entries', () => {
  const plan = text(planOverlayLinks(overlay(both), EMPTY_OVERLAY, names));
  assert.match(plan, /link add br0 type bridge forward_delay 0 mcast_snooping 0\n/);
  assert.match(plan, /addr replace fd00:1::1\/64 dev br0 nodad\n {2}addr replace fd00:1::2\/128 dev br0 nodad preferred_lft 0\n/);
  assert.match(plan, /type vxlan id 4097 dstport 4789 local 2001:db8::1 proxy nolearning\n/);
  assert.match(plan, /neigh replace 10.0.1.12 lladdr 02:42:0a:00:01:0c .*\n {2}neigh replace fd00:1::12 lladdr 02:42:0a:00:01:0c /);
  assert.equal(plan.match(/fdb replace/g)?.length, 1);
});
