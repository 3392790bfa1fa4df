// The one generic control loop. It is level-triggered: an event only says which keys to look at, a decision says what should change and
// when to look again. The loop owns no truth: after a restart it looks at every key once and is where it was.
// What is decided lives in orchestrator/, allocator/ and scheduler/, not here.
import type { Decision, StoreEvent, View, Writer } from '#domain/view.ts';
import { createBackoff } from '#lib/backoff.ts';
import type { Clock } from '#lib/clock.ts';
import { AppError, errorMessage } from '#lib/errors.ts';
import type { Logger } from '#lib/log.ts';
import type { Store } from '#store/store.ts';
import { splitByWeight } from '#store/weight.ts';

export interface LoopDecision extends Decision {
  /** When to look at single keys again; `wakeAt` looks at every key of this decision again. */
  readonly wakeUps?: ReadonlyMap<string, number>;
  /** Keys that were left for the next round, to keep a commit bounded. */
  readonly postponed?: readonly string[];
}

export interface ControlLoop {
  readonly name: string;
  readonly writer: Writer;
  allKeys(view: View): Iterable<string>;
  keysOf(event: StoreEvent, view: View): Iterable<string>;
  decide(view: View, keys: ReadonlySet<string>, now: number): LoopDecision;
}

/** Deciding and committing this many changes, and telling everybody, holds the event loop for 20 ms and more: heartbeats and requests wait meanwhile. */
const MAX_CHANGES_PER_COMMIT = 500;

/** Turns a decision about one key into one about many, in order of key, until a commit is full. */
export function perKey(decideOne: (view: View, key: string, now: number) => Decision): ControlLoop['decide'] {
  return (view, keys, now) => {
    const changes = [];
    const wakeUps = new Map<string, number>();
    const postponed = [];
    for (const key of [...keys].sort()) {
      if (changes.length >= MAX_CHANGES_PER_COMMIT) {
        postponed.push(key);
        continue;
      }
      const decision = decideOne(view, key, now);
      changes.push(...decision.changes);
      if (decision.wakeAt !== undefined) wakeUps.set(key, decision.wakeAt);
    }
    return { changes, wakeUps, postponed };
  };
}

export interface LoopDependencies {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Runs a loop until the signal aborts; then resolves. */
export async function runControlLoop(loop: ControlLoop, { store, clock, log }: LoopDependencies, signal: AbortSignal): Promise<void> {
  const dirty = new Set<string>(loop.allKeys(store.view));
  const wakeUps = new Map<string, number>();
  const backoff = createBackoff({ initialMs: 50, maximumMs: 5_000 });
  let notify = () => {};
  const unwatch = store.watch((_revision, events) => {
    for (const event of events) for (const key of loop.keysOf(event, store.view)) dirty.add(key);
    if (dirty.size > 0) notify();
  });
  try {
    while (!signal.aborted) {
      takeDue(wakeUps, dirty, clock.elapsed());
      if (dirty.size === 0) {
        await waitForWork(clock, earliest(wakeUps), signal, (wake) => {
          notify = wake;
        });
        continue;
      }
      const keys = new Set(dirty);
      dirty.clear();
      try {
        await runOnce(loop, keys, { store, clock, log }, wakeUps, dirty);
        backoff.reset();
      } catch (error) {
        for (const key of keys) dirty.add(key);
        // A conflict only means that somebody else was faster: look again at once. Anything else waits, and is said.
        if (error instanceof AppError && error.code === 'conflict') continue;
        log.error(
          { loop: loop.name, error: errorMessage(error), stack: error instanceof Error ? error.stack : undefined },
          'control loop failed; it will try again',
        );
        await clock.sleep(backoff.nextMs(), signal).catch(() => {});
      }
    }
  } finally {
    unwatch();
  }
}

async function runOnce(
  loop: ControlLoop,
  keys: ReadonlySet<string>,
  { store, clock }: LoopDependencies,
  wakeUps: Map<string, number>,
  dirty: Set<string>,
): Promise<void> {
  for (const key of keys) wakeUps.delete(key);
  const decision = loop.decide(store.view, keys, clock.now());
  for (const key of decision.postponed ?? []) dirty.add(key);
  // What is stored of a decision is where the next one begins: a part of it is no harm.
  if (decision.changes.length > 0) for (const part of splitByWeight(decision.changes)) await store.commit(loop.writer, part);
  // Kept as waits, not as times of day: a clock that is set meanwhile makes nobody wait longer, and the decision looks at the time again.
  const onSteadyClock = clock.elapsed() - clock.now();
  if (decision.wakeAt !== undefined) for (const key of keys) wakeUps.set(key, decision.wakeAt + onSteadyClock);
  for (const [key, at] of decision.wakeUps ?? []) wakeUps.set(key, at + onSteadyClock);
}

function takeDue(wakeUps: Map<string, number>, dirty: Set<string>, now: number): void {
  for (const [key, at] of wakeUps) {
    if (at > now) continue;
    wakeUps.delete(key);
    dirty.add(key);
  }
}

function earliest(wakeUps: ReadonlyMap<string, number>): number | undefined {
  let first: number | undefined;
  for (const at of wakeUps.values()) if (first === undefined || at < first) first = at;
  return first;
}

/** Resolves when there is work: `setWake` gets the function to call on news, and a timer calls it at `wakeAt`. */
async function waitForWork(clock: Clock, wakeAt: number | undefined, signal: AbortSignal, setWake: (wake: () => void) => void): Promise<void> {
  await new Promise<void>((resolve) => {
    const cancel = wakeAt === undefined ? () => {} : clock.schedule(Math.max(0, wakeAt - clock.elapsed()), wake);
    function wake() {
      cancel();
      signal.removeEventListener('abort', wake);
      resolve();
    }
    signal.addEventListener('abort', wake, { once: true });
    setWake(wake);
  });
}
