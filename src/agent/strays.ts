// Containers and files of tasks that this node should not have: left by an agent that died between two steps, or of a swarm state that was lost.
import { createBackoff } from '#lib/backoff.ts';
import type { Clock } from '#lib/clock.ts';
import { errorMessage } from '#lib/errors.ts';
import type { Logger } from '#lib/log.ts';
import type { Executor } from './executor.ts';

/** After that many tries in vain the next complete set tries again. */
const MAX_TRIES = 6;

export interface StrayOptions {
  readonly executor: Executor;
  readonly clock: Clock;
  readonly log: Logger;
  /** Asked right before each removal: a task may be assigned meanwhile. */
  readonly isAssigned: (taskId: string) => boolean;
}

/** Stops and removes whatever the engine has of tasks that are not assigned. Never rejects. */
export async function removeStrays({ executor, clock, log, isAssigned }: StrayOptions, signal: AbortSignal): Promise<void> {
  const backoff = createBackoff({ initialMs: 200, maximumMs: 5_000 });
  for (let tries = 0; tries < MAX_TRIES && !signal.aborted; tries++) {
    try {
      for (const id of await executor.listTaskIds(signal)) {
        if (isAssigned(id)) continue;
        log.info({ task: id }, 'removing what is left of a task that is not assigned to this node');
        await executor.stop({ id }, signal);
        await executor.remove({ id }, signal);
      }
      return;
    } catch (error) {
      if (signal.aborted) return;
      log.warn({ error: errorMessage(error) }, 'what is left of unassigned tasks could not be removed; it will be tried again');
      await clock.sleep(backoff.nextMs(), signal).catch(() => {});
    }
  }
}
