// How filter values match, as SwarmKit's list requests do: prefixes with case, labels as `key` or `key=value`.
import type { Labels } from '#domain/spec.ts';
import type { Filters } from './control.ts';

export function hasFilter(filters: Filters, key: string): boolean {
  return valuesOf(filters, key).length > 0;
}

export function valuesOf(filters: Filters, key: string): readonly string[] {
  return Object.hasOwn(filters, key) ? (filters[key] ?? []) : [];
}

/** Whether no value is asked for, or the text begins with one of them. */
export function matchesPrefix(filters: Filters, key: string, text: string): boolean {
  const values = valuesOf(filters, key);
  return values.length === 0 || values.some((value) => text.startsWith(value));
}

/** Whether no value is asked for, or the text is one of them. */
export function matchesExactly(filters: Filters, key: string, text: string): boolean {
  const values = valuesOf(filters, key);
  return values.length === 0 || values.includes(text);
}

/** All labels that are asked for must be there; an empty value asks for the key only. */
export function matchesLabels(filters: Filters, key: string, labels: Labels): boolean {
  return valuesOf(filters, key).every((wanted) => {
    const equals = wanted.indexOf('=');
    const name = equals < 0 ? wanted : wanted.slice(0, equals);
    const value = equals < 0 ? '' : wanted.slice(equals + 1);
    return Object.hasOwn(labels, name) && (value === '' || labels[name] === value);
  });
}

/** Secrets and configs: ids, names and name prefixes widen the result together; labels narrow it. */
export function matchesFileObject(filters: Filters, id: string, name: string, labels: Labels): boolean {
  const isAsked = hasFilter(filters, 'id') || hasFilter(filters, 'name') || hasFilter(filters, 'names');
  const isNamed =
    !isAsked ||
    valuesOf(filters, 'id').some((value) => id.startsWith(value)) ||
    valuesOf(filters, 'name').some((value) => name.startsWith(value)) ||
    valuesOf(filters, 'names').includes(name);
  return isNamed && matchesLabels(filters, 'label', labels);
}
