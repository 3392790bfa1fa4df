// The nftables rules of one overlay namespace: virtual addresses become the addresses of tasks. The rules see what crosses the namespace's bridge
// (br_netfilter is on there and only there), so a container can neither see nor change them, and they are in place before it starts.
import { familyOf } from '#lib/ip.ts';
import type { Overlay, VirtualAddress } from '../desired.ts';

/** The table's name; every overlay namespace has its own. */
export const OVERLAY_TABLE = 'skep';

/** What differs between the families. */
interface Family {
  readonly table: 'ip' | 'ip6';
  readonly type: 'ipv4_addr' | 'ipv6_addr';
  readonly virtualIps: readonly VirtualAddress[];
  readonly guard: readonly string[];
}

/**
 * The text for `nft -f`: replaces the tables in one transaction. Connections that exist keep their backend, because the kernel keeps the
 * translation with the connection, not with the rule.
 */
export function renderOverlayRules({ virtualIps, virtualIps6, lost = [] }: Overlay): string {
  return [
    ...familyTable({ table: 'ip', type: 'ipv4_addr', virtualIps, guard: lostChain('ip', ofFamily(lost, 4)) }),
    ...(virtualIps6 === undefined
      ? []
      : familyTable({ table: 'ip6', type: 'ipv6_addr', virtualIps: virtualIps6, guard: [...NO_ROUTERS, ...lostChain('ip6', ofFamily(lost, 6))] })),
    '',
  ].join('\n');
}

/** There is no router on an overlay: a container that says it is one (containers may send raw packets) must not take others' traffic. */
const NO_ROUTERS = [
  '  chain through {',
  '    type filter hook forward priority -150; policy accept;',
  '    icmpv6 type { nd-router-advert, nd-redirect } drop',
  '  }',
];

/** Packets to a task on a lost node would vanish, and their sender would wait for its own timeout. After the translation, so that virtual addresses are meant, too. */
function lostChain(family: Family['table'], addresses: readonly string[]): readonly string[] {
  if (addresses.length === 0) return [];
  const match = `${family} daddr { ${addresses.join(', ')} }`;
  const head = '    type filter hook prerouting priority -105; policy accept;';
  return ['  chain lost {', head, `    ${match} meta l4proto tcp reject with tcp reset`, `    ${match} reject`, '  }'];
}

function ofFamily(addresses: readonly string[], family: 4 | 6): readonly string[] {
  return addresses.filter((address) => familyOf(address) === family);
}

function familyTable({ table, type, virtualIps, guard }: Family): readonly string[] {
  const chains = virtualIps.flatMap(({ address, backends }) => [`  chain ${chainOf(address)} {`, ...balance(backends).map((rule) => `    ${rule}`), '  }']);
  const elements = virtualIps.map(({ address }) => `${address} : goto ${chainOf(address)}`);
  const own = [...new Set(virtualIps.flatMap(({ backends }) => backends))].sort().map((address) => `${address} . ${address}`);
  return [
    `table ${table} ${OVERLAY_TABLE} {}`,
    `delete table ${table} ${OVERLAY_TABLE}`,
    `table ${table} ${OVERLAY_TABLE} {`,
    `  map vips { type ${type} : verdict; }`,
    // A task that reaches itself through a virtual address: only such a connection gets another source, the bridge's, or its answer would stay inside.
    `  set own { type ${type} . ${type};${own.length === 0 ? '' : ` elements = { ${own.join(', ')} };`} }`,
    ...chains,
    '  chain pre {',
    '    type nat hook prerouting priority -110; policy accept;',
    `    ${table} daddr vmap @vips`,
    '  }',
    '  chain post {',
    '    type nat hook postrouting priority 90; policy accept;',
    `    ct status dnat ${table} saddr . ${table} daddr @own masquerade`,
    '  }',
    ...guard,
    '}',
    ...(elements.length === 0 ? [] : [`add element ${table} ${OVERLAY_TABLE} vips { ${elements.join(', ')} }`]),
  ];
}

/** In turn, as Swarm does; refused at once when there is nobody, so that a client need not wait for its own timeout. */
function balance(backends: readonly string[]): readonly string[] {
  const [first] = backends;
  if (first === undefined) return ['meta l4proto tcp reject with tcp reset', 'reject'];
  if (backends.length === 1) return [`dnat to ${first}`];
  return [`dnat to numgen inc mod ${backends.length} map { ${backends.map((address, index) => `${index} : ${address}`).join(', ')} }`];
}

function chainOf(address: string): string {
  return `vip_${address.replaceAll(/[.:]/g, '_')}`;
}
