// Help in the form of docker's: usage, what it does, aliases, options wrapped at the width of the terminal.
import type { CommandEntry, CommandGroup, CommandSpec, FlagSpec } from './command.ts';

const DEFAULT_WIDTH = 80;
/** Text narrower than this begins on a line of its own. */
const MIN_TEXT_WIDTH = 24;
/** How far the last word of a text may reach beyond the wrap. */
const SLOP = 5;

export function usageLine(programName: string, path: string, usage: string): string {
  return `Usage:  ${programName} ${path}${usage === '' ? '' : ` ${usage}`}`;
}

export interface CommandHelp {
  readonly programName: string;
  readonly path: string;
  readonly entry: CommandEntry;
  readonly spec: CommandSpec;
  readonly width?: number;
}

export function commandHelp({ programName, path, entry, spec, width = DEFAULT_WIDTH }: CommandHelp): string {
  const parent = path.split(' ').slice(0, -1).join(' ');
  const names = [path, ...(entry.aliases ?? []).map((alias) => (parent === '' ? alias : `${parent} ${alias}`))];
  const aliases = names.length > 1 ? `\nAliases:\n  ${names.map((name) => `${programName} ${name}`).join(', ')}\n` : '';
  const visible = spec.flags.filter(({ hidden }) => !hidden);
  const options = visible.length === 0 ? '' : `\nOptions:\n${flagLines(visible, width).join('\n')}\n`;
  return `${usageLine(programName, path, spec.usage)}\n\n${entry.summary}\n${aliases}${options}`;
}

export function groupHelp(programName: string, { name, summary, commands }: CommandGroup): string {
  const visible = commands.filter(({ hidden }) => !hidden);
  return `Usage:  ${programName} ${name} COMMAND\n\n${summary}\n\nCommands:\n${commandLines(visible)}\n\nRun '${programName} ${name} COMMAND --help' for more information on a command.\n`;
}

export function commandLines(commands: readonly { readonly name: string; readonly summary: string }[]): string {
  const widest = Math.max(11, ...commands.map(({ name }) => name.length));
  return [...commands]
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .map(({ name, summary }) => `  ${name.padEnd(widest)} ${summary}`)
    .join('\n');
}

export function flagLines(flags: readonly FlagSpec[], width: number): readonly string[] {
  const left = [...flags]
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .map((flag) => {
      const short = flag.short === undefined ? '      ' : `  -${flag.short}, `;
      return { head: `${short}--${flag.name}${flag.type === undefined ? '' : ` ${flag.type}`}`, flag };
    });
  const widest = Math.max(...left.map(({ head }) => head.length));
  return left.map(({ head, flag }) => {
    const text = flag.description + (flag.default === undefined ? '' : ` (default ${flag.default})`);
    return `${head.padEnd(widest)}   ${wrapText(text, widest + 3, width)}`;
  });
}

/** Wraps at words; lines after the first are indented. */
function wrapText(text: string, indent: number, columns: number): string {
  const width = columns - 1;
  const narrow = width - indent < MIN_TEXT_WIDTH;
  const margin = narrow ? 16 : indent;
  const pad = `\n${' '.repeat(margin)}`;
  const limit = width - margin - SLOP;
  const lines: string[] = [];
  let rest = text;
  while (rest !== '') {
    const [line, next] = cutLine(rest, limit);
    lines.push(line);
    rest = next;
  }
  return (narrow ? pad : '') + lines.map((line) => line.replaceAll('\n', pad)).join(pad);
}

function cutLine(text: string, limit: number): [string, string] {
  if (limit + SLOP > text.length) return [text, ''];
  const head = text.slice(0, limit);
  const space = Math.max(head.lastIndexOf(' '), head.lastIndexOf('\t'), head.lastIndexOf('\n'));
  if (space <= 0) return [text, ''];
  const line = head.lastIndexOf('\n');
  const cut = line > 0 && line < space ? line : space;
  return [text.slice(0, cut), text.slice(cut + 1)];
}
