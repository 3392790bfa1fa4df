// `__complete`: the words that may stand where the cursor is, one per line with a tab and what they mean. Objects are asked of the daemon; when it does not
// answer there are none. `:file` alone means: names of files.
import type { CommandEntry, CommandSpec, CompletionKind, FlagSpec, Invocation } from '../command.ts';
import { groups, topLevelCommands } from '../commands.ts';
import { globalFlags } from '../global-flags.ts';

interface Word {
  readonly word: string;
  readonly meaning: string;
}

export const command: CommandSpec = {
  usage: '-- [WORD...]',
  arguments: { minimum: 0 },
  flags: [],
  optionsFirst: true,
  async run(invocation) {
    const words = [...invocation.args];
    const current = words.pop() ?? '';
    const found = await wordsFor(invocation, words, current);
    for (const { word, meaning } of found) if (word.startsWith(current) || word === ':file') invocation.context.stdout.write(`${word}\t${meaning}\n`);
    return undefined;
  },
};

async function wordsFor(invocation: Invocation, before: readonly string[], current: string): Promise<readonly Word[]> {
  const { rest, pending } = skipFlags(before, globalFlags);
  if (pending !== undefined) return [{ word: ':file', meaning: '' }];
  const [first, ...others] = rest;
  if (first === undefined) return current.startsWith('-') ? flagWords(globalFlags) : entryWords([...groups, ...topLevelCommands]);
  const group = groups.find(({ name }) => name === first);
  const entries = group === undefined ? topLevelCommands : group.commands;
  const verb = group === undefined ? first : others[0];
  if (verb === undefined) return entryWords(entries);
  const entry = entries.find(({ name, aliases }) => name === verb || aliases?.includes(verb));
  if (entry === undefined) return [];
  const spec = await entry.load();
  const after = skipFlags(group === undefined ? others : others.slice(1), spec.flags);
  if (after.pending?.choices !== undefined) return after.pending.choices.map((word) => ({ word, meaning: '' }));
  if (after.pending !== undefined) return [{ word: ':file', meaning: '' }];
  if (current.startsWith('-')) return flagWords(spec.flags);
  return spec.completes === undefined ? [] : objectWords(invocation, spec.completes);
}

/** What is left without options and their values, and the option that still wants its value. */
function skipFlags(words: readonly string[], flags: readonly FlagSpec[]): { readonly rest: readonly string[]; readonly pending?: FlagSpec } {
  const rest: string[] = [];
  for (let index = 0; index < words.length; index += 1) {
    const word = words[index] ?? '';
    if (!word.startsWith('-')) {
      // Options of a command stand after its name: what follows is not ours.
      if (flags === globalFlags) return { rest: words.slice(index) };
      rest.push(word);
      continue;
    }
    const flag = flags.find(({ name, short }) => word === `--${name}` || (short !== undefined && word === `-${short}`));
    if (flag?.type === undefined) continue;
    index += 1;
    if (index >= words.length) return { rest, pending: flag };
  }
  return { rest };
}

function flagWords(flags: readonly FlagSpec[]): readonly Word[] {
  return flags.filter(({ hidden }) => !hidden).map(({ name, description }) => ({ word: `--${name}`, meaning: description.split('\n')[0] ?? '' }));
}

function entryWords(entries: readonly (Pick<CommandEntry, 'name' | 'summary'> & { readonly hidden?: boolean })[]): readonly Word[] {
  return entries.filter(({ hidden }) => !hidden).map(({ name, summary }) => ({ word: name, meaning: summary }));
}

type Named = { readonly ID?: string; readonly Spec?: { readonly Name?: string; readonly Labels?: Readonly<Record<string, string>> } };

async function objectWords(invocation: Invocation, kind: CompletionKind): Promise<readonly Word[]> {
  if (kind === 'file') return [{ word: ':file', meaning: '' }];
  const plain = (names: readonly string[]) => [...new Set(names)].sort().map((word) => ({ word, meaning: kind }));
  try {
    if (kind === 'dev-node') return plain((await import('../dev/shared.ts')).nodeNames(invocation));
    if (kind === 'context') return plain(['default', ...(await import('#client/contexts.ts')).listContexts(invocation.config.folder).map(({ Name }) => Name)]);
    const client = await invocation.client();
    if (kind === 'network') return plain((await client.call<{ Name: string }[]>('GET', '/networks')).map(({ Name }) => Name));
    if (kind === 'volume') return plain(((await client.call<{ Volumes: { Name: string }[] | null }>('GET', '/volumes')).Volumes ?? []).map(({ Name }) => Name));
    if (kind === 'container')
      return plain((await client.call<{ Names: string[] }[]>('GET', '/containers/json')).flatMap(({ Names }) => Names.map((name) => name.slice(1))));
    if (kind === 'node')
      return plain((await client.call<{ Description: { Hostname?: string } }[]>('GET', '/nodes')).map(({ Description }) => Description.Hostname ?? ''));
    const path = kind === 'stack' ? '/services' : `/${kind}s`;
    const objects = await client.call<Named[]>('GET', path);
    if (kind === 'stack') return plain(objects.flatMap(({ Spec }) => Spec?.Labels?.['com.docker.stack.namespace'] ?? []));
    return plain(objects.map(({ ID = '', Spec }) => Spec?.Name || ID));
  } catch {
    return [];
  }
}
