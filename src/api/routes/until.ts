// The `until` filter of prune requests: a moment, or how long ago.
import { AppError } from '#lib/errors.ts';

const unitMs: Readonly<Record<string, number>> = { ns: 1e-6, us: 1e-3, µs: 1e-3, ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

/** Milliseconds since the epoch; undefined when there is no such filter. Takes a Go duration, seconds since the epoch, or a date. */
export function parseUntil(values: readonly string[], now: number): number | undefined {
  if (values.length > 1) throw new AppError('invalidArgument', 'more than one until filter specified');
  const text = values[0];
  if (text === undefined) return undefined;
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text) * 1_000;
  if (/^(\d+(\.\d+)?(ns|us|µs|ms|s|m|h))+$/.test(text)) return now - durationMs(text);
  const moment = Date.parse(text);
  if (Number.isNaN(moment)) throw new AppError('invalidArgument', `failed to parse value as time or duration: ${JSON.stringify(text)}`);
  return moment;
}

function durationMs(text: string): number {
  return [...text.matchAll(/(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)/g)].reduce((sum, [, amount, unit]) => sum + Number(amount) * (unitMs[unit ?? ''] ?? 0), 0);
}
