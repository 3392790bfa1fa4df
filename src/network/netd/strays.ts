// Collects veth ends that the engine asked for and never took (it crashed between). What it takes, leaves the host's namespace within milliseconds.
import type { Clock } from '#lib/clock.ts';
import { applySteps } from '../kernel/apply.ts';
import type { HostLinks } from '../kernel/observe.ts';
import type { Names } from '../names.ts';

const PATIENCE_MS = 60_000;

export interface StrayCollector {
  /** Deletes ends that were there already at a look at least a minute ago. */
  collect(links: HostLinks): Promise<void>;
}

export function createStrayCollector({ names, clock }: { readonly names: Names; readonly clock: Clock }): StrayCollector {
  const firstSeen = new Map<string, number>();
  return {
    async collect({ links }) {
      const present = new Set(links.map(({ name }) => name).filter((name) => names.isHostPort(name)));
      for (const name of firstSeen.keys()) if (!present.has(name)) firstSeen.delete(name);
      for (const name of present) if (!firstSeen.has(name)) firstSeen.set(name, clock.elapsed());
      const stray = [...firstSeen].filter(([, since]) => clock.elapsed() - since >= PATIENCE_MS).map(([name]) => name);
      if (stray.length > 0) await applySteps([{ tool: 'ip', lines: stray.map((name) => `link del ${name}`) }]);
    },
  };
}
