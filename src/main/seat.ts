// The leader's seat: control loops and dispatcher, which run on one of the managers at a time. Each time this manager gets it they begin anew, from the store.
import { type Manager, createManager } from '#manager/manager.ts';
import type { DispatcherOptions } from '#dispatcher/dispatcher.ts';
import { AppError } from '#lib/errors.ts';
import type { Fence } from '#store/backend.ts';
import type { Dispatcher } from '#dispatcher/dispatcher.ts';

export interface Seat {
  /** Leads until the signal aborts. Without a fence this is the only manager. */
  lead(fence: Fence | undefined, signal: AbortSignal): Promise<void>;
  isTaken(): boolean;
  /** Throws AppError `unavailable`, naming the leader if one is known, while this manager does not lead. */
  dispatcher(): Dispatcher;
}

const NOT_LEADING = 'this manager does not lead the swarm; ';

/** The leader's address, when the error is what a manager says that does not lead and knows who does. */
export function leaderNamedIn(error: unknown): string | undefined {
  if (!(error instanceof AppError) || error.code !== 'unavailable' || !error.message.startsWith(NOT_LEADING)) return undefined;
  return error.message.slice(NOT_LEADING.length).split(' ')[0];
}

export function createSeat(options: DispatcherOptions, leaderAddress: () => string | undefined): Seat {
  const startedAt = options.clock.now();
  let current: Manager | undefined;
  return {
    async lead(fence, signal) {
      const { store } = options;
      const manager = createManager({ ...options, startedAt, store: fence === undefined ? store : store.fenced(fence) });
      current = manager;
      try {
        await manager.run(signal);
      } finally {
        current = undefined;
      }
    },
    isTaken: () => current !== undefined,
    dispatcher() {
      if (current !== undefined) return current.dispatcher;
      const leader = leaderAddress();
      throw new AppError('unavailable', leader === undefined ? 'no manager leads the swarm right now' : `${NOT_LEADING}${leader} does`);
    },
  };
}
