// Durations as Go writes and reads them ("1m30s"), and as Compose allows besides (days and weeks).

const UNITS_NS: Readonly<Record<string, number>> = {
  ns: 1,
  us: 1e3,
  µs: 1e3,
  μs: 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3_600e9,
  d: 86_400e9,
  w: 604_800e9,
};

/** Go's time.Duration is an int64. */
const MAX_NS = 2n ** 63n - 1n;

/** Nanoseconds, or undefined when the text is no duration or does not fit (more than 292 years). */
export function parseDuration(text: string): number | undefined {
  const sign = text.startsWith('-') ? -1 : 1;
  const body = text.replace(/^[-+]/, '');
  if (body === '0') return 0;
  if (!/^(?:(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:ns|us|µs|μs|ms|s|m|h|d|w))+$/.test(body)) return undefined;
  let total = 0n;
  for (const [, whole = '', fraction = '', unit = ''] of body.matchAll(/([0-9]*)(?:\.([0-9]*))?(ns|us|µs|μs|ms|s|m|h|d|w)/g)) {
    const scale = BigInt(UNITS_NS[unit] ?? 0);
    total += BigInt(whole || '0') * scale + (BigInt(fraction || '0') * scale) / 10n ** BigInt(fraction.length);
  }
  return total > MAX_NS ? undefined : sign * Number(total);
}

/** Go's time.Duration.String: "1m30s", "1.5s", "100ms", "0s". */
export function formatDuration(ns: number): string {
  if (ns === 0) return '0s';
  const sign = ns < 0 ? '-' : '';
  const magnitude = Math.abs(ns);
  if (magnitude < 1e3) return `${sign}${magnitude}ns`;
  if (magnitude < 1e6) return `${sign}${decimal(magnitude, 1e3)}µs`;
  if (magnitude < 1e9) return `${sign}${decimal(magnitude, 1e6)}ms`;
  const totalSeconds = Math.floor(magnitude / 1e9);
  const seconds = decimal((totalSeconds % 60) * 1e9 + (magnitude % 1e9), 1e9);
  const minutes = Math.floor(totalSeconds / 60);
  if (minutes === 0) return `${sign}${seconds}s`;
  const hours = Math.floor(minutes / 60);
  return hours === 0 ? `${sign}${minutes}m${seconds}s` : `${sign}${hours}h${minutes % 60}m${seconds}s`;
}

/** An exact decimal quotient without trailing zeros; `scale` is a power of ten. */
function decimal(value: number, scale: number): string {
  const whole = Math.floor(value / scale);
  const digits = Math.round(Math.log10(scale));
  const fraction = String(value % scale)
    .padStart(digits, '0')
    .replace(/0+$/, '');
  return fraction === '' ? String(whole) : `${whole}.${fraction}`;
}
