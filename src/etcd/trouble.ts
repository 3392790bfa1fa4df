// Why a member of etcd does not run, from what it said last and from what lies on its disk. Pure but for looking at files.
import { existsSync, readdirSync, readFileSync, statfsSync, statSync } from 'node:fs';
import { join } from 'node:path';

export type EtcdTrouble =
  /** Its data is damaged: it will never start with it again. */
  | { readonly kind: 'damaged'; readonly detail: string }
  /** Something that passes, or that somebody must see to. */
  | { readonly kind: 'stopped'; readonly detail: string };

const DISK_FULL = 'its disk is full: free some space, and it goes on by itself';

/** Reasons that have nothing to do with the data, and what to do. First match wins. */
const reasons: readonly (readonly [RegExp, string])[] = [
  [/no space left on device|disk quota exceeded/i, DISK_FULL],
  [/address already in use/i, 'another program uses its port (one above the port of the swarm)'],
  [/cannot assign requested address/i, "its address is not this machine's any more"],
  [/read-only file system|permission denied|operation not permitted/i, 'it may not write to its folder'],
  [/too many open files|cannot allocate memory|out of memory/i, 'this machine is short of memory or file handles'],
  [/input\/output error/i, 'its disk fails'],
  [/certificate|tls:/i, 'its certificates are not accepted'],
];

/** What it says when it gives up. */
const crash = /^panic: (.*)$|^fatal error: (.*)$|"level":"(?:fatal|panic)".*?"msg":"([^"]*)"(?:.*?"error":"([^"]*)")?/m;

/** Less than this is nothing to a database. */
const MIN_FREE_BYTES = 1024 * 1024;

/** Whether the disk under the folder is full: on such a one etcd cannot say so either, since its log lies there. */
export function isDiskFull(folder: string): boolean {
  try {
    const { bavail, bsize } = statfsSync(folder);
    return bavail * bsize < MIN_FREE_BYTES;
  } catch {
    return false;
  }
}

/** `output`: what it wrote during one run that ended by itself. */
export function troubleOf(output: string, code: number | string, diskIsFull = false): EtcdTrouble {
  if (diskIsFull) return { kind: 'stopped', detail: DISK_FULL };
  const end = lastCrash(output);
  const [, reason] = reasons.find(([pattern]) => pattern.test(end ?? output)) ?? [];
  if (reason !== undefined) return { kind: 'stopped', detail: reason };
  return end === undefined ? { kind: 'stopped', detail: `it ended (${code})` } : { kind: 'damaged', detail: end };
}

function lastCrash(output: string): string | undefined {
  const [, panic, fatal, message, error] = crash.exec(output) ?? [];
  return panic ?? fatal ?? (message === undefined ? undefined : [message, error].filter((part) => part !== undefined && part !== '').join(': '));
}

/**
 * What is missing of the data of a member that has been one. Without its log a member would start as if it had never been there, under the same id: it would vote
 * although it has forgotten what it voted for, and take writes back that were acknowledged.
 */
export function missingData(folder: string): string | undefined {
  const logs = join(folder, 'data', 'member', 'wal');
  if (!existsSync(logs)) return `${logs} is gone`;
  const files = readdirSync(logs).filter((name) => name.endsWith('.wal'));
  if (files.length === 0) return `there is no file in ${logs}`;
  const empty = files.find((name) => statSync(join(logs, name)).size === 0);
  return empty === undefined ? undefined : `${join(logs, empty)} is empty`;
}

/** Of what it wrote in one run; the reason of its end is near the end. */
const MAX_OUTPUT_BYTES = 256 * 1024;

/** What was written to the log since it had `start` bytes; all of it when it was put aside meanwhile. */
export function lastOutput(folder: string, start: number): string {
  try {
    const text = readFileSync(join(folder, 'etcd.log'));
    return text.subarray(Math.max(text.length < start ? 0 : start, text.length - MAX_OUTPUT_BYTES)).toString();
  } catch {
    return '';
  }
}
