// The pages about `skep`: what its commands are, with their options, from the tables that parsing and help read.
import type { CommandEntry, CommandGroup, FlagSpec } from '#cli/command.ts';
import { groups, topLevelCommands } from '#cli/commands.ts';
import { globalFlags } from '#cli/global-flags.ts';
import { code, page, plain, table } from './markdown.ts';

const FROM = 'the commands in src/cli';
const byName = (a: { readonly name: string }, b: { readonly name: string }) => (a.name < b.name ? -1 : 1);

/** Pages by file name. */
export async function commandPages(): Promise<ReadonlyMap<string, string>> {
  const pages = new Map<string, string>([['skep/README.md', overview()]]);
  for (const group of groups) pages.set(`skep/${group.name}.md`, await groupPage(group));
  pages.set('skep/other.md', page('skep: the other commands', FROM, ...(await sections('', topLevelCommands))));
  return pages;
}

function overview(): string {
  const commands = (prefix: string, file: string, entries: readonly CommandEntry[]) =>
    visible(entries).map((entry) => [`[${code(`${prefix}${entry.name}`)}](${file}#${anchor(`${prefix}${entry.name}`)})`, plain(entry.summary), ownMark(entry)]);
  const rows = [
    ...[...groups].sort(byName).flatMap(({ name, commands: entries }) => commands(`${name} `, `${name}.md`, entries)),
    ...commands('', 'other.md', topLevelCommands),
  ];
  return page(
    'skep: the command line',
    FROM,
    'The docker CLI\'s commands for a swarm, with the same options, tables, wording and exit codes, and verbs of our own ("ours" below). `skep COMMAND --help` says the same on a terminal.',
    table(['command', 'what it does', ''], rows),
    '## Options before the command',
    flagTable(globalFlags),
    '## Exit codes',
    table(
      ['code', 'when'],
      [
        ['0', 'it was done'],
        ['1', 'it failed, or did not converge; the reason is on the standard error stream'],
        ['125', 'an option is unknown or its value is wrong'],
        ['of the command', '`exec`: what the command in the container ended with'],
      ],
    ),
  );
}

async function groupPage({ name, summary, commands }: CommandGroup): Promise<string> {
  return page(`skep ${name}`, FROM, `${plain(summary)}.`, ...(await sections(`${name} `, commands)));
}

async function sections(prefix: string, entries: readonly CommandEntry[]): Promise<readonly string[]> {
  return Promise.all(visible(entries).map((entry) => section(`${prefix}${entry.name}`, prefix, entry)));
}

async function section(path: string, prefix: string, entry: CommandEntry): Promise<string> {
  const { usage, flags } = await entry.load();
  const aliases = (entry.aliases ?? []).map((alias) => code(`skep ${prefix}${alias}`));
  const parts = [
    `## ${path}`,
    `${plain(entry.summary)}${entry.summary.endsWith('.') ? '' : '.'}${entry.own ? ' (Ours: the docker CLI does not have it.)' : ''}`,
    `\`\`\`\nskep ${path}${usage === '' ? '' : ` ${usage}`}\n\`\`\``,
    aliases.length === 0 ? '' : `Also: ${aliases.join(', ')}.`,
    flagTable(flags),
  ];
  return parts.filter((part) => part !== '').join('\n\n');
}

function flagTable(flags: readonly FlagSpec[]): string {
  const rows = flags
    .filter(({ hidden }) => !hidden)
    .sort(byName)
    .map(({ name, short, type, description, default: initial }) => [
      `${short === undefined ? '' : `${code(`-${short}`)}, `}${code(`--${name}${type === undefined ? '' : ` ${type}`}`)}`,
      plain(description),
      code(initial ?? ''),
    ]);
  return table(['option', 'what', 'default'], rows);
}

function visible(entries: readonly CommandEntry[]): readonly CommandEntry[] {
  return entries.filter(({ hidden }) => !hidden).toSorted(byName);
}

const ownMark = ({ own }: CommandEntry) => (own ? 'ours' : '');
const anchor = (title: string) => title.replaceAll(' ', '-');
