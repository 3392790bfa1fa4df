// Time of a simulation: it stands still until the next timer is due. Parts of the swarm read it through clocks of their own that may be wrong.
import type { Clock } from '#lib/clock.ts';

export interface Timeline extends Clock {
  /** Calls every timer that is due up to then, in order; promises that can settle do between two calls. */
  advance(byMs: number): Promise<void>;
  /** Lets everything run that waits for no time. */
  settle(): Promise<void>;
  /** As when the machine was suspended: time has passed, and nobody was called. */
  jump(byMs: number): void;
  /** A clock that shows another time and may be set, while its timers run at the same pace. */
  clock(): SkewedClock;
}

export interface SkewedClock extends Clock {
  /** How far it is from the true time; a negative number puts it behind. */
  moveBy(ms: number): void;
}

interface Timer {
  at: number;
  readonly order: number;
  readonly callback: () => void;
}

const START_MS = 1_700_000_000_000;

export function createTimeline(): Timeline {
  let now = START_MS;
  let order = 0;
  const heap: Timer[] = [];
  const cancelled = new WeakSet<Timer>();

  const schedule: Clock['schedule'] = (delayMs, callback) => {
    const timer = { at: now + Math.max(0, delayMs), order: order++, callback };
    push(heap, timer);
    return () => void cancelled.add(timer);
  };

  const sleep: Clock['sleep'] = (delayMs, signal) =>
    new Promise((resolve, reject) => {
      const fail = () => reject(signal?.reason instanceof Error ? signal.reason : new Error('aborted'));
      if (signal?.aborted) return fail();
      const abort = () => {
        cancel();
        fail();
      };
      const cancel = schedule(delayMs, () => {
        signal?.removeEventListener('abort', abort);
        resolve();
      });
      signal?.addEventListener('abort', abort, { once: true });
    });

  return {
    now: () => now,
    elapsed: () => now,
    schedule,
    sleep,
    settle,
    jump(byMs) {
      now += byMs;
    },
    async advance(byMs) {
      const until = now + byMs;
      await settle();
      for (let timer = heap[0]; timer !== undefined && timer.at <= until; timer = heap[0]) {
        pop(heap);
        if (cancelled.has(timer)) continue;
        now = Math.max(now, timer.at);
        timer.callback();
        await settle();
      }
      now = Math.max(now, until);
    },
    clock() {
      let offset = 0;
      return {
        now: () => now + offset,
        elapsed: () => now,
        schedule,
        sleep,
        moveBy(ms) {
          offset += ms;
        },
      };
    },
  };
}

/** Nothing in a simulation waits for anything but promises, so one turn of the event loop is enough for all of them. */
function settle(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve));
}

function isBefore(a: Timer, b: Timer): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}

function push(heap: Timer[], timer: Timer): void {
  let index = heap.push(timer) - 1;
  while (index > 0) {
    const parent = (index - 1) >> 1;
    const above = heap[parent];
    if (above === undefined || !isBefore(timer, above)) break;
    heap[index] = above;
    index = parent;
  }
  heap[index] = timer;
}

function pop(heap: Timer[]): void {
  const last = heap.pop();
  if (last === undefined || heap.length === 0) return;
  let index = 0;
  for (;;) {
    let child = 2 * index + 1;
    const left = heap[child];
    if (left === undefined) break;
    const right = heap[child + 1];
    if (right !== undefined && isBefore(right, left)) child++;
    const smaller = heap[child];
    if (smaller === undefined || !isBefore(smaller, last)) break;
    heap[index] = smaller;
    index = child;
  }
  heap[index] = last;
}
