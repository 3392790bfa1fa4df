// Values of skepd's options that are more than text or a number.
import { InvalidArgumentError } from 'commander';

/** As docker's sizes: 64m is 64 MiB. */
export function bytes(value: string): number {
  const match = /^(\d+)\s*(?:([kmgt])(?:i?b)?|b)?$/i.exec(value);
  if (match === null) throw new InvalidArgumentError('It must be a size such as 512k, 64m or 1g.');
  return Number(match[1]) * 1024 ** (1 + 'kmgt'.indexOf((match[2] ?? '').toLowerCase() || '-'));
}

const msPerUnit: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Milliseconds. */
export function age(value: string): number {
  const match = /^(\d+)([smhd])$/.exec(value);
  if (match === null) throw new InvalidArgumentError('It must be a duration such as 90m, 12h or 7d.');
  return Number(match[1]) * (msPerUnit[match[2] ?? ''] ?? 0);
}
