// What the parts of the conversion share: names and labels of a stack, places of mistakes, and optional fields.
import type { Labels } from '#domain/spec.ts';
import type { AppError } from '#lib/errors.ts';
import type { LoadedProject } from '../load/load.ts';
import type { ComposeWarning } from '../stack.ts';
import { composeError } from '../yaml/node.ts';
import { parseDuration } from '#lib/duration.ts';

export const NAMESPACE_LABEL = 'com.docker.stack.namespace';
export const IMAGE_LABEL = 'com.docker.stack.image';

export interface ConvertContext {
  readonly stack: string;
  readonly loaded: LoadedProject;
  readonly warn: (warning: ComposeWarning) => void;
}

const MAX_NAME_LENGTH = 63;

/** What the daemon would refuse in the middle of a deploy is refused before: names of services and networks are DNS names. */
export function checkName(context: ConvertContext, what: 'service' | 'network', key: string, name: string): void {
  const fail = (problem: string) => mistakeAt(context, `${what}s.${key}`, `the ${what}'s name ${name} ${problem}`);
  if (name.length > MAX_NAME_LENGTH) throw fail(`has more than ${MAX_NAME_LENGTH} characters`);
  if (/^[a-zA-Z0-9](?:[\w-]*[a-zA-Z0-9])?$/.test(name)) return;
  const way = what === 'network' ? '; give it another one with `name`' : '';
  throw fail(`cannot be one in DNS: only letters, digits, "_" and "-", and a letter or digit at both ends${way}`);
}

/** "web" of the stack "app" is "app_web". */
export function scoped(stack: string, key: string): string {
  return `${stack}_${key}`;
}

export function stackLabels(stack: string, labels: Labels | undefined): Labels {
  return { ...labels, [NAMESPACE_LABEL]: stack };
}

/** A mistake at a value, by its path; the nearest value around it that has a place is shown. */
export function mistakeAt({ loaded: { marks } }: ConvertContext, path: string, message: string): AppError {
  let at = path;
  while (at !== '' && !marks.has(at)) at = at.slice(0, Math.max(0, at.lastIndexOf('.')));
  return composeError(at === '' ? undefined : marks.get(at), message);
}

/** Warns, in Docker's words, that an option of a service is not done. */
export function unsupported({ warn }: ConvertContext, service: string, name: string): void {
  warn({ kind: 'unsupported', name, service, message: `service ${service}: ${name} is ignored` });
}

/** What an object looks like while its absent fields are still there as `undefined`. */
export type Loose<T> = { [K in keyof T as object extends Pick<T, K> ? K : never]?: T[K] | undefined } & {
  [K in keyof T as object extends Pick<T, K> ? never : K]: T[K];
};

/** The object without its undefined fields. */
export function compact<T extends object>(value: Loose<T>): T {
  return Object.fromEntries(Object.entries(value).filter(([, field]) => field !== undefined)) as T;
}

/** A list or map that has something in it. */
export function nonEmpty<T extends object>(value: T | undefined): T | undefined {
  if (value === undefined) return undefined;
  return (Array.isArray(value) ? value.length : Object.keys(value).length) === 0 ? undefined : value;
}

/** A number that is not zero: Go leaves zeros out. */
export function nonZero(value: number | undefined): number | undefined {
  return value === 0 || Number.isNaN(value) ? undefined : value;
}

/** Text of a checked duration as nanoseconds. */
export function nanoseconds(text: string | undefined): number | undefined {
  return text === undefined ? undefined : parseDuration(text);
}

export function byText<T>(textOf: (item: T) => string): (a: T, b: T) => number {
  return (a, b) => (textOf(a) < textOf(b) ? -1 : textOf(a) > textOf(b) ? 1 : 0);
}
