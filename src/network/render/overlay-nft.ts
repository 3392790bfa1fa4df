// The nftables rules of one overlay namespace: virtual addresses become the addresses of tasks. The rules see what crosses the namespace's bridge
// (br_netfilter is on there and only there), so a container can neither see nor change them, and they are in place before it starts.
import type { Overlay } from '../desired.ts';

/** The table's name; every overlay namespace has its own. */
export const OVERLAY_TABLE = 'skep';

/**
 * The text for `nft -f`: replaces the whole table in one transaction. Connections that exist keep their backend, because the kernel keeps the
 * translation with the connection, not with the rule.
 */
export function renderOverlayRules({ virtualIps }: Overlay): string {
  const chains = virtualIps.flatMap(({ address, backends }) => [`  chain ${chainOf(address)} {`, ...balance(backends).map((rule) => `    ${rule}`), '  }']);
  const elements = virtualIps.map(({ address }) => `${address} : goto ${chainOf(address)}`);
  const own = [...new Set(virtualIps.flatMap(({ backends }) => backends))].sort().map((address) => `${address} . ${address}`);
  return [
    `table ip ${OVERLAY_TABLE} {}`,
    `delete table ip ${OVERLAY_TABLE}`,
    `table ip ${OVERLAY_TABLE} {`,
    '  map vips { type ipv4_addr : verdict; }',
    // A task that reaches itself through a virtual address: only such a connection gets another source, the bridge's, or its answer would stay inside.
    `  set own { type ipv4_addr . ipv4_addr;${own.length === 0 ? '' : ` elements = { ${own.join(', ')} };`} }`,
    ...chains,
    '  chain pre {',
    '    type nat hook prerouting priority -110; policy accept;',
    '    ip daddr vmap @vips',
    '  }',
    '  chain post {',
    '    type nat hook postrouting priority 90; policy accept;',
    '    ct status dnat ip saddr . ip daddr @own masquerade',
    '  }',
    '}',
    ...(elements.length === 0 ? [] : [`add element ip ${OVERLAY_TABLE} vips { ${elements.join(', ')} }`]),
    '',
  ].join('\n');
}

/** In turn, as Swarm does; refused at once when there is nobody, so that a client need not wait for its own timeout. */
function balance(backends: readonly string[]): readonly string[] {
  const [first] = backends;
  if (first === undefined) return ['meta l4proto tcp reject with tcp reset', 'reject'];
  if (backends.length === 1) return [`dnat to ${first}`];
  return [`dnat to numgen inc mod ${backends.length} map { ${backends.map((address, index) => `${index} : ${address}`).join(', ')} }`];
}

function chainOf(address: string): string {
  return `vip_${address.replaceAll('.', '_')}`;
}
