// Values of skepd's options that are more than text or a number.
import { InvalidArgumentError } from 'commander';
import { resolve } from 'node:path';
import { parseBytes } from '#lib/bytes.ts';
import { AppError } from '#lib/errors.ts';

/** As docker's sizes: 64m is 64 MiB. */
export function bytes(value: string): number {
  const result = parseBytes(value);
  if ('problem' in result) throw new InvalidArgumentError('It must be a size such as 512k, 64m or 1g.');
  return result.bytes;
}

const msPerUnit: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Milliseconds. */
export function age(value: string): number {
  const match = /^(\d+)([smhd])$/.exec(value);
  if (match === null) throw new InvalidArgumentError('It must be a duration such as 90m, 12h or 7d.');
  return Number(match[1]) * (msPerUnit[match[2] ?? ''] ?? 0);
}

const MIN_INTERVAL_MS = 60_000;

/** Milliseconds between things that are done by and by; 0: never. */
export function interval(value: string): number {
  const ms = value === '0' ? 0 : age(value);
  if (ms !== 0 && ms < MIN_INTERVAL_MS) throw new InvalidArgumentError('It must be 0 or at least 1m.');
  return ms;
}

const MAX_SNAPSHOTS = 1_000;

export function snapshotCount(value: string): number {
  const number = Number(value);
  if (!/^\d+$/.test(value) || number < 1 || number > MAX_SNAPSHOTS) throw new InvalidArgumentError(`It must be a whole number from 1 to ${MAX_SNAPSHOTS}.`);
  return number;
}

/** The kernel takes 107 bytes for the path of a unix socket; the longest of ours in the state directory adds 20 (`/etcd/localhost:2379`). */
const MAX_STATE_DIRECTORY_BYTES = 80;

/** The absolute path. Throws AppError `invalidArgument` for one that no socket could be made in. */
export function stateDirectory(path: string): string {
  const absolute = resolve(path);
  const length = Buffer.byteLength(absolute);
  if (length > MAX_STATE_DIRECTORY_BYTES)
    throw new AppError('invalidArgument', `--state-dir has ${length} bytes, and the sockets in it allow ${MAX_STATE_DIRECTORY_BYTES}: choose a shorter path`);
  return absolute;
}
