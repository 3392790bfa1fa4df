// Snapshots of the swarm's state on a manager's own disk: backups like those that users ask for, made by themselves. When the last one was made, and which ones
// are old, is what the files' names say; no timer and no variable knows better.
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '#lib/clock.ts';
import { errorMessage } from '#lib/errors.ts';
import type { Logger } from '#lib/log.ts';
import { ensurePrivateDirectory, writeLargeFileAtomically } from '#platform/files.ts';

export interface SnapshotOptions {
  /** 0: none on a schedule. */
  readonly intervalMs: number;
  /** How many are kept of those on a schedule, and as many of those before something dangerous. */
  readonly keep: number;
}

export type SnapshotReason = 'scheduled' | 'before-etcd' | 'before-force-new-cluster' | 'before-restore';

export interface SnapshotFile {
  readonly path: string;
  readonly takenAt: number;
  readonly reason: SnapshotReason;
}

export interface Snapshots {
  /** Takes one now; resolves with its file. */
  take(reason: SnapshotReason): Promise<string>;
  /** Takes those that are due, until the signal aborts. */
  run(signal: AbortSignal): Promise<void>;
}

export interface SnapshotsOptions extends SnapshotOptions {
  readonly folder: string;
  /** The bytes of a backup of what is stored now. */
  readonly make: () => Promise<Uint8Array>;
  /** All or nothing; default: to the disk, while the event loop goes on. */
  readonly write?: (path: string, bytes: Uint8Array) => void | Promise<void>;
  readonly clock: Clock;
  readonly log: Logger;
}

/** The disk is looked at this often: clocks are set and files are removed while we wait. */
const CHECK_MS = 10 * 60_000;
/** After a failure. */
const RETRY_MS = 60_000;

export function createSnapshots({ folder, make, write = writeLargeFileAtomically, intervalMs, keep, clock, log }: SnapshotsOptions): Snapshots {
  async function take(reason: SnapshotReason): Promise<string> {
    ensurePrivateDirectory(folder);
    const path = join(folder, nameOf(clock.now(), reason));
    const file = await make();
    // First of all: on a disk that is full, what a crash left may be what fills it.
    removeParts(folder);
    await write(path, file);
    for (const old of outdated(listSnapshots(folder), keep, clock.now())) rmSync(old.path, { force: true });
    log.info({ path, reason }, "a snapshot of the swarm's state was taken");
    return path;
  }

  return {
    take,
    async run(signal) {
      if (intervalMs === 0) return;
      while (!signal.aborted) {
        let waitMs = RETRY_MS;
        try {
          if (dueAt(listSnapshots(folder), clock.now(), intervalMs) <= clock.now()) await take('scheduled');
          waitMs = Math.min(CHECK_MS, dueAt(listSnapshots(folder), clock.now(), intervalMs) - clock.now());
        } catch (error) {
          log.error({ folder, error: errorMessage(error) }, "no snapshot of the swarm's state could be taken; it is tried again");
        }
        await clock.sleep(Math.max(0, waitMs), signal).catch(() => {});
      }
    },
  };
}

/** Newest first. */
export function listSnapshots(folder: string): readonly SnapshotFile[] {
  return namesIn(folder)
    .flatMap((name) => snapshotOf(folder, name) ?? [])
    .sort((a, b) => b.takenAt - a.takenAt);
}

/** Pure: when the next one is due. One of the future, taken while the clock was wrong, counts for nothing. */
export function dueAt(snapshots: readonly SnapshotFile[], now: number, intervalMs: number): number {
  const times = snapshots.filter(({ reason, takenAt }) => reason === 'scheduled' && takenAt <= now).map(({ takenAt }) => takenAt);
  return times.length === 0 ? now : Math.max(...times) + intervalMs;
}

/**
 * Pure: those that are too many, of newest first. What is taken before something dangerous does not push out the others. Those of the future are older than
 * all that could be taken since the clock was set right: they go first, or they would push out each new one.
 */
export function outdated(snapshots: readonly SnapshotFile[], keep: number, now: number): readonly SnapshotFile[] {
  const sorted = [...snapshots.filter(({ takenAt }) => takenAt <= now), ...snapshots.filter(({ takenAt }) => takenAt > now)];
  const scheduled = sorted.filter(({ reason }) => reason === 'scheduled');
  const others = sorted.filter(({ reason }) => reason !== 'scheduled');
  return [...scheduled.slice(keep), ...others.slice(keep)];
}

const namePattern = /^(\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d-\d{3}Z)-(scheduled|before-etcd|before-force-new-cluster|before-restore)\.skep$/;

function nameOf(now: number, reason: SnapshotReason): string {
  return `${new Date(now).toISOString().replaceAll(/[:.]/g, '-')}-${reason}.skep`;
}

function snapshotOf(folder: string, name: string): SnapshotFile | undefined {
  const [, time, reason] = namePattern.exec(name) ?? [];
  if (time === undefined || reason === undefined) return undefined;
  const takenAt = Date.parse(time.replace(/T(\d\d)-(\d\d)-(\d\d)-(\d{3})Z/, 'T$1:$2:$3.$4Z'));
  return Number.isNaN(takenAt) ? undefined : { path: join(folder, name), takenAt, reason: reason as SnapshotReason };
}

/** What a crash left of one. */
function removeParts(folder: string): void {
  for (const name of namesIn(folder)) if (name.endsWith('.skep.new')) rmSync(join(folder, name), { force: true });
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}
