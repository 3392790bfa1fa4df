// Follows the engine's events for as long as somebody listens, and says so when some may have been missed.
import { createBackoff } from '#lib/backoff.ts';
import type { Clock } from '#lib/clock.ts';
import { errorMessage } from '#lib/errors.ts';
import { linesOf } from '#lib/lines.ts';
import type { Logger } from '#lib/log.ts';
import type { EngineEvent } from './api-types.ts';
import type { EngineClient } from './engine-client.ts';

export interface EventsOptions {
  readonly client: EngineClient;
  readonly clock: Clock;
  readonly log: Logger;
  readonly onEvent: (event: EngineEvent) => void;
  /** The stream is open (again): whatever happened before it was not seen. */
  readonly onConnected: () => void;
}

/** What changes a container's state (Podman says `remove` where Docker says `destroy`); health probes alone would make ten times as many events. */
/** An engine whose events could be followed for this long is well. */
const STABLE_MS = 1_000;
const ACTIONS = ['start', 'die', 'destroy', 'remove', 'oom', 'health_status', 'pause', 'unpause'];

/** Until the signal aborts. */
export async function followEvents({ client, clock, log, onEvent, onConnected }: EventsOptions, signal: AbortSignal): Promise<void> {
  const backoff = createBackoff({ initialMs: 50, maximumMs: 1_000 });
  const query = { filters: JSON.stringify({ type: ['container'], event: ACTIONS }) };
  let silent = false;
  while (!signal.aborted) {
    try {
      const stream = await client.stream({ method: 'GET', path: '/events', query, signal });
      silent = false;
      onConnected();
      const since = clock.elapsed();
      await readEvents(stream, onEvent).finally(() => {
        // One that is cut at once, again and again, is not asked again at once each time.
        if (clock.elapsed() - since > STABLE_MS) backoff.reset();
      });
    } catch (error) {
      if (signal.aborted) return;
      if (!silent) log.warn({ error: errorMessage(error) }, "the engine's events cannot be followed; trying again");
      silent = true;
    }
    await clock.sleep(backoff.nextMs(), signal).catch(() => {});
  }
}

/** The stream is JSON objects, one per line. */
async function readEvents(stream: AsyncIterable<Buffer>, onEvent: (event: EngineEvent) => void): Promise<void> {
  for await (const line of linesOf(stream)) if (line.trim() !== '') onEvent(JSON.parse(line) as EngineEvent);
}
