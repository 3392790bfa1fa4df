// The addresses of one family of one network during one decision: which are free, and which comes next. An address is taken if the store holds a claim
// on it, if this round has given it out, or if the network keeps it (edges, gateway, reserved).
import { addressClaim } from '#domain/claims.ts';
import type { Network, NetworkState } from '#domain/objects.ts';
import type { View } from '#domain/view.ts';
import { type IpSubnet, familyOf, formatIp, formatIpv4, lastAddress, parseCidr, parseIp, subnetContains, withoutPrefix } from '#lib/ip.ts';

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

/** Addresses are counted from the beginning of their range: as plain numbers, for a full network has many to look at. */
interface Pool {
  readonly subnet: IpSubnet;
  /** Where addresses are given from: `size` of them from `first` on. */
  readonly first: bigint;
  readonly size: number;
  readonly kept: ReadonlySet<string>;
  /** The address at a position of the range. */
  at(position: number): string;
}

/** More addresses of a range than anybody has are not looked at, so that a position is an exact number. */
const MOST_ADDRESSES = 2n ** 32n;

export function createAddressBook(network: Network, state: NetworkState, view: View, family: 4 | 6): AddressBook {
  const pools = poolsOf(network, state, family);
  /** Each with where the search stood before. */
  const taken = new Map<string, string | undefined>();
  let cursor = family === 4 ? state.cursor : state.cursor6;
  /** Searching a full network once per round is enough. */
  let isFull = false;

  function holderOf(address: string): string | undefined {
    return view.claimant(addressClaim(network.id, address))?.id;
  }

  function isFree(pool: Pool, address: string): boolean {
    return !pool.kept.has(address) && !taken.has(address) && holderOf(address) === undefined;
  }

  /** The first free address from a position on. */
  function search(pool: Pool, from: number): string | undefined {
    for (let position = from; position < pool.size; position++) {
      const address = pool.at(position);
      if (isFree(pool, address)) return address;
    }
    return undefined;
  }

  /** Next-fit: behind the cursor in its own pool, then the other pools in order, then what is before the cursor. */
  function next(): readonly [Pool, string] | undefined {
    const positions = pools.map((pool) => (cursor === undefined ? undefined : positionIn(pool, cursor)));
    const start = Math.max(
      0,
      positions.findIndex((position) => position !== undefined),
    );
    for (let step = 0; step <= pools.length; step++) {
      const index = (start + step) % pools.length;
      const pool = pools[index];
      if (pool === undefined) return undefined;
      const position = positions[index];
      const address = search(pool, step === 0 && position !== undefined ? position + 1 : 0);
      if (address !== undefined) return [pool, address];
    }
    return undefined;
  }

  return {
    get cursor() {
      return cursor;
    },
    take() {
      const found = isFull ? undefined : next();
      if (found === undefined) {
        isFull = true;
        return undefined;
      }
      const [pool, address] = found;
      taken.set(address, cursor);
      cursor = address;
      return `${address}/${pool.subnet.prefix}`;
    },
    takeWanted(text, holderId) {
      const parsed = parseIp(withoutPrefix(text));
      const pool = parsed === undefined ? undefined : pools.find(({ subnet }) => subnetContains(subnet, parsed));
      // libnetwork's words for both.
      if (parsed === undefined || pool === undefined) return { error: 'Requested address is out of range' };
      const address = formatIp(parsed);
      const holder = holderOf(address);
      if (pool.kept.has(address) || taken.has(address) || (holder !== undefined && holder !== holderId)) return { error: 'Address already in use' };
      taken.set(address, cursor);
      return { address: `${address}/${pool.subnet.prefix}` };
    },
    giveBack(text) {
      const address = withoutPrefix(text);
      if (address === cursor) cursor = taken.get(address);
      taken.delete(address);
      isFull = false;
    },
  };
}

/** Undefined for an address outside of the pool's range. */
function positionIn({ subnet, first, size }: Pool, text: string): number | undefined {
  const address = parseIp(text);
  if (address === undefined || !subnetContains(subnet, address)) return undefined;
  const position = address.value - first;
  return position >= 0n && position < BigInt(size) ? Number(position) : undefined;
}

function poolsOf(network: Network, state: NetworkState, family: 4 | 6): readonly Pool[] {
  const reserved = (network.spec.ipam?.configs ?? []).flatMap((config) => Object.values(config.reserved ?? {}).map(usualForm));
  return state.pools.flatMap(({ subnet: subnetText, gateway, range: rangeText }) => {
    const subnet = parseCidr(subnetText)?.subnet;
    if (subnet === undefined || subnet.family !== family) return [];
    const range = (rangeText === undefined ? undefined : parseCidr(rangeText)?.subnet) ?? subnet;
    const count = lastAddress(range) - range.base + 1n;
    const first = range.base;
    return [
      {
        subnet,
        first,
        size: Number(count < MOST_ADDRESSES ? count : MOST_ADDRESSES),
        kept: new Set([...reserved, usualForm(gateway), ...edgesOf(subnet)]),
        at:
          family === 4
            ? (position: number) => formatIpv4(Number(first) + position)
            : (position: number) => formatIp({ family, value: first + BigInt(position) }),
      },
    ];
  });
}

/** Network and broadcast address where the subnet has them; of IPv6, the address of all its routers (RFC 4291). */
function edgesOf(subnet: IpSubnet): readonly string[] {
  const { family, base, prefix } = subnet;
  if (family === 6) return prefix < 127 ? [formatIp({ family, value: base })] : [];
  return prefix <= 30 ? [base, lastAddress(subnet)].map((value) => formatIp({ family, value })) : [];
}

/** Addresses are compared as text. */
export function usualForm(text: string): string {
  const address = parseIp(text);
  return address === undefined ? text : formatIp(address);
}

/** The addresses of a list that are of a family. */
export function ofFamily(addresses: readonly string[], family: 4 | 6): readonly string[] {
  return addresses.filter((address) => address !== '' && familyOf(address) === family);
}
