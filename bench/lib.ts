// What every benchmark here uses: timing with warm-up and repetitions, and a report that prints both sides of a comparison and their ratio.
import { parseArgs } from 'node:util';

export interface Timing {
  readonly medianMs: number;
  readonly p99Ms: number;
  readonly repetitions: number;
}

export interface Comparison {
  readonly name: string;
  readonly unit: string;
  /** What Skep did. */
  readonly skep: number;
  /** What it is held against; `from` says whether it was measured in this run or is a recorded number. */
  readonly other: number;
  readonly otherName: string;
  readonly from: 'this run' | 'recorded';
  /** The goal of docs (design numbers), in the same unit. */
  readonly goal?: number;
  readonly better: 'higher' | 'lower';
}

/** Times `run` (which may return what it excludes, see `measured`) after `warmUps` runs that do not count. */
export async function time(
  run: () => unknown,
  { warmUps = 2, repetitions = 5 }: { readonly warmUps?: number; readonly repetitions?: number } = {},
): Promise<Timing> {
  for (let count = 0; count < warmUps; count++) await run();
  const times: number[] = [];
  for (let count = 0; count < repetitions; count++) {
    const start = performance.now();
    await run();
    times.push(performance.now() - start);
  }
  return timingOf(times);
}

/** The same for work that needs preparation: only what the returned function does is timed. */
export async function timePrepared(
  prepare: () => (() => unknown) | Promise<() => unknown>,
  { warmUps = 2, repetitions = 5 }: { readonly warmUps?: number; readonly repetitions?: number } = {},
): Promise<Timing> {
  const times: number[] = [];
  for (let count = 0; count < warmUps + repetitions; count++) {
    const run = await prepare();
    const start = performance.now();
    await run();
    if (count >= warmUps) times.push(performance.now() - start);
  }
  return timingOf(times);
}

export function timingOf(times: readonly number[]): Timing {
  return { medianMs: quantile(times, 0.5), p99Ms: quantile(times, 0.99), repetitions: times.length };
}

/** The value at a share of the sorted ones (nearest rank); NaN for none. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(share * sorted.length) - 1))] ?? Number.NaN;
}

export interface Report {
  add(comparison: Comparison): void;
  /** A number without another side. */
  note(name: string, value: number, unit: string): void;
  /** Prints the table, or JSON with `--json`; the exit code says whether all goals were met when `--check` is given. */
  print(): void;
}

export function createReport(title: string): Report {
  const { values } = parseArgs({ options: { json: { type: 'boolean', default: false }, check: { type: 'boolean', default: false } }, strict: false });
  const comparisons: Comparison[] = [];
  const notes: { readonly name: string; readonly value: number; readonly unit: string }[] = [];
  return {
    add: (comparison) => void comparisons.push(comparison),
    note: (name, value, unit) => void notes.push({ name, value, unit }),
    print() {
      if (values['json'])
        console.log(JSON.stringify({ title, comparisons: comparisons.map((one) => ({ ...one, ratio: ratioOf(one), met: isMet(one) })), notes }, null, 2));
      else printTable(title, comparisons, notes);
      if (values['check'] && comparisons.some((one) => isMet(one) === false)) process.exitCode = 1;
    },
  };
}

/** Above 1: Skep is better. */
function ratioOf({ skep, other, better }: Comparison): number {
  return better === 'higher' ? skep / other : other / skep;
}

function isMet({ skep, goal, better }: Comparison): boolean | undefined {
  if (goal === undefined) return undefined;
  return better === 'higher' ? skep >= goal : skep <= goal;
}

function printTable(
  title: string,
  comparisons: readonly Comparison[],
  notes: readonly { readonly name: string; readonly value: number; readonly unit: string }[],
): void {
  console.log(`# ${title}`);
  for (const one of comparisons) {
    const verdict = { true: 'met', false: 'MISSED' }[String(isMet(one))] ?? '';
    const goal = one.goal === undefined ? '' : `  goal ${one.better === 'higher' ? '≥' : '≤'} ${format(one.goal)} ${verdict}`;
    console.log(
      `${one.name}: skep ${format(one.skep)} ${one.unit}, ${one.otherName} ${format(one.other)} ${one.unit} (${one.from}), ${ratioOf(one).toFixed(2)} × as good${goal}`,
    );
  }
  for (const { name, value, unit } of notes) console.log(`${name}: ${format(value)} ${unit}`);
}

function format(value: number): string {
  const digits = Math.abs(value) >= 100 ? 0 : 2;
  return value.toLocaleString('en', { maximumFractionDigits: digits });
}
