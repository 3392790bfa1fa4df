// Time as an argument. Whatever waits or asks for the time takes a Clock, so that simulation and tests own it.

export interface Clock {
  /** Milliseconds since the Unix epoch. */
  now(): number;
  /** Milliseconds since some moment: for how long something lasts. It goes on evenly when the machine's clock is set. */
  elapsed(): number;
  /** Resolves after `delayMs`, or rejects with the signal's reason when it aborts first. */
  sleep(delayMs: number, signal?: AbortSignal): Promise<void>;
  /** Calls `callback` once after `delayMs`; returns a function that cancels it. */
  schedule(delayMs: number, callback: () => void): () => void;
}

/** Chance as an argument. `bytes` gives cryptographically strong bytes in production and seeded ones in simulation. */
export interface Random {
  bytes(count: number): Uint8Array;
}

/** A uniform integer in [0, bound). `bound` is at most 2^32. */
export function randomInteger(random: Random, bound: number): number {
  const limit = Math.floor(2 ** 32 / bound) * bound;
  for (;;) {
    const [a = 0, b = 0, c = 0, d = 0] = random.bytes(4);
    const value = ((a << 24) | (b << 16) | (c << 8) | d) >>> 0;
    if (value < limit) return value % bound;
  }
}
