// The addresses of one network during one decision: which are free, and which comes next. An address is taken if the store holds a claim on it, if
// this round has given it out, or if the network keeps it (edges, gateway, reserved).
import { addressClaim } from '#domain/claims.ts';
import type { Network, NetworkState } from '#domain/objects.ts';
import type { View } from '#domain/view.ts';
import { formatIpv4, type Ipv4Subnet, ipv4SubnetContains, lastIpv4, parseIpv4, parseIpv4Cidr } from '#lib/ip.ts';

export interface AddressBook {
  /** The next free address in CIDR form, or undefined when there is none. */
  take(): string | undefined;
  /** A certain address (bare or CIDR) for the holder of its claim, or for anybody when it is free. */
  takeWanted(address: string, holderId: string): { readonly address: string } | { readonly error: string };
  /** Takes back what `take` gave, in this round. */
  giveBack(address: string): void;
  /** Where the search goes on: the last address given out. */
  readonly cursor: string | undefined;
}

interface Pool {
  readonly subnet: Ipv4Subnet;
  /** Where addresses are given from. */
  readonly range: Ipv4Subnet;
  readonly kept: ReadonlySet<number>;
}

export function createAddressBook(network: Network, state: NetworkState, view: View): AddressBook {
  const pools = poolsOf(network, state);
  const taken = new Set<number>();
  let cursor = state.cursor === undefined ? undefined : parseIpv4(state.cursor);
  /** Searching a full network once per round is enough. */
  let isFull = false;

  function holderOf(address: number): string | undefined {
    return view.claimant(addressClaim(network.id, formatIpv4(address)))?.id;
  }

  function isFree(pool: Pool, address: number): boolean {
    return !pool.kept.has(address) && !taken.has(address) && holderOf(address) === undefined;
  }

  /** The first free address of `from` … `to`. */
  function search(pool: Pool, from: number, to: number): number | undefined {
    for (let address = from; address <= to; address++) if (isFree(pool, address)) return address;
    return undefined;
  }

  /** Next-fit: behind the cursor in its own pool, then the other pools in order, then what is before the cursor. */
  function next(): readonly [Pool, number] | undefined {
    const at = Math.max(
      0,
      pools.findIndex(({ range }) => cursor !== undefined && ipv4SubnetContains(range, cursor)),
    );
    for (let step = 0; step <= pools.length; step++) {
      const pool = pools[(at + step) % pools.length];
      if (pool === undefined) return undefined;
      const isCursorIn = cursor !== undefined && ipv4SubnetContains(pool.range, cursor);
      const from = step === 0 && isCursorIn ? (cursor ?? 0) + 1 : pool.range.base;
      const address = search(pool, from, lastIpv4(pool.range));
      if (address !== undefined) return [pool, address];
    }
    return undefined;
  }

  return {
    get cursor() {
      return cursor === undefined ? undefined : formatIpv4(cursor);
    },
    take() {
      const found = isFull ? undefined : next();
      if (found === undefined) {
        isFull = true;
        return undefined;
      }
      const [pool, address] = found;
      taken.add(address);
      cursor = address;
      return `${formatIpv4(address)}/${pool.subnet.prefix}`;
    },
    takeWanted(text, holderId) {
      const address = parseIpv4(text.split('/')[0] ?? '');
      const pool = address === undefined ? undefined : pools.find(({ subnet }) => ipv4SubnetContains(subnet, address));
      // libnetwork's words for both.
      if (address === undefined || pool === undefined) return { error: 'Requested address is out of range' };
      const holder = holderOf(address);
      if (pool.kept.has(address) || taken.has(address) || (holder !== undefined && holder !== holderId)) return { error: 'Address already in use' };
      taken.add(address);
      return { address: `${formatIpv4(address)}/${pool.subnet.prefix}` };
    },
    giveBack(text) {
      const address = parseIpv4(text.split('/')[0] ?? '');
      if (address !== undefined) taken.delete(address);
      isFull = false;
    },
  };
}

function poolsOf(network: Network, state: NetworkState): readonly Pool[] {
  const reserved = new Set<number>();
  for (const config of network.spec.ipam?.configs ?? []) {
    for (const text of Object.values(config.reserved ?? {})) {
      const address = parseIpv4(text);
      if (address !== undefined) reserved.add(address);
    }
  }
  return state.pools.flatMap(({ subnet: subnetText, gateway, range: rangeText }) => {
    const subnet = parseIpv4Cidr(subnetText)?.subnet;
    if (subnet === undefined) return [];
    const range = (rangeText === undefined ? undefined : parseIpv4Cidr(rangeText)?.subnet) ?? subnet;
    const kept = new Set(reserved);
    const gatewayAddress = parseIpv4(gateway);
    if (gatewayAddress !== undefined) kept.add(gatewayAddress);
    if (subnet.prefix <= 30) kept.add(subnet.base).add(lastIpv4(subnet));
    return [{ subnet, range, kept }];
  });
}
