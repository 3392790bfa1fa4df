// When this manager leads: always while it is the only one, by campaign once the store is in etcd.
import { careForEtcd } from '#etcd/care.ts';
import type { Clock } from '#lib/clock.ts';
import type { Logger } from '#lib/log.ts';
import { createLeadership, type Leadership, type LiveManager } from '#manager/leadership.ts';
import { keepManagers } from './manager-keeper.ts';
import type { ManagerStore } from './manager-store.ts';
import type { Seat } from './seat.ts';

export interface Leading {
  /** Until the signal aborts; then another manager takes over. */
  run(signal: AbortSignal): Promise<void>;
  leader(): LiveManager | undefined;
  /** False while too few managers are online for anything to be written. */
  hasQuorum(): boolean;
}

export interface LeadingOptions {
  readonly managerStore: ManagerStore;
  readonly seat: () => Seat;
  readonly self: LiveManager;
  readonly clock: Clock;
  readonly log: Logger;
}

export function createLeading({ managerStore, seat, self, clock, log }: LeadingOptions): Leading {
  const startedAt = clock.elapsed();
  let leadership: Leadership | undefined;
  return {
    leader: () => (leadership === undefined ? self : leadership.leader()),
    hasQuorum: () => leadership === undefined || leadership.hasQuorum() || clock.elapsed() - startedAt < STARTING_MS,
    async run(signal) {
      const moved = new AbortController();
      void managerStore.inEtcd.then(() => moved.abort());
      if (managerStore.etcd() === undefined) await seat().lead(undefined, AbortSignal.any([signal, moved.signal]));
      const etcd = managerStore.etcd();
      if (signal.aborted || etcd === undefined) return;
      const { client } = etcd;
      const campaign = createLeadership({
        client,
        self,
        async lead(fence, termSignal) {
          const store = managerStore.store.fenced(fence);
          await Promise.all([
            seat().lead(fence, termSignal),
            keepManagers({ client, store, selfId: self.nodeId, live: () => campaign.live(), clock, log }, termSignal),
          ]);
        },
        clock,
        log,
      });
      leadership = campaign;
      await Promise.all([campaign.run(signal), careForEtcd(client, { clock, log }, signal)]);
    },
  };
}

/** Nothing is known in the first moments. */
const STARTING_MS = 3_000;
