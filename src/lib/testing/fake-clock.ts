// A clock that stands still until a test moves it, and chance from a seed. With them a whole swarm runs the same way twice.
import type { Clock, Random } from '../clock.ts';

export interface FakeClock extends Clock {
  /** Moves time forward, calling what is due in order of time; between two calls all promises that can settle do. */
  advance(byMs: number): Promise<void>;
  /** Lets everything run that waits for no time. */
  settle(): Promise<void>;
  /** When the next call is due, if any. */
  nextDue(): number | undefined;
  /** Sets the time that it shows; nothing becomes due by that. */
  set(byMs: number): void;
}

interface Timer {
  readonly at: number;
  readonly order: number;
  readonly callback: () => void;
}

/** Rounds of the microtask queue that a burst of work may need before it waits for time. A macrotask turn ends each round. */
const SETTLE_ROUNDS = 3;

export function createFakeClock(startMs = 1_700_000_000_000): FakeClock {
  let now = startMs;
  let offset = 0;
  let order = 0;
  const timers = new Set<Timer>();

  const settle = async () => {
    for (let round = 0; round < SETTLE_ROUNDS; round++) await new Promise((resolve) => setImmediate(resolve));
  };
  const earliest = () => {
    let first: Timer | undefined;
    for (const timer of timers) if (first === undefined || timer.at < first.at || (timer.at === first.at && timer.order < first.order)) first = timer;
    return first;
  };
  const schedule: Clock['schedule'] = (delayMs, callback) => {
    const timer = { at: now + Math.max(0, delayMs), order: order++, callback };
    timers.add(timer);
    return () => timers.delete(timer);
  };

  return {
    now: () => now + offset,
    elapsed: () => now,
    schedule,
    sleep: (delayMs, signal) =>
      new Promise((resolve, reject) => {
        if (signal?.aborted) return reject(signal.reason as Error);
        const abort = () => {
          cancel();
          reject(signal?.reason as Error);
        };
        const cancel = schedule(delayMs, () => {
          signal?.removeEventListener('abort', abort);
          resolve();
        });
        signal?.addEventListener('abort', abort, { once: true });
      }),
    async advance(byMs) {
      const until = now + byMs;
      await settle();
      for (let timer = earliest(); timer !== undefined && timer.at <= until; timer = earliest()) {
        timers.delete(timer);
        now = timer.at;
        timer.callback();
        await settle();
      }
      now = until;
    },
    settle,
    nextDue: () => earliest()?.at,
    set: (byMs) => void (offset += byMs),
  };
}

/** Bytes that follow from the seed (splitmix32). Not for secrets. */
export function createSeededRandom(seed: number): Random {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x9e3779b9) >>> 0;
    let value = state ^ (state >>> 16);
    value = Math.imul(value, 0x21f0aaad);
    value ^= value >>> 15;
    value = Math.imul(value, 0x735a2d97);
    return (value ^ (value >>> 15)) >>> 0;
  };
  return { bytes: (count) => Uint8Array.from({ length: count }, () => next() & 0xff) };
}
