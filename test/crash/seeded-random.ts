// Chance that can be repeated: a small generator and where its seed comes from.

/** Uniform integers in [0, bound), by Mulberry32. */
export function createSeededRandom(seed: number): (bound: number) => number {
  let state = seed >>> 0;
  return (bound) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * bound);
  };
}

/** SKEP_SEED, or one from the clock. */
export function seedFromEnvironment(): number {
  const text = process.env['SKEP_SEED'];
  return text ? Number(text) : Date.now() >>> 0;
}
