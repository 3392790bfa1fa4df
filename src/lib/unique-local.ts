// Private addresses of IPv6 (RFC 4193): fd, 40 bits that nobody else is likely to have, and 16 bits for subnets.
import { createHash } from 'node:crypto';
import type { IpSubnet } from './ip.ts';

/** The 48 bits that follow from a seed: the same whenever they are asked for. */
export function uniqueLocalPool(seed: string): IpSubnet {
  const digest = createHash('sha256').update(`skep unique local addresses ${seed}`).digest('hex');
  return { family: 6, base: BigInt(`0xfd${digest.slice(0, 10)}`) << 80n, prefix: 48 };
}
