// The real clock and real chance. The only place, with main/, where time is taken from the system.
import { randomBytes } from 'node:crypto';
import type { Clock, Random } from '#lib/clock.ts';

/** setTimeout's limit; a longer wait is taken in pieces. */
const MAX_TIMEOUT_MS = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => Date.now(),
  elapsed: () => performance.now(),
  sleep(delayMs, signal) {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(signal.reason as Error);
        return;
      }
      const abort = () => {
        cancel();
        reject(signal?.reason as Error);
      };
      const cancel = systemClock.schedule(delayMs, () => {
        signal?.removeEventListener('abort', abort);
        resolve();
      });
      signal?.addEventListener('abort', abort, { once: true });
    });
  },
  schedule(delayMs, callback) {
    let remainingMs = delayMs;
    let timer: NodeJS.Timeout;
    const arm = () => {
      const stepMs = Math.min(remainingMs, MAX_TIMEOUT_MS);
      remainingMs -= stepMs;
      timer = setTimeout(() => (remainingMs > 0 ? arm() : callback()), stepMs);
    };
    arm();
    return () => clearTimeout(timer);
  },
};

export const systemRandom: Random = { bytes: (count) => randomBytes(count) };
