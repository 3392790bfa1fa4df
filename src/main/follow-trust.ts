// What the swarm trusts, from the managers' store to every node.
import { type Trust, trustOf } from '#ca/rotation.ts';
import { present } from '#lib/assert.ts';
import { createBackoff } from '#lib/backoff.ts';
import type { Clock } from '#lib/clock.ts';
import { errorMessage } from '#lib/errors.ts';
import type { Logger } from '#lib/log.ts';
import type { Store } from '#store/store.ts';
import type { ManagerClient } from '#transport/client.ts';

/** The trust of the cluster as it is now, and after every change, until the signal aborts. A slow reader gets the newest. */
export async function* followTrust(store: Store, signal: AbortSignal): AsyncGenerator<Trust> {
  let wake = () => {};
  const unwatch = store.watch((_revision, events) => {
    if (events.some(({ object }) => object.kind === 'cluster')) wake();
  });
  const stop = () => wake();
  signal.addEventListener('abort', stop, { once: true });
  let told = '';
  try {
    while (!signal.aborted) {
      const trust = trustOf(present([...store.view.list('cluster')][0], 'the cluster object'));
      const text = JSON.stringify(trust);
      if (text !== told) {
        told = text;
        yield trust;
        continue;
      }
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  } finally {
    unwatch();
    signal.removeEventListener('abort', stop);
  }
}

/** Passes on what a manager says the swarm trusts, as long as the session with it lasts. */
export async function passTrust(client: ManagerClient, follow: (trust: Trust) => void, { clock, log }: { clock: Clock; log: Logger }, signal: AbortSignal) {
  const backoff = createBackoff({ initialMs: 200, maximumMs: 5_000 });
  while (!signal.aborted) {
    try {
      for await (const trust of client.followTrust(signal)) follow(trust);
    } catch (error) {
      log.debug({ error: errorMessage(error) }, 'what the swarm trusts cannot be followed now');
    }
    await clock.sleep(backoff.nextMs(), signal).catch(() => {});
  }
}
