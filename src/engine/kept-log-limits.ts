// How much is kept of the logs of tasks whose containers are gone, and which of them have to go. Pure; the files are kept-logs.ts.

export interface KeptLogLimits {
  /** Of one task: the end of its log. 0: nothing is kept. */
  readonly taskBytes: number;
  /** Of all tasks of this node together. */
  readonly totalBytes: number;
  readonly maxAgeMs: number;
}

export const DEFAULT_KEPT_LOG_LIMITS: KeptLogLimits = { taskBytes: 1 << 20, totalBytes: 256 << 20, maxAgeMs: 7 * 24 * 3_600_000 };

/** A task that fails every few seconds must not push out everybody else's logs. */
export const MAX_KEPT_PER_SLOT = 20;
/** Their list is held in memory, about 500 bytes each. */
const MAX_KEPT_TASKS = 10_000;

export interface KeptLogSize {
  readonly taskId: string;
  /** What shares the limit of a slot: service and slot, or the service's task on this node. */
  readonly slotKey: string;
  readonly bytes: number;
  /** Milliseconds since the epoch. */
  readonly keptAt: number;
}

/** Ids of the tasks whose logs have to go: the too old ones, and the oldest until the rest is within all limits. */
export function logsToForget(kept: readonly KeptLogSize[], limits: KeptLogLimits, now: number): readonly string[] {
  const newestFirst = kept.toSorted((a, b) => b.keptAt - a.keptAt || (a.taskId < b.taskId ? -1 : 1));
  const ofSlot = new Map<string, number>();
  const forget: string[] = [];
  let bytes = 0;
  let count = 0;
  for (const log of newestFirst) {
    const before = ofSlot.get(log.slotKey) ?? 0;
    const fits = before < MAX_KEPT_PER_SLOT && count < MAX_KEPT_TASKS && bytes + log.bytes <= limits.totalBytes && now - log.keptAt <= limits.maxAgeMs;
    if (!fits) {
      forget.push(log.taskId);
      continue;
    }
    ofSlot.set(log.slotKey, before + 1);
    bytes += log.bytes;
    count += 1;
  }
  return forget;
}
