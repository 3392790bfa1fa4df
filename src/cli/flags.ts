// Options of one call, parsed. commander cuts the arguments into options and values; what differs from Docker's parser (booleans with `=`, wording of
// errors, values checked in the order they stand) is adapted here.
import { Command, CommanderError, Option } from 'commander';
import { type FlagSpec, UsageError } from './command.ts';
import { valueParserOf } from './values/basic.ts';

export interface Flags {
  /** Was it given? */
  has(name: string): boolean;
  /** Yes-or-no options; false when not given. */
  bool(name: string): boolean;
  /** The last value as it was written; empty when not given. */
  text(name: string): string;
  /** All values as they were written. */
  texts(name: string): readonly string[];
  /** The last value, parsed. */
  value<T>(name: string): T | undefined;
  /** All values, parsed. */
  values<T>(name: string): readonly T[];
  /** Names of all that were given. */
  readonly given: readonly string[];
}

export interface Parsed {
  readonly flags: Flags;
  readonly args: readonly string[];
}

const helpFlag: FlagSpec = { name: 'help', short: 'h', description: 'Print usage', hidden: true };

/** Throws UsageError with exit code 125. */
export function parseFlags(argv: readonly string[], specs: readonly FlagSpec[], optionsFirst: boolean): Parsed {
  const all = specs.some(({ short }) => short === 'h') ? [...specs, { ...helpFlag, short: undefined } as unknown as FlagSpec] : [...specs, helpFlag];
  const given = new Map<string, { text: string; value: unknown }[]>();
  const program = new Command('skep').exitOverride().helpOption(false).allowExcessArguments(true).argument('[args...]');
  program.configureOutput({ writeOut: () => {}, writeErr: () => {} });
  if (optionsFirst) program.passThroughOptions();
  for (const spec of all) program.addOption(optionOf(spec, given));
  try {
    program.parse(expandSwitches(argv, all, optionsFirst), { from: 'user' });
  } catch (error) {
    throw error instanceof CommanderError ? translated(error, argv) : error;
  }
  return { flags: flagsOf(given), args: program.args };
}

function optionOf(spec: FlagSpec, given: Map<string, { text: string; value: unknown }[]>): Option {
  const short = spec.short === undefined ? '' : `-${spec.short}, `;
  const option = new Option(`${short}--${spec.name} <value>`);
  const parse = spec.parse ?? valueParserOf(spec.type);
  return option.argParser((text: string) => {
    let value: unknown;
    try {
      value = parse(text);
    } catch (error) {
      const shown = spec.short === undefined ? `--${spec.name}` : `-${spec.short}, --${spec.name}`;
      throw new UsageError(`invalid argument ${JSON.stringify(text)} for "${shown}" flag: ${(error as Error).message}`, 125);
    }
    given.set(spec.name, [...(given.get(spec.name) ?? []), { text, value }]);
    return text;
  });
}

function flagsOf(given: ReadonlyMap<string, readonly { text: string; value: unknown }[]>): Flags {
  return {
    has: (name) => given.has(name),
    bool: (name) => given.get(name)?.at(-1)?.value === true,
    text: (name) => given.get(name)?.at(-1)?.text ?? '',
    texts: (name) => given.get(name)?.map(({ text }) => text) ?? [],
    value: (name) => given.get(name)?.at(-1)?.value as never,
    values: (name) => (given.get(name)?.map(({ value }) => value) ?? []) as never,
    given: [...given.keys()],
  };
}

/**
 * Gives yes-or-no options a value of their own (`--detach` → `--detach=true`), takes bundles of short ones apart (`-dq`), and `-f=x` as `-f x`, so that
 * commander meets only options with values. What it cannot know is left for commander to refuse.
 */
function expandSwitches(argv: readonly string[], specs: readonly FlagSpec[], optionsFirst: boolean): string[] {
  const byName = new Map(specs.map((spec) => [spec.name, spec]));
  const byShort = new Map(specs.flatMap((spec) => (spec.short === undefined ? [] : [[spec.short, spec] as const])));
  const result: string[] = [];
  for (let index = 0; index < argv.length; index += 1) {
    const word = argv[index] ?? '';
    if (word === '--' || (optionsFirst && (!word.startsWith('-') || word === '-'))) return [...result, ...argv.slice(index)];
    if (word.startsWith('--')) {
      const spec = byName.get(word.slice(2));
      if (spec !== undefined && spec.type === undefined) result.push(`${word}=true`);
      else if (spec !== undefined && index + 1 < argv.length) result.push(`${word}=${argv[(index += 1)]}`);
      else result.push(word);
    } else if (word.startsWith('-') && word.length > 1) {
      const rest = expandShort(word.slice(1), byShort, result);
      if (rest !== undefined && index + 1 < argv.length) result.push(`--${rest.name}=${argv[(index += 1)]}`);
      else if (rest !== undefined) throw new UsageError(`flag needs an argument: '${rest.short}' in ${word}`, 125);
    } else result.push(word);
  }
  return result;
}

/** Pushes what a bundle stands for; returns the option that still wants its value from the next word. */
function expandShort(letters: string, byShort: ReadonlyMap<string, FlagSpec>, result: string[]): FlagSpec | undefined {
  for (let index = 0; index < letters.length; index += 1) {
    const letter = letters[index] ?? '';
    const spec = byShort.get(letter);
    if (spec === undefined) throw new UsageError(`unknown shorthand flag: '${letter}' in -${letters.slice(index)}`, 125);
    const rest = letters.slice(index + 1);
    if (rest.startsWith('=')) {
      result.push(`--${spec.name}${rest}`);
      return undefined;
    }
    if (spec.type === undefined) result.push(`--${spec.name}=true`);
    else if (rest === '') return spec;
    else {
      result.push(`--${spec.name}=${rest}`);
      return undefined;
    }
  }
  return undefined;
}

function translated(error: CommanderError, argv: readonly string[]): UsageError {
  if (error.code === 'commander.unknownOption') {
    const word = /unknown option '([^']*)'/.exec(error.message)?.[1] ?? argv.find((candidate) => candidate.startsWith('-')) ?? '';
    return new UsageError(`unknown flag: ${word.split('=')[0]}`, 125);
  }
  if (error.code === 'commander.optionMissingArgument') {
    const name = /--([\w-]+) <value>/.exec(error.message)?.[1] ?? '';
    return new UsageError(`flag needs an argument: --${name}`, 125);
  }
  return new UsageError(error.message, 125);
}
