// One after the other, for writes that read what other objects say: two that exclude each other could otherwise both find nothing in their way.
import { AppError, errorMessage } from '#lib/errors.ts';

/** Every waiting write is a request that somebody holds open; far more than this are not served in time anyway. */
const MAX_WAITING = 10_000;

export interface Turns {
  /** Runs `work` when all that were asked for before have ended. Rejects with AppError `resourceExhausted` when too many wait. */
  take<T>(work: () => Promise<T>): Promise<T>;
}

export function createTurns(): Turns {
  let last: Promise<unknown> = Promise.resolve();
  let waiting = 0;
  return {
    async take(work) {
      if (waiting >= MAX_WAITING) throw new AppError('resourceExhausted', `${MAX_WAITING} changes are waiting already; try again later`);
      waiting++;
      const mine = last.then(work);
      last = mine.catch(errorMessage);
      try {
        return await mine;
      } finally {
        waiting--;
      }
    },
  };
}
