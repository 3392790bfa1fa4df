// The leader's seat: control loops and dispatcher, which run on one of the managers at a time. Each time this manager gets it they begin anew, from the store.
import { type Manager, createManager } from '#manager/manager.ts';
import type { DispatcherOptions } from '#dispatcher/dispatcher.ts';
import type { Fence } from '#store/backend.ts';
import type { Dispatcher } from '#dispatcher/dispatcher.ts';
import { notLeading } from './not-leading.ts';

export interface Seat {
  /** Leads until the signal aborts. Without a fence this is the only manager. */
  lead(fence: Fence | undefined, signal: AbortSignal): Promise<void>;
  isTaken(): boolean;
  /** Throws AppError `unavailable`, naming the leader if one is known, while this manager does not lead. */
  dispatcher(): Dispatcher;
}

export function createSeat(options: DispatcherOptions, leaderAddress: () => string | undefined): Seat {
  const startedAt = options.clock.elapsed();
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
      throw notLeading(leaderAddress());
    },
  };
}
