// What of a spec Compose has no key for: kept beside the service, under `x-skep-spec`, as a merge patch (RFC 7386) on what its keys convert to.
import type { ServiceSpec } from '#domain/spec.ts';
import type { Plain, Service } from '../project.ts';

export const REMAINDER_KEY = 'x-skep-spec';

/** The spec with what the service's remainder says. */
export function applyRemainder(spec: ServiceSpec, service: Service): ServiceSpec {
  const patch = service[REMAINDER_KEY];
  return patch === undefined ? spec : (applyPatch(spec, patch) as ServiceSpec);
}

/** Undefined when both say the same. A spec holds no null, so null can mean "not there". */
export function makePatch(from: unknown, to: unknown): Plain | undefined {
  if (!isMap(from) || !isMap(to)) return same(from, to) ? undefined : (to as Plain);
  const changes: [string, Plain][] = [];
  for (const key of Object.keys(from)) if (!Object.hasOwn(to, key)) changes.push([key, null]);
  for (const [key, value] of Object.entries(to)) {
    const change = Object.hasOwn(from, key) ? makePatch(from[key], value) : whole(value);
    if (change !== undefined) changes.push([key, change]);
  }
  return changes.length === 0 ? undefined : Object.fromEntries(changes);
}

export function applyPatch(value: unknown, patch: Plain): unknown {
  if (!isMap(patch)) return patch;
  const base = isMap(value) ? value : {};
  const kept = Object.entries(base).filter(([key]) => !Object.hasOwn(patch, key));
  const changed = Object.entries(patch).flatMap(([key, change]): [string, unknown][] =>
    change === null ? [] : [[key, applyPatch(Object.hasOwn(base, key) ? base[key] : undefined, change as Plain)]],
  );
  return Object.fromEntries([...kept, ...changed]);
}

function whole(value: unknown): Plain {
  return value as Plain;
}

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function same(a: unknown, b: unknown): boolean {
  if (Array.isArray(a)) return Array.isArray(b) && a.length === b.length && a.every((item, index) => same(item, b[index]));
  if (isMap(a))
    return isMap(b) && Object.keys(a).length === Object.keys(b).length && Object.keys(a).every((key) => Object.hasOwn(b, key) && same(a[key], b[key]));
  return Object.is(a, b);
}
