// `--since` and `--until`: a moment, or a time before now.
import { AppError } from '#lib/errors.ts';
import { parseGoDuration } from '../format/duration.ts';

/** Unix seconds, with a fraction when there is one, as the API wants them. */
export function parseMoment(text: string, nowMs: number): string {
  try {
    const nanoseconds = parseGoDuration(text);
    return seconds(nowMs - nanoseconds / 1e6);
  } catch {
    // Not a duration.
  }
  if (/^\d+(\.\d{1,9})?$/.test(text)) return text;
  const match = /^(\d{4}-\d\d-\d\d)(?:T(\d\d:\d\d(?::\d\d(?:\.\d+)?)?))?(Z|[+-]\d\d:\d\d)?$/.exec(text);
  // Without a zone, the time of this machine is meant.
  const time = match === null ? Number.NaN : Date.parse(`${match[1]}T${match[2] ?? '00:00'}${match[3] ?? ''}`);
  if (Number.isNaN(time)) throw new AppError('invalidArgument', `failed to parse value as time or duration: ${JSON.stringify(text)}`);
  return seconds(time);
}

function seconds(milliseconds: number): string {
  return (milliseconds / 1000).toFixed(9);
}
