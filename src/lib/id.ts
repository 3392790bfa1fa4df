// Identifiers of swarm objects.
import type { Random } from './clock.ts';

const ID_LENGTH = 25;

/** A new object id: 25 characters of base 36, as SwarmKit makes them (128 random bits, padded on the left). */
export function newId(random: Random): string {
  let value = 0n;
  for (const byte of random.bytes(16)) value = (value << 8n) | BigInt(byte);
  // The highest bits are set so that the length never varies (SwarmKit does the same).
  value |= 1n << 128n;
  return value.toString(36).padStart(ID_LENGTH, '0').slice(-ID_LENGTH);
}
