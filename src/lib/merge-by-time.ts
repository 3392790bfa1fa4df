// Streams of lines, each in its own order, as one stream in order of time. New ones may join while it is read.
import type { Clock } from './clock.ts';

export interface MergeOptions<T> {
  readonly sources: readonly AsyncIterable<T>[];
  /** Keys sort as the items' times do. */
  readonly keyOf: (item: T) => string;
  /** How long a source may be silent until the others' items go on without it. Absent: as long as it takes. */
  readonly patienceMs?: number;
  /** Called once with the way to add a source; the stream then ends with the signal only. */
  readonly onReady?: (add: (source: AsyncIterable<T>) => void) => void;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** Items of one source that wait for the others; then it is not read on. */
const MAX_WAITING = 64;

interface Source<T> {
  readonly waiting: T[];
  ended: boolean;
  /** Since when it has given nothing. */
  silentSince: number;
  /** Reads on. */
  room: () => void;
}

/** Ends with the last source, or with the signal. Throws what a source throws. */
export async function* mergeByTime<T>({ sources, keyOf, patienceMs, onReady, clock, signal }: MergeOptions<T>): AsyncGenerator<T> {
  const open = new Set<Source<T>>();
  let failure: { readonly error: unknown } | undefined;
  let wake = () => {};
  let finished = false;

  const read = async (source: Source<T>, items: AsyncIterable<T>) => {
    try {
      for await (const item of items) {
        source.waiting.push(item);
        wake();
        while (source.waiting.length >= MAX_WAITING && !finished) await new Promise<void>((resolve) => (source.room = resolve));
        if (finished) return;
      }
    } catch (error) {
      failure ??= { error };
    } finally {
      source.ended = true;
      wake();
    }
  };
  const add = (items: AsyncIterable<T>) => {
    const source: Source<T> = { waiting: [], ended: false, silentSince: clock.elapsed(), room: () => {} };
    open.add(source);
    void read(source, items);
  };
  const take = ({ source, item }: { readonly source: Source<T>; readonly item: T }) => {
    source.waiting.shift();
    if (source.waiting.length === 0) source.silentSince = clock.elapsed();
    source.room();
    return item;
  };

  for (const source of sources) add(source);
  onReady?.(add);
  const abort = () => wake();
  signal.addEventListener('abort', abort, { once: true });
  try {
    while (!signal.aborted) {
      if (failure !== undefined) throw failure.error;
      for (const source of open) if (source.ended && source.waiting.length === 0) open.delete(source);
      if (open.size === 0 && onReady === undefined) return;
      const next = nextOf(open, keyOf, patienceMs === undefined ? -Infinity : clock.elapsed() - patienceMs);
      if (next.kind === 'item') yield take(next);
      else await waitForNews(next.silentSince, patienceMs, clock, (resolve) => (wake = resolve));
    }
  } finally {
    finished = true;
    signal.removeEventListener('abort', abort);
    for (const source of open) source.room();
  }
}

type Next<T> = { readonly kind: 'item'; readonly source: Source<T>; readonly item: T } | { readonly kind: 'wait'; readonly silentSince: number | undefined };

/** The earliest item, unless a source might still give an earlier one: that may be until it is silent since `patientSince`, or another one is full. */
function nextOf<T>(open: ReadonlySet<Source<T>>, keyOf: (item: T) => string, patientSince: number): Next<T> {
  let first: { readonly source: Source<T>; readonly item: T; readonly key: string } | undefined;
  let silentSince: number | undefined;
  let full = false;
  for (const source of open) {
    const [item] = source.waiting;
    if (item === undefined) {
      if (source.silentSince > patientSince) silentSince = Math.max(silentSince ?? -Infinity, source.silentSince);
      continue;
    }
    full ||= source.waiting.length >= MAX_WAITING;
    const key = keyOf(item);
    if (first === undefined || key < first.key) first = { source, item, key };
  }
  if (first === undefined) return { kind: 'wait', silentSince: undefined };
  // Without patience order comes first: every source is waited for.
  if (silentSince !== undefined && !(full && patientSince > -Infinity)) return { kind: 'wait', silentSince };
  return { kind: 'item', source: first.source, item: first.item };
}

async function waitForNews(
  silentSince: number | undefined,
  patienceMs: number | undefined,
  clock: Clock,
  onWake: (resolve: () => void) => void,
): Promise<void> {
  await new Promise<void>((resolve) => {
    const cancel =
      silentSince === undefined || patienceMs === undefined
        ? () => {}
        : clock.schedule(Math.max(1, silentSince + patienceMs - clock.elapsed()), () => resolve());
    onWake(() => {
      cancel();
      resolve();
    });
  });
}
