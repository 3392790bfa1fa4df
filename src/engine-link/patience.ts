// An engine that hangs: it is there, its socket takes connections, and nothing comes back (stopped by a signal, out of memory, a dead disk under it).
// A question may take long for good reasons, so how long it takes tells nothing. Now and then a waiting question is backed by a ping, and given up when
// that has no answer either. Requests that change something are left to wait: the engine may still do them.
import type { ClientRequest } from 'node:http';
import type { Clock } from '#lib/clock.ts';

/** How long a question waits before the engine is asked whether it is alive, and between two such pings. */
const PATIENCE_MS = 5_000;
/** A busy engine takes seconds for a ping, too. */
const PING_PATIENCE_MS = 10_000;

export interface Patience {
  /** Destroys the request, with an error that says why, when it has no answer and the engine answers no ping. */
  watch(request: ClientRequest): void;
}

/** `ping` opens a `GET /_ping` on a connection of its own. */
export function createPatience(clock: Clock, ping: () => ClientRequest): Patience {
  let pinging: Promise<boolean> | undefined;

  // Many questions may wait; one ping is enough for all.
  function isAlive(): Promise<boolean> {
    pinging ??= ask().finally(() => (pinging = undefined));
    return pinging;
  }

  function ask(): Promise<boolean> {
    return new Promise((resolve) => {
      const request = ping();
      const cancel = clock.schedule(PING_PATIENCE_MS, () => request.destroy(new Error('no answer')));
      request.once('response', (answer) => {
        answer.resume();
        resolve(true);
      });
      request.on('error', () => resolve(false));
      request.once('close', () => {
        cancel();
        resolve(false);
      });
      request.end();
    });
  }

  function watch(request: ClientRequest): void {
    let isOver = false;
    let cancel = clock.schedule(PATIENCE_MS, look);
    const end = () => {
      isOver = true;
      cancel();
    };
    for (const event of ['response', 'upgrade', 'close']) request.once(event, end);

    function look(): void {
      void isAlive().then((alive) => {
        if (isOver) return;
        if (alive) cancel = clock.schedule(PATIENCE_MS, look);
        else request.destroy(new Error(`no answer, and none to a ping within ${PING_PATIENCE_MS / 1000} s`));
      });
    }
  }

  return { watch };
}
