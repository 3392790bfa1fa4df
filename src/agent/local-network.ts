// The local containers that the data plane knows: a level, handed over whole after each change.
import type { Clock } from '#lib/clock.ts';
import type { Logger } from '#lib/log.ts';
import type { LocalEndpoint, LocalNetworkState } from '#protocol/network-state.ts';
import { createLatest } from './latest.ts';

export interface LocalNetwork {
  /** Resolves once the data plane knows it, at the latest after `timeoutMs`. */
  set(endpoint: LocalEndpoint, timeoutMs: number, signal: AbortSignal): Promise<void>;
  delete(taskId: string): void;
  run(signal: AbortSignal): Promise<void>;
}

export interface LocalNetworkOptions {
  readonly apply: (state: LocalNetworkState, signal: AbortSignal) => Promise<void>;
  readonly clock: Clock;
  readonly log: Logger;
}

export function createLocalNetwork({ apply, clock, log }: LocalNetworkOptions): LocalNetwork {
  const endpoints = new Map<string, LocalEndpoint>();
  const latest = createLatest<LocalNetworkState>({ what: 'the state of local containers', apply, clock, log });
  let version = 0;

  function publish(): void {
    // The data plane outlives us and ignores what is older than it has: the clock makes versions grow across our restarts.
    version = Math.max(version + 1, clock.now());
    latest.offer({ version, endpoints: [...endpoints.values()] });
  }

  return {
    async set(endpoint, timeoutMs, signal) {
      if (JSON.stringify(endpoints.get(endpoint.taskId)) !== JSON.stringify(endpoint)) {
        endpoints.set(endpoint.taskId, endpoint);
        publish();
      }
      await latest.settled(timeoutMs, signal);
    },
    delete(taskId) {
      if (endpoints.delete(taskId)) publish();
    },
    run: (signal) => latest.run(signal),
  };
}
