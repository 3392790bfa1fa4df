// Pure: what can be done to a node's link, in a user's words and in tc's.

export const directions = ['both', 'in', 'out'] as const;
/** Seen from the node: `in` means that nothing reaches it, `out` that nothing leaves it. */
export type Direction = (typeof directions)[number];

export interface Slowness {
  readonly bitsPerSecond?: number;
  /** Of each packet, each way. */
  readonly delayMs?: number;
  readonly lossPercent?: number;
}

const UNITS: Readonly<Record<string, number>> = { bit: 1, kbit: 1e3, mbit: 1e6, gbit: 1e9 };
/** Below this a full packet takes more than a second. */
const MIN_RATE = 8_000;
/** How long a packet may wait for its turn before it is dropped. */
const QUEUE_MS = 400;
/** A full Ethernet frame with some room: less would let nothing through. */
const MIN_BURST_BYTES = 3_200;

/** `10mbit` → bits per second. Throws Error with what is wrong. */
export function parseRate(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(bit|kbit|mbit|gbit)$/i.exec(text);
  const rate = match === null ? 0 : Number(match[1]) * (UNITS[match[2]?.toLowerCase() ?? ''] ?? 0);
  if (match === null) throw new Error('it must be a number with kbit, mbit or gbit, such as 10mbit');
  if (rate < MIN_RATE) throw new Error('it must be at least 8kbit');
  return Math.round(rate);
}

/** `5%` or `5`. Throws Error with what is wrong. */
export function parseLoss(text: string): number {
  const value = Number(/^(\d+(?:\.\d+)?)%?$/.exec(text)?.[1]);
  if (!(value > 0 && value <= 100)) throw new Error('it must be a percentage above 0 and up to 100');
  return value;
}

/** What follows `tc qdisc replace dev X root`. A rate alone needs no netem, which not every kernel has. */
export function shapingArguments({ bitsPerSecond, delayMs, lossPercent }: Slowness): readonly string[] {
  if (delayMs === undefined && lossPercent === undefined) {
    const rate = bitsPerSecond ?? MIN_RATE;
    // A hundredth of a second's worth: the kernel's timer gives tokens more often than that.
    const burst = Math.max(MIN_BURST_BYTES, Math.ceil(rate / 8 / 100));
    return ['tbf', 'rate', `${rate}bit`, 'burst', `${burst}b`, 'latency', `${QUEUE_MS}ms`];
  }
  return [
    'netem',
    ...(delayMs === undefined ? [] : ['delay', `${delayMs}ms`]),
    ...(lossPercent === undefined ? [] : ['loss', `${lossPercent}%`]),
    ...(bitsPerSecond === undefined ? [] : ['rate', `${bitsPerSecond}bit`]),
  ];
}

/** What `ls` shows of a link. */
export function linkText({ from, to, slow }: { readonly from: boolean; readonly to: boolean; readonly slow: string | undefined }): string {
  if (from && to) return 'cut';
  if (from) return 'cut (out)';
  if (to) return 'cut (in)';
  return slow === undefined ? 'up' : `slow (${slow})`;
}
