import assert from 'node:assert/strict';
import { test } from 'node:test';
import { renderOverlayRules } from './overlay-nft.ts';

test('virtual addresses lead to their tasks in turn, to their only task, or are refused', () => {
  const virtualIps = [
    { address: '10.0.1.2', backends: ['10.0.1.11', '10.0.1.12'] },
    { address: '10.0.1.3', backends: ['10.0.1.12'] },
    { address: '10.0.1.4', backends: [] },
  ];
  assert.equal(
    renderOverlayRules({ vxlanId: 4097, mtu: 1450, gateways: [], virtualIps }),
    `table ip skep {}
delete table ip skep
table ip skep {
  map vips { type ipv4_addr : verdict; }
  set own { type ipv4_addr . ipv4_addr; elements = { 10.0.1.11 . 10.0.1.11, 10.0.1.12 . 10.0.1.12 }; }
  chain vip_10_0_1_2 {
    dnat to numgen inc mod 2 map { 0 : 10.0.1.11, 1 : 10.0.1.12 }
  }
  chain vip_10_0_1_3 {
    dnat to 10.0.1.12
  }
  chain vip_10_0_1_4 {
    meta l4proto tcp reject with tcp reset
    reject
  }
  chain pre {
    type nat hook prerouting priority -110; policy accept;
    ip daddr vmap @vips
  }
  chain post {
    type nat hook postrouting priority 90; policy accept;
    ct status dnat ip saddr . ip daddr @own masquerade
  }
}
add element ip skep vips { 10.0.1.2 : goto vip_10_0_1_2, 10.0.1.3 : goto vip_10_0_1_3, 10.0.1.4 : goto vip_10_0_1_4 }
`,
  );
});

test('a network without services has its table all the same', () => {
  const rules = renderOverlayRules({ vxlanId: 4097, mtu: 1450, gateways: [], virtualIps: [] });
  assert.match(rules, /ip daddr vmap @vips/);
  assert.doesNotMatch(rules, /add element/);
});

test('IPv6 has a table of its own, with a guard against routers', () => {
  const virtualIps6 = [{ address: 'fd00:1::2', backends: ['fd00:1::11', 'fd00:1::12'] }];
  const without = renderOverlayRules({ vxlanId: 4097, mtu: 1450, gateways: [], virtualIps: [] });
  const rules = renderOverlayRules({ vxlanId: 4097, mtu: 1450, gateways: [], virtualIps: [], virtualIps6 });
  assert.equal(
    rules.slice(without.length),
    `table ip6 skep {}
delete table ip6 skep
table ip6 skep {
  map vips { type ipv6_addr : verdict; }
  set own { type ipv6_addr . ipv6_addr; elements = { fd00:1::11 . fd00:1::11, fd00:1::12 . fd00:1::12 }; }
  chain vip_fd00_1__2 {
    dnat to numgen inc mod 2 map { 0 : fd00:1::11, 1 : fd00:1::12 }
  }
  chain pre {
    type nat hook prerouting priority -110; policy accept;
    ip6 daddr vmap @vips
  }
  chain post {
    type nat hook postrouting priority 90; policy accept;
    ct status dnat ip6 saddr . ip6 daddr @own masquerade
  }
  chain through {
    type filter hook forward priority -150; policy accept;
    icmpv6 type { nd-router-advert, nd-redirect } drop
  }
}
add element ip6 skep vips { fd00:1::2 : goto vip_fd00_1__2 }
`,
  );
});

test('who speaks to a task on a lost node is refused at once, in each family', () => {
  const rules = renderOverlayRules({ vxlanId: 4097, mtu: 1450, gateways: [], virtualIps: [], virtualIps6: [], lost: ['10.0.1.12', '10.0.1.13', 'fd00::12'] });
  assert.match(
    rules,
    /table ip skep \{[^}]*(\{[^}]*\}[^}]*)*chain lost \{\n {4}type filter hook prerouting priority -105; policy accept;\n {4}ip daddr \{ 10\.0\.1\.12, 10\.0\.1\.13 \} meta l4proto tcp reject with tcp reset\n {4}ip daddr \{ 10\.0\.1\.12, 10\.0\.1\.13 \} reject\n/,
  );
  assert.match(rules, / {4}ip6 daddr \{ fd00::12 \} meta l4proto tcp reject with tcp reset\n {4}ip6 daddr \{ fd00::12 \} reject\n/);
  assert.doesNotMatch(renderOverlayRules({ vxlanId: 4097, mtu: 1450, gateways: [], virtualIps: [] }), /lost/);
});
