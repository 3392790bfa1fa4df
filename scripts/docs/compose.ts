// The page about Compose files: every key that the Compose Specification has, and what becomes of it.
import { type Probe, probeAll } from './compose-probe.ts';
import { notes } from './compose-notes.ts';
import { code, page, table } from './markdown.ts';

const words: Readonly<Record<Probe['effect'], string>> = {
  done: 'yes',
  partly: 'partly',
  noticed: 'no, said',
  ignored: 'no, said',
  deprecated: 'no, said',
  nothing: '–',
};

const sections: readonly (readonly [string, (path: string) => boolean])[] = [
  ['Services', (path) => path.startsWith('services{}.') && !path.startsWith('services{}.deploy.')],
  ["A service's deploy", (path) => path.startsWith('services{}.deploy.')],
  ['Networks', (path) => path.startsWith('networks{}.')],
  ['Volumes', (path) => path.startsWith('volumes{}.')],
  ['Secrets', (path) => path.startsWith('secrets{}.')],
  ['Configs', (path) => path.startsWith('configs{}.')],
];

/** Throws when a note is about no key, or a key of which nothing comes has no note. */
export function composePage(): string {
  const probes = probeAll();
  const paths = new Set(probes.map(({ path }) => path));
  const strangers = Object.keys(notes).filter((path) => !paths.has(path));
  if (strangers.length > 0) throw new Error(`docs: compose-notes.ts has notes for what is no key: ${strangers.join(', ')}`);
  const mute = probes.filter(({ path, effect }) => effect === 'nothing' && notes[path] === undefined);
  if (mute.length > 0) throw new Error(`docs: nothing comes of ${mute.map(({ path }) => path).join(', ')}: warn about it, or say why in compose-notes.ts`);
  const count = (effect: string) => probes.filter((probe) => words[probe.effect] === effect).length;
  return page(
    'Compose files',
    'the Compose schema and conversion in src/compose, by trying each key; notes are in scripts/docs/compose-notes.ts',
    'What `skep stack deploy` and `skep up` make of each key of the Compose Specification. All of them are accepted, in every short and long form; an unknown key is a mistake with its line and the nearest known key.',
    `Of ${probes.length} keys ${count('yes')} are done and ${count('partly')} partly; ${count('no, said')} are not, and a deploy says so by name. \`[]\` stands for an item of a list, \`{}\` for a name of your choice. Keys that begin with \`x-\` may stand everywhere.`,
    'The docker CLI reads a Compose file itself: with `docker stack deploy` its own, shorter list holds.',
    '## The file',
    rows(probes.filter(({ path }) => !path.includes('{}'))),
    ...sections.flatMap(([title, belongs]) => [`## ${title}`, rows(probes.filter(({ path }) => belongs(path)))]),
    '## Variables',
    '`$NAME`, `${NAME}`, `${NAME:-default}`, `${NAME-default}`, `${NAME:?message}`, `${NAME?message}`, `${NAME:+other}`, `${NAME+other}`, nested in each other, and `$$` for a dollar; a dollar that begins none of these (`$(date)`) is one, too. They come from the environment, then from `.env` beside the first file or from `--env-file`. One that is not set is empty, and warned about.',
    '## Several files',
    'Later files win, by the rules of the Compose Specification: maps merge by key, lists are appended, ports, volumes, secrets and configs with the same key replace each other, commands and health tests stand alone. `!reset` takes a value away, `!override` replaces it whole.',
  );
}

function rows(probes: readonly Probe[]): string {
  return table(
    ['key', 'form', 'done', ''],
    probes.map(({ path, form, effect }) => [
      code(path.replace(/^(services|networks|volumes|secrets|configs)\{\}\./, '')),
      form,
      words[effect],
      notes[path] ?? '',
    ]),
  );
}
