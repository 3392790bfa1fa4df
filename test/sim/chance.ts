// Everything that is left to chance in a simulation follows from its seed.
import { type Random, randomInteger } from '#lib/clock.ts';
import { createSeededRandom } from '#lib/testing/fake-clock.ts';

export interface Chance {
  readonly random: Random;
  /** A whole number from `from` to `to`, both included. */
  integer(from: number, to: number): number;
  /** True with this probability. */
  happens(probability: number): boolean;
  pick<const T>(values: readonly [T, ...T[]]): T;
  /** One of what may be nothing. */
  pickSome<T>(values: readonly T[]): T | undefined;
  /** A source of its own, so that one part's use of chance does not change another's. */
  fork(name: string): Chance;
}

export function createChance(seed: number): Chance {
  const random = createSeededRandom(seed);
  const integer = (from: number, to: number) => from + randomInteger(random, to - from + 1);
  return {
    random,
    integer,
    happens: (probability) => randomInteger(random, 1_000_000) < probability * 1_000_000,
    pick: (values) => values[integer(0, values.length - 1)] ?? values[0],
    pickSome: (values) => (values.length === 0 ? undefined : values[integer(0, values.length - 1)]),
    fork: (name) => createChance(hashText(`${seed}/${name}`)),
  };
}

/** FNV-1a. */
export function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  return hash >>> 0;
}
