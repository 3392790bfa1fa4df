// An engine that hangs: it is there, its socket takes connections, and nothing comes back (stopped by a signal, out of memory, a dead disk under it).
// A question may take long for good reasons, so how long it takes tells nothing. Now and then a waiting question is backed by a ping, and given up when
// that has no answer either. From then on the engine is known to hang, and questions get their error after a second, until a ping, which is asked again and
// again, has its answer. Requests that change something are left to wait: the engine may still do them.
import type { ClientRequest } from 'node:http';
import type { Clock } from '#lib/clock.ts';

/** How long a question waits before the engine is asked whether it is alive, and between two such pings. */
const PATIENCE_MS = 5_000;
/** A busy engine takes seconds for a ping, too. */
const PING_PATIENCE_MS = 10_000;
/** How long a question waits for an engine that is known to hang: it may be waking up just now. */
const HANGING_PATIENCE_MS = 1_000;

export interface Patience {
  /** Destroys the request, with an error that says why, when it has no answer and the engine answers no ping. */
  watch(request: ClientRequest): void;
  /** Whether the last ping was left without an answer. */
  hangs(): boolean;
  /** No more pings. */
  close(): void;
}

type Sign = 'alive' | 'silent' | 'gone';

/** `ping` opens a `GET /_ping` on a connection of its own. */
export function createPatience(clock: Clock, ping: () => ClientRequest): Patience {
  let pinging: Promise<Sign> | undefined;
  let isHanging = false;
  let isClosed = false;

  // Many questions may wait; one ping is enough for all.
  function signOfLife(): Promise<Sign> {
    pinging ??= ask(clock, ping()).then((sign) => {
      pinging = undefined;
      isHanging = sign === 'silent';
      // One that hangs holds the ping, and answers it first thing when it wakes up: there is always one waiting.
      if (isHanging && !isClosed) void signOfLife();
      return sign;
    });
    return pinging;
  }

  function watch(request: ClientRequest): void {
    let isOver = false;
    let cancel = clock.schedule(isHanging ? HANGING_PATIENCE_MS : PATIENCE_MS, look);
    const end = () => {
      isOver = true;
      cancel();
    };
    for (const event of ['response', 'upgrade', 'close']) request.once(event, end);

    function look(): void {
      if (isHanging) return giveUp();
      void signOfLife().then((sign) => {
        if (isOver) return;
        if (sign === 'alive') cancel = clock.schedule(PATIENCE_MS, look);
        else giveUp();
      });
    }

    function giveUp(): void {
      request.destroy(new Error(`no answer, and none to a ping within ${PING_PATIENCE_MS / 1000} s`));
    }
  }

  return { watch, hangs: () => isHanging, close: () => void (isClosed = true) };
}

function ask(clock: Clock, request: ClientRequest): Promise<Sign> {
  return new Promise((resolve) => {
    const cancel = clock.schedule(PING_PATIENCE_MS, () => {
      resolve('silent');
      request.destroy();
    });
    request.once('response', (answer) => {
      answer.resume();
      resolve('alive');
    });
    request.on('error', () => resolve('gone'));
    request.once('close', () => {
      cancel();
      resolve('gone');
    });
    request.end();
  });
}
