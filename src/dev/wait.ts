// Waiting for a condition, with a limit.
import { AppError } from '#lib/errors.ts';
import type { Clock } from '#lib/clock.ts';

const PATIENCE_MS = 60_000;
const POLL_MS = 50;

/** Resolves once the condition holds. Rejects with what was waited for, or with what the condition throws. */
export type Wait = (what: string, condition: () => boolean | Promise<boolean>, patienceMs?: number) => Promise<void>;

export function createWait(clock: Clock): Wait {
  return async (what, condition, patienceMs = PATIENCE_MS) => {
    const deadline = clock.elapsed() + patienceMs;
    while (!(await condition())) {
      if (clock.elapsed() > deadline) throw new AppError('deadlineExceeded', `waited ${patienceMs / 1_000} s in vain until ${what}`);
      await clock.sleep(POLL_MS);
    }
  };
}
