// Looks now and then whether what a manager keeps on its disk is still what was written, and writes again what is not.
import type { Clock } from '#lib/clock.ts';
import { errorMessage } from '#lib/errors.ts';
import type { Logger } from '#lib/log.ts';
import type { Store } from '#store/store.ts';

/** Disks lose bits in months; a start reads everything anyway. */
const EVERY_MS = 6 * 3_600_000;

/** Until the signal aborts. */
export async function mendStore(
  store: Pick<Store, 'mend'>,
  { clock, log }: { readonly clock: Clock; readonly log: Logger },
  signal: AbortSignal,
): Promise<void> {
  for (;;) {
    await clock.sleep(EVERY_MS, signal).catch(() => {});
    if (signal.aborted) return;
    try {
      const damaged = await store.mend(signal);
      if (damaged.length > 0) log.error({ damaged }, "objects had changed on this manager's disk, and were written again as they were: look after that disk");
    } catch (error) {
      log.warn({ error: errorMessage(error) }, "what is on this manager's disk could not be looked through; it will be tried again");
    }
  }
}
