// Gives back what a busy moment has left. V8 collects when much is allocated: a daemon that has started, or was busy for a minute, and then does little
// would hold that garbage for days. It needs `--expose-gc` on the process' start line, and does nothing without.
import { getHeapSpaceStatistics, getHeapStatistics } from 'node:v8';
import type { Clock } from '#lib/clock.ts';

const LOOK_MS = 5_000;
/** A process that is busier than this share of the time has no time for it. */
const QUIET_SHARE = 0.05;
/** Growth since the last collection that is worth another. */
const WORTH_BYTES = 4 * 1_024 ** 2;
/**
 * A collection walks through all small objects, about a MB in a millisecond, and nothing else happens meanwhile. More than this is left to V8, which does it
 * in small steps when it gets round to it. Large objects (answers of many MB, gone with their reader) are not walked through.
 */
const MAX_WALKED_BYTES = 64 * 1_024 ** 2;
/** Up to this it may take twice as long: V8's last resort also gives back the pages that a usual collection keeps for what comes next, some 8 MB. */
const THOROUGH_WALKED_BYTES = 24 * 1_024 ** 2;

export interface Memory {
  /** Share of the last seconds in which the process did something. */
  readonly busyShare: number;
  /** On the heap, and outside of it for objects on it. */
  readonly usedBytes: number;
  /** On the heap in small objects. */
  readonly walkedBytes: number;
  /** The same after the last collection. */
  readonly keptBytes: number;
}

export function isWorthCollecting({ busyShare, usedBytes, walkedBytes, keptBytes }: Memory): boolean {
  return busyShare <= QUIET_SHARE && walkedBytes <= MAX_WALKED_BYTES && usedBytes - keptBytes >= WORTH_BYTES;
}

/** Looks every few seconds until the returned function is called. */
export function collectWhenQuiet(clock: Clock, collect = globalThis.gc): () => void {
  if (collect === undefined) return () => {};
  let keptBytes = 0;
  let before = performance.eventLoopUtilization();
  let cancel = clock.schedule(LOOK_MS, look);
  function look(): void {
    const now = performance.eventLoopUtilization();
    const busyShare = performance.eventLoopUtilization(now, before).utilization;
    const walked = walkedBytes();
    if (isWorthCollecting({ busyShare, usedBytes: usedBytes(), walkedBytes: walked, keptBytes })) {
      collect?.({ type: 'major', execution: 'sync', flavor: walked <= THOROUGH_WALKED_BYTES ? 'last-resort' : 'regular' });
      keptBytes = usedBytes();
    }
    // What V8 has collected by itself counts, too.
    keptBytes = Math.min(keptBytes, usedBytes());
    before = performance.eventLoopUtilization();
    cancel = clock.schedule(LOOK_MS, look);
  }
  return () => cancel();
}

function walkedBytes(): number {
  const spaces = getHeapSpaceStatistics().filter(({ space_name: name }) => !name.includes('large_object') && !name.startsWith('read_only'));
  return spaces.reduce((sum, { space_used_size: bytes }) => sum + bytes, 0);
}

function usedBytes(): number {
  const { used_heap_size: heap, external_memory: external } = getHeapStatistics();
  return heap + external;
}
