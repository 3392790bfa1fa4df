// What becomes of each key of a Compose file, found by trying: a project with the key and one without it are converted as `stack deploy` does it. What
// differs is done; what is warned about is not; what does neither must be accounted for in compose-notes.ts.
import { type ComposeWarning, convertProject, loadProject, type ResolvedStack } from '#compose/index.ts';
import { composeFile } from '#compose/schema/top-level.ts';
import type { Shape } from '#compose/schema/shape.ts';
import { around, isWhole, samplesOf } from './compose-samples.ts';

type Values = { readonly [key: string]: unknown };

export interface Probe {
  /** `services.deploy.replicas`; `[]` after what is a list, `{}` after names of the user's choice. */
  readonly path: string;
  readonly form: string;
  /** `partly`: some values are done and some warned about. */
  readonly effect: 'done' | 'partly' | 'ignored' | 'deprecated' | 'noticed' | 'nothing';
}

/** All keys, in the order of the schema. Throws when no value can be found that a key takes: then compose-samples.ts needs one. */
export function probeAll(): readonly Probe[] {
  return Object.entries(composeFile.keys).flatMap(([key, shape]) => probeShape(key, shape));
}

function probeShape(path: string, shape: Shape): readonly Probe[] {
  const inner = isWhole(path) ? [] : innerOf(path, shape);
  const below = inner.flatMap(([place, keys]) => Object.entries(keys).flatMap(([key, child]) => probeShape(`${place}.${key}`, child)));
  const [first] = below;
  // A key of which nothing is done, whatever is in it, is one line.
  if (first !== undefined && below.every(({ effect }) => effect === 'ignored')) return [{ path, form: formOf(shape), effect: 'ignored' }];
  if (first !== undefined) return below;
  return [{ path, form: formOf(shape), ...probe(path, shape) }];
}

/** The objects in a shape, each with its path. */
function innerOf(path: string, shape: Shape): readonly (readonly [string, Readonly<Record<string, Shape>>])[] {
  switch (shape.kind) {
    case 'object':
      return [[path, shape.keys]];
    case 'map':
      return innerOf(`${path}{}`, shape.of);
    case 'list':
      return innerOf(`${path}[]`, shape.of);
    case 'either':
      return shape.of.flatMap((one) => innerOf(path, one)).slice(0, 1);
    default:
      return [];
  }
}

function probe(path: string, shape: Shape): Pick<Probe, 'effect'> {
  const base = around(path);
  const before = outcomeOf(base);
  const outcomes = samplesOf(path, shape).map((sample) => outcomeOf(withValue(base, path, sample)));
  const effects = new Set(outcomes.flatMap((after) => (after instanceof Error ? [] : [effectOf(before, after)])));
  if (effects.size === 0) throw new Error(`docs: no sample fits ${path}: ${(outcomes[0] as Error).message}`);
  if (effects.has('done') && effects.has('ignored')) return { effect: 'partly' };
  return { effect: (['done', 'noticed', 'ignored', 'deprecated'] as const).find((effect) => effects.has(effect)) ?? 'nothing' };
}

function outcomeOf(project: Values): ResolvedStack | Error {
  const files: Readonly<Record<string, string>> = {
    '/project/compose.yaml': JSON.stringify(project),
    '/project/other.yaml': JSON.stringify({ services: { base: { image: 'other', user: 'other' } } }),
    '/project/variables': "A='1'\n",
    '/project/labels': 'a=1\n',
  };
  const reader = { read: (path: string) => (path in files ? new TextEncoder().encode(files[path]) : undefined) };
  try {
    const loaded = loadProject({ files: ['compose.yaml'], workingDirectory: '/project', environment: {}, reader });
    return convertProject(loaded, 'app');
  } catch (error) {
    return error as Error;
  }
}

function effectOf(before: ResolvedStack | Error, after: ResolvedStack): Probe['effect'] {
  // Without it there is no stack: it says what is needed.
  if (before instanceof Error) return 'done';
  const known = new Set(before.warnings.map(({ message }) => message));
  const told = new Set(after.warnings.filter(({ message }) => !known.has(message)).map(({ kind }): ComposeWarning['kind'] => kind));
  if (told.has('unsupported')) return 'ignored';
  if (told.has('deprecated')) return 'deprecated';
  if (told.has('notice')) return 'noticed';
  return meaningOf(before) === meaningOf(after) ? 'nothing' : 'done';
}

/** What is acted on: nobody reads the pull policy. */
function meaningOf(stack: ResolvedStack): string {
  return JSON.stringify(stack, (key, value: unknown) => (key === 'warnings' || key === 'pullPolicy' ? undefined : value));
}

/** The project with a value at a path; `[]` is the first item, `{}` the first name that is there. */
function withValue(project: Values, path: string, value: unknown): Values {
  const steps = path.split('.').flatMap((step) => [step.replace(/(\[\]|\{\})+$/, ''), ...(step.match(/\[\]|\{\}/g) ?? [])]);
  return put(project, steps, value) as Values;
}

function put(at: unknown, [step, ...rest]: readonly string[], value: unknown): unknown {
  if (step === undefined) return value;
  if (step === '[]') {
    const [first, ...others] = Array.isArray(at) ? (at as unknown[]) : [{}];
    return [put(first, rest, value), ...others];
  }
  const object = (at ?? {}) as Values;
  const key = step === '{}' ? (Object.keys(object)[0] ?? 'a') : step;
  return { ...object, [key]: put(object[key], rest, value) };
}

/** A shape in words. */
function formOf(shape: Shape): string {
  const long = longForm(shape);
  return shape.expand !== undefined && (shape.kind === 'list' || shape.kind === 'map' || shape.kind === 'object') ? `${long}, or a short form` : long;
}

function longForm(shape: Shape): string {
  switch (shape.kind) {
    case 'object':
      return 'mapping';
    case 'map':
      return 'mapping';
    case 'list':
      return shape.of.kind === 'object' || shape.of.kind === 'either' ? 'list' : `list of ${longForm(shape.of)}s`;
    case 'either':
      return shape.of.map(longForm).join(' or ');
    case 'any':
      return 'anything';
    default:
      return shape.oneOf?.join(', ') ?? shape.kind;
  }
}
