// The walkthrough with either command line: the same steps by `docker` and by `skep`, each on an engine and a daemon of its own, side by side. What they
// print is kept, and compared in the end: ids, times and addresses aside, both say the same.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { lacksCli } from '../lib/cli-version.ts';
import { type ExecOptions, type ExecResult, run } from '../lib/namespace.ts';
import type { TestSkepd } from '../lib/skepd.ts';

export type Program = 'docker' | 'skep';

export interface Cli {
  readonly program: Program;
  /** Rejects with the program's words when it fails, resolves with its trimmed standard output. */
  run(...args: readonly string[]): Promise<string>;
  try(args: readonly string[], options?: ExecOptions): Promise<ExecResult>;
  /** As `try`; what it prints is compared with what the other program prints at the same place. `place` is one per suite. */
  say(place: string, args: readonly string[], options?: ExecOptions): Promise<ExecResult>;
}

export interface Suite {
  readonly program: Program;
  /** The program against a daemon; what it says is compared with what the other one says. */
  readonly cliOf: (skepd: TestSkepd) => Cli;
}

const skep = join(import.meta.dirname, '../../bin/skep');
/** Both take the machine's two processors; most of what they do is waiting. */
const SIDE_BY_SIDE = 2;

/** Lines that only one of the programs says, on purpose (docs/design/cli.md, "Different on purpose"). */
const onPurpose: readonly RegExp[] = [
  // skep keeps what depends_on says in a label; docker does not read it.
  /^ ?com\.docker\.skep\./,
  // docker updates every service of a stack, skep those that differ.
  /^Updating service /,
  // skep keeps the history of a stack in it.
  /^Removing config .*\.revision\.\d+$/,
];

type Said = Map<string, readonly string[]>;

/** Makes the suite once for each program, and compares what they said. */
export function withEitherProgram(title: string, options: { readonly skip: string | false; readonly timeout?: number }, suite: (suite: Suite) => void): void {
  describe(title, options, () => {
    const said: Record<Program, Said> = { docker: new Map(), skep: new Map() };
    describe('by either program', { concurrency: SIDE_BY_SIDE }, () => {
      for (const program of ['docker', 'skep'] as const) {
        describe(program, { concurrency: 1 }, () => suite({ program, cliOf: (skepd) => cliOf(skepd, program, said[program]) }));
      }
    });
    test('both programs say the same', { skip: lacksCli(28, "skep's words") }, () => {
      assert.deepEqual([...said.skep.keys()].sort(), [...said.docker.keys()].sort());
      assert.deepEqual(Object.fromEntries(said.skep), Object.fromEntries(said.docker));
    });
  });
}

function cliOf(skepd: TestSkepd, program: Program, said: Said): Cli {
  const argv = program === 'skep' ? [skep, '--config', join(skepd.engine.folder, 'skep-cli'), '-H', `unix://${skepd.socket}`] : undefined;
  const tryIt: Cli['try'] = (args, options) => (argv === undefined ? skepd.tryDocker(args, options) : run([...argv, ...args], options));
  return {
    program,
    try: tryIt,
    async run(...args) {
      const { code, stdout, stderr } = await tryIt(args);
      if (code !== 0) throw new Error(`${program} ${args.join(' ')}: ${stderr.trim()}\n-- skepd's log:\n${await skepd.daemonLog()}`);
      return stdout.trim();
    },
    async say(place, args, options) {
      const result = await tryIt(args, options);
      assert.ok(!said.has(place), `there are two places called ${place}`);
      const comparable = (text: string) => (args[0] === 'stack' ? ofStack(linesOf(text)) : linesOf(text));
      said.set(place, [`exit ${result.code}`, ...comparable(result.stdout), '-- errors', ...comparable(result.stderr)]);
      return result;
    },
  };
}

/** What is the same whoever says it, and whenever. Lines of progress come as often as somebody looked. */
function linesOf(text: string): readonly string[] {
  const lines = text
    .replaceAll(/(?<!com\.)\bdocker\b/g, 'skep')
    .replaceAll(/\/tmp\/skep-[^/\s]+/g, 'FOLDER')
    .replaceAll(/\b[0-9a-z]{25}\b/g, 'ID')
    .replaceAll(/\b[0-9a-f]{64}\b/g, 'ID')
    .replaceAll(/\b(?=[0-9a-z]*\d)[0-9a-z]{12}\b|^[0-9a-z]{12}(?= )/gm, 'ID')
    .replaceAll(/\b10\.2\d\d\.\d+\.\d+\b/g, 'ADDRESS')
    .replaceAll(/\d{4}-\d\d-\d\d[ T][\d:.]+( \+0000 UTC|Z)?/g, 'TIME')
    .replaceAll(/(\d+ (seconds?|minutes?|hours?)|[Aa]bout a(n hour| minute)|[Ll]ess than a second)( ago)?/g, 'a while')
    .split('\n')
    .map((line) => line.replaceAll(/ +/g, ' ').trimEnd())
    .filter((line) => !onPurpose.some((pattern) => pattern.test(line)) && !isProgress(line));
  return lines.filter((line, index) => line !== '' || (index > 0 && lines[index - 1] !== ''));
}

/** docker goes through the parts of a stack in random order, and asks a registry again for images of services that do not change. */
function ofStack(lines: readonly string[]): readonly string[] {
  const onRegistry =
    /^(image .* could not be accessed on a registry to record|its digest\. Each node will access |possibly leading to |versions of the image\.)/;
  return lines.filter((line) => line !== '' && !onRegistry.test(line)).toSorted();
}

function isProgress(line: string): boolean {
  return /^(overall progress: |\d+\/\d+:|verify: Waiting |[0-9a-z]+: (new|pending|assigned|accepted|preparing|ready|starting|running))/.test(line);
}
