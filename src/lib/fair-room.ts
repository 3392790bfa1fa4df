// Room for so many guests at once, shared fairly by where they come from: somebody who sends many takes the place of his own, never of others'.
// Pure bookkeeping; whoever uses it sends away who must go.
import { formatIp, parseIp } from './ip.ts';

export interface FairRoomLimits {
  readonly total: number;
  readonly perPlace: number;
}

export interface FairRoom<T> {
  /** Lets the guest in. Returns who must go for it: the one that has been there longest of the place that has most. */
  enter(guest: T, place: string): T | undefined;
  leave(guest: T): void;
  readonly size: number;
}

export function createFairRoom<T>({ total, perPlace }: FairRoomLimits): FairRoom<T> {
  const places = new Map<string, Set<T>>();
  const placeOf = new Map<T, string>();

  function leave(guest: T): void {
    const place = placeOf.get(guest);
    if (place === undefined) return;
    placeOf.delete(guest);
    const guests = places.get(place);
    guests?.delete(guest);
    if (guests?.size === 0) places.delete(place);
  }

  /** At most `total` places are looked at. */
  function fullest(): Set<T> | undefined {
    let most: Set<T> | undefined;
    for (const guests of places.values()) if (guests.size > (most?.size ?? 0)) most = guests;
    return most;
  }

  return {
    enter(guest, place) {
      const guests = places.get(place) ?? new Set<T>();
      places.set(place, guests.add(guest));
      placeOf.set(guest, place);
      const crowded = guests.size > perPlace ? guests : placeOf.size > total ? fullest() : undefined;
      if (crowded === undefined) return undefined;
      const [oldest] = crowded;
      if (oldest !== undefined) leave(oldest);
      return oldest;
    },
    leave,
    get size() {
      return placeOf.size;
    },
  };
}

const IPV6_PREFIX_BITS = 64n;

/** Where an address is from: with IPv6 its network of 64 bits, because whoever has one has all addresses in it. */
export function placeOfAddress(address: string): string {
  const ip = parseIp(address.replace(/^::ffff:(?=\d+\.)/i, ''));
  if (ip === undefined || ip.family === 4) return ip === undefined ? address : formatIp(ip);
  return `${formatIp({ ...ip, value: (ip.value >> IPV6_PREFIX_BITS) << IPV6_PREFIX_BITS })}/64`;
}
