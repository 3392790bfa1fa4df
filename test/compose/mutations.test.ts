// Compose files with mistakes of every kind: whatever is done to a file, it loads or is refused with a message for the user; and what loads prints and converts.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { it } from 'node:test';
import fc from 'fast-check';
import { convertProject, exportStack, loadProject, planStack, printProject } from '#compose/index.ts';
import { AppError } from '#lib/errors.ts';

const folder = `${import.meta.dirname}/applications`;
const texts = readdirSync(folder)
  .filter((file) => file.endsWith('.yml'))
  .map((file) => readFileSync(`${folder}/${file}`, 'utf8'));

const token = fc.constantFrom(
  '{}',
  '[]',
  'null',
  '~',
  '5',
  '-1',
  '0.5',
  'true',
  '""',
  '"$"',
  '${X',
  '!reset',
  '!override',
  '<<:',
  '*a',
  '&a',
  'x',
  ':',
  '-',
  '{',
  '}',
  '[',
  '"',
  '\n',
  '\t',
  '  ',
  'a: b',
  '{a: b}',
  '[a, b]',
  '{name: x}',
  '__proto__',
  '2001-01-01',
  '1e999',
  '\u0000',
);

/** A text with some of its words replaced, taken away, doubled or swapped. */
const mutated = fc
  .record({
    text: fc.constantFrom(...texts),
    edits: fc.array(fc.record({ at: fc.nat(), kind: fc.nat(3), token, other: fc.nat() }), { minLength: 1, maxLength: 4 }),
  })
  .map(({ text, edits }) => {
    const words = text.split(/(\s+|[[\]{},:"])/);
    for (const { at, kind, token: word, other } of edits) {
      const index = at % words.length;
      const swapped = words[other % words.length] ?? '';
      words.splice(index, 1, ...(kind === 0 ? [word] : kind === 1 ? [] : kind === 2 ? [words[index] ?? '', words[index] ?? ''] : [swapped]));
    }
    return words.join('');
  });

function load(text: string, interpolate = true) {
  const reader = { read: (path: string) => (path === '-' || path.endsWith('.env') ? new TextEncoder().encode(path === '-' ? text : 'A=1') : undefined) };
  return loadProject({ files: ['-'], workingDirectory: '/project', environment: { EMAIL: 'e', DOMAIN: 'd' }, reader, interpolate, profiles: ['*'] });
}

/** The result, or undefined when the user is told why there is none. */
function attempt<T>(act: () => T): T | undefined {
  try {
    return act();
  } catch (error) {
    assert.ok(error instanceof AppError && error.message !== '', error instanceof Error ? error.stack : String(error));
    return undefined;
  }
}

it('a file with mistakes is refused with a message, or means something', () => {
  fc.assert(
    fc.property(mutated, (text) => {
      const raw = attempt(() => load(text, false));
      if (raw) attempt(() => load(printProject(raw), false));
      const loaded = attempt(() => load(text));
      if (loaded === undefined) return;
      const printed = printProject(loaded);
      const again = load(printed);
      assert.equal(printProject(again), printed);
      const stack = attempt(() => convertProject(loaded, 'app'));
      if (stack === undefined) return;
      const services = stack.services.map(({ spec }) => ({ id: spec.name, spec }));
      const objects = { services, networks: stack.networks.map(({ spec }) => ({ id: spec.name, spec })), secrets: [], configs: [] };
      const exported = load(printProject(exportStack('app', objects)));
      const steps = planStack(convertProject(exported, 'app'), objects, { salt: '00'.repeat(16) }).services;
      assert.deepEqual(
        steps.filter(({ action }) => action !== 'unchanged'),
        [],
      );
    }),
    { numRuns: Number(process.env['SKEP_MUTATIONS'] ?? 100) },
  );
});
