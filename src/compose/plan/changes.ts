// What differs between two specs, field by field, as it is shown to people.
import { equalSpecs } from '#lib/equal.ts';
import type { FieldChange } from '../plan-types.ts';

/** Beyond this, a value is shown as its beginning. */
const MAX_SHOWN = 200;

/** The innermost fields that differ, in order of their paths. Lists are compared as wholes. */
export function changesBetween(before: unknown, after: unknown, path = ''): readonly FieldChange[] {
  if (equalSpecs(before, after)) return [];
  if (isMap(before) && isMap(after)) {
    const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort();
    return keys.flatMap((key) => changesBetween(before[key], after[key], path === '' ? key : `${path}.${key}`));
  }
  const one = show(before);
  const other = show(after);
  return [{ path, ...(one === undefined ? {} : { before: one }), ...(other === undefined ? {} : { after: other }) }];
}

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function show(value: unknown): string | undefined {
  if (value === undefined || value === null) return undefined;
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}…` : text;
}
