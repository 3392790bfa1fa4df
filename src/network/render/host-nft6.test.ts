import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deriveHost } from '../desired-host.ts';
import { inputs, publishing6 } from '../fixtures.ts';
import { DEFAULT_SLOT, namesOf } from '../names.ts';
import { renderHostRules6 } from './host-nft6.ts';

const names = namesOf(DEFAULT_SLOT, '');

test('without IPv6 on the gateway bridge there is no table', () => {
  assert.equal(renderHostRules6(deriveHost(inputs), names), 'table ip6 skep {}\ndelete table ip6 skep\n');
});

test('published ports lead to containers here and to the other nodes, in two stages as over IPv4', () => {
  assert.equal(
    renderHostRules6(deriveHost(publishing6), names),
    `table ip6 skep {}
delete table ip6 skep
table ip6 skep {
  chain port_tcp_8080 {
    meta l4proto tcp ct mark set 0x40000000 dnat ip6 to numgen inc mod 2 map { 0 : fd00:9::2 . 80, 1 : fd73:6b65:7000::2 . 8080 }
  }
  chain port_udp_9000 {
    meta l4proto udp ct mark set 0x40000000 dnat ip6 to numgen inc mod 2 map { 0 : fd00:9::2 . 90, 1 : fd73:6b65:7000::2 . 9000 }
  }
  chain arrived_tcp_8080 {
    meta l4proto tcp dnat to [fd00:9::2]:80
  }
  chain arrived_udp_9000 {
    meta l4proto udp dnat to [fd00:9::2]:90
  }
  map published {
    type inet_proto . inet_service : verdict;
    elements = { tcp . 8080 : goto port_tcp_8080, udp . 9000 : goto port_udp_9000 };
  }
  map arrived {
    type inet_proto . inet_service : verdict;
    elements = { tcp . 8080 : goto arrived_tcp_8080, udp . 9000 : goto arrived_udp_9000 };
  }
  chain zones {
    type filter hook prerouting priority -300; policy accept;
    iifname "swm0" ct original zone set ether saddr map { 02:53:00:00:00:02 : 2 }
  }
  chain marks {
    type filter hook prerouting priority -150; policy accept;
    iifname "swm0" ct state new ct mark set ether saddr map { 02:53:00:00:00:02 : 0x40000002 }
    iifname != "swm0" ct direction reply ct mark and 0x40ffffff > 0x40000000 ct mark and 0x40ffffff <= 0x4000ffff meta mark set ct mark and 0x40ffffff
  }
  chain pre {
    type nat hook prerouting priority -110; policy accept;
    iifname "swm0" ip6 daddr fd73:6b65:7000::1 meta l4proto . th dport vmap @arrived
    iifname != "swm0" ip6 daddr != { ::1, fe80::/10 } fib daddr type local meta l4proto . th dport vmap @published
  }
  chain out {
    type nat hook output priority -110; policy accept;
    ip6 daddr != { ::1, fe80::/10 } fib daddr type local meta l4proto . th dport vmap @published
  }
  chain through {
    type filter hook forward priority -150; policy accept;
    oifname "swm0" tcp flags syn tcp option maxseg size set rt mtu
    iifname "swm0" tcp flags syn tcp option maxseg size set 1390
    iifname "docker_gwbridge" oifname "docker_gwbridge" meta l4proto != ipv6-icmp ct mark and 0x40ffffff != 0x40000000 drop
    iifname "docker_gwbridge" ip6 saddr fe80::/10 meta l4proto != ipv6-icmp drop
  }
  chain in {
    type filter hook input priority -150; policy accept;
    iifname "docker_gwbridge" ip6 saddr fe80::/10 meta l4proto != ipv6-icmp drop
  }
  chain post {
    type nat hook postrouting priority 90; policy accept;
    ip6 saddr fd00:9::/64 ip6 daddr fd00:9::/64 ct mark and 0x40ffffff == 0x40000000 masquerade
    ip6 saddr fd00:9::/64 oifname != "docker_gwbridge" masquerade
    fib saddr type local oifname "swm0" ct mark and 0x40ffffff == 0x40000000 masquerade
  }
}
`,
  );
});

test('who is on internal networks only begins nothing over IPv6, and while one of them starts no unknown address does', () => {
  const [network] = inputs.cluster.networks;
  assert.ok(network);
  const internal = { ...publishing6, cluster: { ...publishing6.cluster, networks: [{ ...network, internal: true }] } };
  const rules = renderHostRules6(deriveHost(internal, true), names);
  assert.equal(rules.match(/ip6 saddr \{ fd00:9::2 \} ct direction original drop/g)?.length, 2);
  assert.equal(rules.match(/iifname "docker_gwbridge" ip6 saddr != \{ fd00:9::2 \} ct state new drop/g)?.length, 2);
});

test('a node that does not publish over IPv6 gets none of it', () => {
  const nodes = publishing6.cluster.nodes.map((node) => (node.index === 2 ? { ...node, publishes6: undefined } : node));
  const rules = renderHostRules6(deriveHost({ ...publishing6, cluster: { ...publishing6.cluster, nodes } as typeof publishing6.cluster }), names);
  assert.doesNotMatch(rules, /fd73:6b65:7000::2/);
  assert.match(rules, /meta l4proto tcp ct mark set 0x40000000 dnat to \[fd00:9::2\]:80/);
});
