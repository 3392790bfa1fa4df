import assert from 'node:assert/strict';
import { test } from 'node:test';
import { present } from '#lib/assert.ts';
import { deriveHost } from '../desired-host.ts';
import { deriveEncryption, deriveOverlays, type NetworkInputs } from '../desired.ts';
import { cluster, encrypted, inputs } from '../fixtures.ts';
import { DEFAULT_SLOT, namesOf } from '../names.ts';
import type { Step } from './commands.ts';
import { planEncryptionLink, renderWireGuard } from './encryption.ts';
import { renderHostRules } from './host-nft.ts';
import { EMPTY_OVERLAY, planOverlayLinks } from './overlay-links.ts';

const names = namesOf(DEFAULT_SLOT, '');
const text = (steps: readonly Step[]) => steps.flatMap(({ tool, lines }) => lines.map((line) => `${tool} ${line}\n`)).join('');

test('WireGuard knows the other nodes, each with the address that follows from its index', () => {
  assert.equal(
    renderWireGuard(present(deriveEncryption(encrypted), 'encryption'), 'PRIVATE'),
    `[Interface]
PrivateKey = PRIVATE
ListenPort = 51830

[Peer]
PublicKey = ${'2'.repeat(42)}A=
Endpoint = 192.0.2.2:51830
AllowedIPs = 198.19.0.2/32
`,
  );
});

test('the device gets its address and room for what WireGuard adds; one that is as it must be is left alone', () => {
  const encryption = present(deriveEncryption(encrypted), 'encryption');
  assert.equal(text(planEncryptionLink(encryption, undefined, names)), 'ip addr replace 198.19.0.1/16 dev skw0\nip link set skw0 mtu 1420 up\n');
  const actual = { name: 'skw0', kind: 'tun', mtu: 1420, up: true, mac: '', hairpin: false, addresses: ['198.19.0.1/16'] };
  assert.deepEqual(planEncryptionLink(encryption, actual, names), []);
  assert.equal(
    text(planEncryptionLink(encryption, { ...actual, addresses: ['198.19.0.7/16'] }, names)),
    'ip addr del 198.19.0.7/16 dev skw0\nip addr replace 198.19.0.1/16 dev skw0\n',
  );
});

test('the tunnel of an encrypted network goes between WireGuard addresses, bound to the device, in smaller packets', () => {
  const [overlay] = deriveOverlays(encrypted);
  const plan = text(planOverlayLinks(present(overlay, 'overlay'), EMPTY_OVERLAY, names));
  assert.match(plan, /^ip link add vxlan0 netns skep-4097 type vxlan id 4097 dstport 4789 local 198\.19\.0\.1 dev skw0 proxy nolearning$/m);
  assert.match(plan, /^ip link set vxlan0 mtu 1370 master br0 up$/m);
  assert.match(plan, /^bridge fdb replace 02:42:0a:00:01:0c dev vxlan0 dst 198\.19\.0\.2 self permanent$/m);
});

test('packets of an encrypted network are dropped wherever they are not in WireGuard', () => {
  const rules = renderHostRules(deriveHost(encrypted), names);
  assert.ok(
    rules.includes(`  chain sealed_in {
    type filter hook prerouting priority -300; policy accept;
    iifname != "skw0" udp dport 4789 @th,96,24 { 4097 } drop
  }
  chain sealed_out {
    type filter hook output priority -150; policy accept;
    oifname != "skw0" udp dport 4789 @th,96,24 { 4097 } drop
  }
`),
  );
  assert.doesNotMatch(renderHostRules(deriveHost(inputs), names), /sealed|@th/);
});

test('without an encrypted network, another node, or the ability there is no device', () => {
  const { encryptionPort: _, ...unable } = encrypted;
  assert.equal(deriveEncryption({ ...inputs, encryptionPort: 51830 }), undefined);
  assert.equal(deriveEncryption({ ...encrypted, cluster: { ...encrypted.cluster, nodes: encrypted.cluster.nodes.slice(0, 1) } }), undefined);
  assert.equal(deriveEncryption(unable), undefined);
  assert.equal(deriveOverlays(unable)[0]?.tunnel, undefined);
});

test('a node that cannot encrypt, or says something that is no key, is no peer and no destination', () => {
  const [one, two] = encrypted.cluster.nodes;
  assert.ok(one && two?.encryption);
  const forged = { publicKey: `${two.encryption.publicKey}\nAllowedIPs = 0.0.0.0/0`, endpoint: two.encryption.endpoint };
  for (const other of [present(cluster.nodes[1], 'node'), { ...two, encryption: forged }, { ...two, encryption: { ...two.encryption, endpoint: 'a\nb' } }]) {
    const state: NetworkInputs = { ...encrypted, cluster: { ...encrypted.cluster, nodes: [one, other] } };
    assert.deepEqual(deriveEncryption(state)?.peers, []);
    assert.deepEqual(deriveOverlays(state)[0]?.tunnel?.remotes, []);
  }
});

test('the engine’s word is enough: a network is treated as encrypted before the swarm’s state says so', () => {
  const driverNetworks = inputs.driverNetworks.map((network) => ({ ...network, encrypted: true as const }));
  const [overlay] = deriveOverlays({ ...inputs, driverNetworks, cluster: { ...cluster, networks: [] } });
  assert.equal(overlay?.mtu, 1370);
  assert.deepEqual(deriveHost({ ...inputs, driverNetworks, cluster: { ...cluster, networks: [] } }).guarded, { vxlanIds: [4097], port: 4789 });
});
