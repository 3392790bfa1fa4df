// Zones by asker, with patience for askers that are about to be told of: a container asks for names before the agent has said that it runs.
import type { Clock } from '#lib/clock.ts';
import type { Zone } from '../dns/zone.ts';
import type { Zones } from '../zones.ts';

/** Shorter than a resolver's own patience (5 s), longer than an engine takes to report a start. */
const PATIENCE_MS = 2_000;

export interface Askers {
  update(zones: Zones): void;
  /** The asker's zone, at once or as soon as it is known; undefined when it stays unknown. */
  zoneFor(sourceAddress: string): Zone | undefined | Promise<Zone | undefined>;
}

export function createAskers(clock: Clock, initial: Zones): Askers {
  let zones = initial;
  let changed = Promise.withResolvers<void>();
  async function wait(sourceAddress: string): Promise<Zone | undefined> {
    const patience = new AbortController();
    let isLate = false;
    const late = clock.sleep(PATIENCE_MS, patience.signal).then(
      () => {
        isLate = true;
      },
      () => {},
    );
    try {
      while (!isLate) {
        await Promise.race([changed.promise, late]);
        const zone = zones.zoneFor(sourceAddress);
        if (zone !== undefined) return zone;
      }
      return undefined;
    } finally {
      patience.abort();
    }
  }
  return {
    update(next) {
      zones = next;
      changed.resolve();
      changed = Promise.withResolvers<void>();
    },
    zoneFor: (sourceAddress) => zones.zoneFor(sourceAddress) ?? wait(sourceAddress),
  };
}
