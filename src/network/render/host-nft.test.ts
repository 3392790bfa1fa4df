import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deriveHost } from '../desired-host.ts';
import { alone, inputs } from '../fixtures.ts';
import { DEFAULT_SLOT, namesOf } from '../names.ts';
import { renderHostRules } from './host-nft.ts';
import { renderHostRules6 } from './host-nft6.ts';

const names = namesOf(DEFAULT_SLOT, '');

test('with nothing to do the table is removed', () => {
  assert.equal(renderHostRules({ ports: [], gatewaySubnets: [], withoutEgress: [] }, names), 'table ip skep {}\ndelete table ip skep\n');
});

test('one node: published ports lead to containers, and only three kinds of answers need another source', () => {
  assert.equal(
    renderHostRules({ ...deriveHost(alone), withoutEgress: ['172.18.0.9'] }, names),
    `table ip skep {}
delete table ip skep
table ip skep {
  chain port_tcp_8080 {
    meta l4proto tcp ct mark set 0x40000000 dnat to 172.18.0.2:80
  }
  chain port_udp_9000 {
    meta l4proto udp ct mark set 0x40000000 dnat to 172.18.0.2:90
  }
  map published {
    type inet_proto . inet_service : verdict;
    elements = { tcp . 8080 : goto port_tcp_8080, udp . 9000 : goto port_udp_9000 };
  }
  chain guard {
    type filter hook prerouting priority -300; policy accept;
    iifname "docker_gwbridge" ip daddr 127.0.0.0/8 drop
    iifname "docker_gwbridge" ip saddr 127.0.0.0/8 drop
  }
  chain pre {
    type nat hook prerouting priority -110; policy accept;
    ip daddr != 169.254.53.53 fib daddr type local meta l4proto . th dport vmap @published
  }
  chain out {
    type nat hook output priority -110; policy accept;
    ip daddr != 169.254.53.53 fib daddr type local meta l4proto . th dport vmap @published
  }
  chain through {
    type filter hook forward priority -150; policy accept;
    ip saddr { 172.18.0.9 } ct direction original drop
  }
  chain in {
    type filter hook input priority -150; policy accept;
    ip saddr { 172.18.0.9 } ip daddr != 169.254.53.53 ct direction original drop
  }
  chain post {
    type nat hook postrouting priority 90; policy accept;
    ip saddr 127.0.0.0/8 oifname != "lo" ct mark and 0x40ffffff == 0x40000000 masquerade
    ip saddr 172.18.0.0/16 ip daddr 172.18.0.0/16 ct mark and 0x40ffffff == 0x40000000 masquerade
  }
}
`,
  );
});

test('several nodes: the first stage chooses among containers here and other nodes, the second only among containers here', () => {
  const rules = renderHostRules(deriveHost(inputs), names);
  const has = (line: string) => assert.ok(rules.includes(`${line}\n`), `${line}\nin\n${rules}`);
  has('    meta l4proto tcp ct mark set 0x40000000 dnat ip to numgen inc mod 2 map { 0 : 172.18.0.2 . 80, 1 : 198.18.0.2 . 8080 }');
  has('  chain arrived_tcp_8080 {\n    meta l4proto tcp dnat to 172.18.0.2:80\n  }');
  has('    iifname "swm0" ip daddr 198.18.0.1 meta l4proto . th dport vmap @arrived');
  has('    iifname != "swm0" ip daddr != 169.254.53.53 fib daddr type local meta l4proto . th dport vmap @published');
  has('    iifname "swm0" ct original zone set ether saddr map { 02:53:00:00:00:02 : 2 }');
  has('    iifname "swm0" ct state new ct mark set ether saddr map { 02:53:00:00:00:02 : 0x40000002 }');
  has('    iifname "swm0" tcp flags syn tcp option maxseg size set 1410');
  has('    ip saddr { 192.0.2.1, 192.0.2.2 } oifname "swm0" ct mark and 0x40ffffff == 0x40000000 masquerade');
});

test('a port without containers anywhere is refused', () => {
  const ports = [{ protocol: 'tcp', publishedPort: 1, local: [], remote: [] }] as const;
  assert.match(
    renderHostRules({ ports, gatewaySubnets: [], withoutEgress: [] }, names),
    /chain port_tcp_1 \{\n {4}meta l4proto tcp reject with tcp reset\n {4}reject\n/,
  );
});

test('a node with three tasks gets three shares', () => {
  const ports = [{ protocol: 'udp', publishedPort: 1, local: [], remote: [{ index: 2, weight: 3 }] }] as const;
  const mesh = { index: 1, localAddress: '192.0.2.1', port: 4789, mtu: 1450, peers: [{ index: 2, nodeAddress: '192.0.2.2' }] };
  assert.match(
    renderHostRules({ ports, gatewaySubnets: [], withoutEgress: [], mesh }, names),
    /mod 3 map \{ 0 : 198\.18\.0\.2 \. 1, 1 : 198\.18\.0\.2 \. 1, 2 : 198\.18\.0\.2 \. 1 \}/,
  );
});

test('containers do not reach the data path of any node, of either family', () => {
  const peers = [
    { index: 2, nodeAddress: '192.0.2.2' },
    { index: 3, nodeAddress: '2001:db8::3' },
  ];
  const mesh = { index: 1, localAddress: '192.0.2.1', port: 4790, mtu: 1450, peers };
  const six = { gatewaySubnets: ['fd00::/64'], withoutEgress: [] };
  const host = { ports: [], gatewaySubnets: [], withoutEgress: [], mesh, six };
  const from = 'hook prerouting [^}]*iifname \\{ "docker_gwbridge", "docker0" \\}';
  assert.match(renderHostRules(host, names), new RegExp(`${from} ip daddr \\{ 192.0.2.1, 192.0.2.2 \\} udp dport 4790 drop`));
  assert.match(renderHostRules6(host, names), new RegExp(`${from} ip6 daddr \\{ 2001:db8::3 \\} udp dport 4790 drop`));
});

test('a resolver that could not have port 53 is reached there all the same', () => {
  const rules = renderHostRules({ ports: [], gatewaySubnets: [], withoutEgress: [], dnsPort: 41_000 }, names);
  for (const protocol of ['udp', 'tcp']) assert.match(rules, new RegExp(`ip daddr 169\\.254\\.53\\.53 ${protocol} dport 53 dnat to 169\\.254\\.53\\.53:41000`));
});

test('while a container starts that must not get out, only known addresses may begin anything', () => {
  const rules = (known: readonly string[]) => renderHostRules({ ports: [], gatewaySubnets: [], withoutEgress: [], known }, names);
  assert.match(rules(['172.18.0.2']), /hook forward [^}]*iifname "docker_gwbridge" ip saddr != \{ 172\.18\.0\.2 \} ct state new drop/);
  assert.match(
    rules(['172.18.0.2']),
    /hook input [^}]*iifname "docker_gwbridge" ip saddr != \{ 172\.18\.0\.2 \} ip daddr != 169\.254\.53\.53 ct state new drop/,
  );
  assert.match(rules([]), /hook forward [^}]*iifname "docker_gwbridge" ct state new drop/);
});
