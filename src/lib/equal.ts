// Structural comparison of plain data, as one compares two specs.

/**
 * Whether two plain values say the same. A field that is absent, undefined, an empty list or an empty object says nothing, so all of these are
 * equal to each other (as they are after SwarmKit's wire format); empty text, zero and false are values: a label may well be empty. Order matters
 * in lists only.
 */
export function equalSpecs(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (saysNothing(a)) return saysNothing(b);
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a)) {
    return Array.isArray(b) && a.length === b.length && a.every((item, index) => equalSpecs(item, b[index]));
  }
  if (Array.isArray(b)) return false;
  const left = a as Record<string, unknown>;
  const right = b as Record<string, unknown>;
  for (const key of Object.keys(left)) if (!equalSpecs(left[key], Object.hasOwn(right, key) ? right[key] : undefined)) return false;
  for (const key of Object.keys(right)) if (!Object.hasOwn(left, key) && !saysNothing(right[key])) return false;
  return true;
}

function saysNothing(value: unknown): boolean {
  if (value === undefined || value === null) return true;
  if (typeof value !== 'object') return false;
  return Array.isArray(value) ? value.length === 0 : Object.values(value).every(saysNothing);
}
