// The local containers that the data plane knows: a level, handed over whole after each change.
import type { Clock } from '#lib/clock.ts';
import type { Logger } from '#lib/log.ts';
import type { LocalEndpoint, LocalNetworkState } from '#protocol/network-state.ts';
import { createLatest } from './latest.ts';

export interface LocalNetwork {
  /**
   * Tasks that an earlier life of this agent had running. Until each is found or given up, or HOLD_MS have passed since the engine told of the first,
   * nothing is handed over: the data plane has outlived us and knows them all, and a part of them would take the rest out of service.
   */
  expect(taskIds: Iterable<string>): void;
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

/** An engine that answers tells of a hundred containers in less than this. */
const HOLD_MS = 5_000;

export function createLocalNetwork({ apply, clock, log }: LocalNetworkOptions): LocalNetwork {
  const endpoints = new Map<string, LocalEndpoint>();
  const latest = createLatest<LocalNetworkState>({ what: 'the state of local containers', apply, clock, log });
  const expected = new Set<string>();
  let version = 0;
  let cancelHold: (() => void) | undefined;
  let release = () => {};
  let released = Promise.resolve();

  function noLongerExpected(taskId: string): void {
    if (!expected.delete(taskId)) return;
    if (expected.size === 0) release();
    // An engine that is away tells of none: the wait begins with its first word.
    else cancelHold ??= clock.schedule(HOLD_MS, () => release());
  }

  function publish(): void {
    if (expected.size > 0) return;
    // The data plane outlives us and ignores what is older than it has: the clock makes versions grow across our restarts.
    version = Math.max(version + 1, clock.now());
    latest.offer({ version, endpoints: [...endpoints.values()] });
  }

  return {
    expect(taskIds) {
      for (const id of taskIds) expected.add(id);
      if (expected.size === 0) return;
      released = new Promise((resolve) => {
        release = () => {
          cancelHold?.();
          expected.clear();
          publish();
          resolve();
        };
      });
    },
    async set(endpoint, timeoutMs, signal) {
      if (JSON.stringify(endpoints.get(endpoint.taskId)) !== JSON.stringify(endpoint)) {
        endpoints.set(endpoint.taskId, endpoint);
        publish();
      }
      noLongerExpected(endpoint.taskId);
      await released;
      await latest.settled(timeoutMs, signal);
    },
    delete(taskId) {
      if (endpoints.delete(taskId)) publish();
      noLongerExpected(taskId);
    },
    run: (signal) => latest.run(signal),
  };
}
