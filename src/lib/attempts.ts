// How often somebody may be wrong about a secret: so many times at once, and then once in a while. Secrets here are too long to be guessed; this is for
// the work and the log lines that guessing costs.
import { AppError } from './errors.ts';

export interface AttemptLimits {
  readonly burst: number;
  readonly refillMs: number;
}

export interface Attempts {
  /** Throws AppError `resourceExhausted` when there have been too many. `what` in the plural. */
  assertMayTry(place: string, what: string): void;
  wrong(place: string): void;
  /** Forgets what was wrong before. */
  right(place: string): void;
}

/** Places are forgotten when nothing counts against them any more, the oldest when there are too many. */
const MAX_PLACES = 10_000;

export function createAttempts({ burst, refillMs }: AttemptLimits, elapsed: () => number): Attempts {
  /** When the debt of each place is paid. */
  const paidAt = new Map<string, number>();
  return {
    assertMayTry(place, what) {
      const waitMs = (paidAt.get(place) ?? 0) - elapsed() - (burst - 1) * refillMs;
      if (waitMs > 0) throw new AppError('resourceExhausted', `too many wrong ${what}: try again in ${Math.ceil(waitMs / 1_000)} s`);
    },
    wrong(place) {
      const now = elapsed();
      const debt = Math.max(now, paidAt.get(place) ?? 0) + refillMs;
      paidAt.delete(place);
      paidAt.set(place, debt);
      for (const [known, at] of paidAt) {
        if (at > now && paidAt.size <= MAX_PLACES) break;
        paidAt.delete(known);
      }
    },
    right: (place) => void paidAt.delete(place),
  };
}
