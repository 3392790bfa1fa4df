// What all conversions share: Go's omitempty, times, maps in order, and memory of what was converted before.

import type { ObjectMeta as WireMeta } from '#docker-api/meta.ts';
import type { ObjectMeta } from '#domain/objects.ts';
import { AppError } from '#lib/errors.ts';

/** A value, or undefined where Go's omitempty would leave it out: empty text, zero, false, an empty list or map. */
export function nonEmpty<T>(value: T | undefined): T | undefined {
  if (value === undefined || value === '' || value === 0 || value === false) return undefined;
  if (typeof value === 'object' && value !== null && isEmpty(value)) return undefined;
  return value;
}

function isEmpty(value: object): boolean {
  if (Array.isArray(value)) return value.length === 0;
  for (const _key in value) return false;
  return true;
}

/** What an object looks like while its absent fields are still there as `undefined`. */
export type Loose<T> = { [K in keyof T as object extends Pick<T, K> ? K : never]?: T[K] | undefined } & {
  [K in keyof T as object extends Pick<T, K> ? never : K]: T[K];
};

/** The object without its undefined fields: in the domain, absent is absent. */
export function compact<T extends object>(value: Loose<T>): T {
  return Object.fromEntries(Object.entries(value).filter(([, field]) => field !== undefined)) as T;
}

/** Go writes maps in order of their keys. */
export function sortedMap(map: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const keys = Object.keys(map);
  if (keys.every((key, index) => index === 0 || (keys[index - 1] as string) < key)) return map;
  return Object.fromEntries(keys.sort().map((key) => [key, map[key] as string]));
}

/** A map as a field with omitempty. */
export function optionalMap(map: Readonly<Record<string, string>> | undefined): Readonly<Record<string, string>> | undefined {
  const given = nonEmpty(map);
  return given === undefined ? undefined : sortedMap(given);
}

export const ZERO_TIME = '0001-01-01T00:00:00Z';

/** RFC 3339 as Go's RFC3339Nano writes it: no trailing zeros after the second. */
export function timeToJson(milliseconds: number | undefined): string {
  if (milliseconds === undefined) return ZERO_TIME;
  return new Date(milliseconds).toISOString().replace(/\.?0+Z$/, 'Z');
}

export function metaToJson(object: ObjectMeta): WireMeta {
  return {
    ID: object.id,
    Version: { Index: nonEmpty(object.version) },
    CreatedAt: timeToJson(object.createdAt),
    UpdatedAt: timeToJson(object.updatedAt),
  };
}

/** A mistake in a request, in the daemon's words (no gRPC prefix). */
export function invalid(message: string): AppError {
  return new AppError('invalidArgument', message);
}

/** Go's %q for the texts that appear in messages. */
export function quoted(text: string): string {
  return JSON.stringify(text);
}

/** One of a closed set of words, or undefined. */
export function oneOf<const T extends string>(words: readonly T[], value: string | undefined): T | undefined {
  return words.find((word) => word === value);
}

/**
 * Remembers a conversion per immutable object, for as long as the object lives. Lists of thousands of objects are asked for again and again
 * while few of them change.
 */
export function memoized<K extends object, V>(convert: (key: K) => V): (key: K) => V {
  const known = new WeakMap<K, V>();
  return (key) => {
    const found = known.get(key);
    if (found !== undefined) return found;
    const value = convert(key);
    known.set(key, value);
    return value;
  };
}
