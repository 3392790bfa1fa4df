// Hands the newest of a row of values to somebody slow, one at a time; values in between are skipped, failures are repeated with growing pauses.
import { createBackoff } from '#lib/backoff.ts';
import type { Clock } from '#lib/clock.ts';
import { errorMessage } from '#lib/errors.ts';
import type { Logger } from '#lib/log.ts';

export interface Latest<T> {
  /** Replaces what waits to be applied. */
  offer(value: T): void;
  /** Resolves once everything offered until now is applied (or overtaken by something newer that is), at the latest after `timeoutMs`. */
  settled(timeoutMs: number, signal: AbortSignal): Promise<void>;
  /** Applies until the signal aborts. */
  run(signal: AbortSignal): Promise<void>;
}

export interface LatestOptions<T> {
  readonly what: string;
  readonly apply: (value: T, signal: AbortSignal) => Promise<void>;
  readonly clock: Clock;
  readonly log: Logger;
}

export function createLatest<T>({ what, apply, clock, log }: LatestOptions<T>): Latest<T> {
  let offered = 0;
  let applied = 0;
  let newest: T | undefined;
  let wake = () => {};
  const waiting = new Set<{ readonly target: number; readonly resolve: () => void }>();

  function settle(upTo: number): void {
    applied = upTo;
    for (const entry of waiting) if (entry.target <= applied) entry.resolve();
  }

  return {
    offer(value) {
      newest = value;
      offered += 1;
      wake();
    },
    async settled(timeoutMs, signal) {
      if (applied >= offered) return;
      const timeout = new AbortController();
      await new Promise<void>((resolve) => {
        const entry = { target: offered, resolve };
        waiting.add(entry);
        const finish = () => {
          waiting.delete(entry);
          resolve();
        };
        clock.sleep(timeoutMs, AbortSignal.any([signal, timeout.signal])).then(finish, finish);
      });
      timeout.abort();
    },
    async run(signal) {
      const backoff = createBackoff({ initialMs: 50, maximumMs: 2_000 });
      const stop = () => wake();
      signal.addEventListener('abort', stop, { once: true });
      while (!signal.aborted) {
        if (applied >= offered || newest === undefined) {
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
          continue;
        }
        const target = offered;
        try {
          await apply(newest, signal);
          settle(target);
          backoff.reset();
        } catch (error) {
          if (signal.aborted) break;
          log.warn({ error: errorMessage(error) }, `${what} could not be applied; it will be tried again`);
          await clock.sleep(backoff.nextMs(), signal).catch(() => {});
        }
      }
      signal.removeEventListener('abort', stop);
    },
  };
}
