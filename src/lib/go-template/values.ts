// The values that a template works on, and Go's view of them: truth, type names, printed form, lookup. Only own data is ever looked up:
// no prototype, no method, no getter.

/** A Go struct: a fixed set of fields, of which any other is an error. `typeName` is what error messages call it. */
export interface TemplateStruct {
  readonly kind: 'struct';
  readonly typeName: string;
  readonly fields: ReadonlyMap<string, TemplateValue>;
  /** What %v prints where the type says that itself, as a duration does. */
  readonly text?: string;
  /** What %s prints: bytes as text. */
  readonly plain?: string;
  /** A pointer to nothing: false, and without fields. */
  readonly isNil?: boolean;
}

/** undefined is Go's nil; a Map is a map with text keys. */
export type TemplateValue = string | number | boolean | undefined | readonly TemplateValue[] | ReadonlyMap<string, TemplateValue> | TemplateStruct;

export function struct(typeName: string, fields: Readonly<Record<string, TemplateValue>>): TemplateStruct {
  return { kind: 'struct', typeName, fields: new Map(Object.entries(fields)) };
}

/** A pointer to no struct. */
export function nilPointer(typeName: string): TemplateStruct {
  return { kind: 'struct', typeName: `*${typeName}`, fields: new Map(), text: '<nil>', isNil: true };
}

/** A map from plain data. */
export function templateMap(entries: Readonly<Record<string, TemplateValue>>): ReadonlyMap<string, TemplateValue> {
  return new Map(Object.entries(entries));
}

export function isStruct(value: TemplateValue): value is TemplateStruct {
  return typeof value === 'object' && 'kind' in value && value.kind === 'struct';
}

export function isList(value: TemplateValue): value is readonly TemplateValue[] {
  return Array.isArray(value);
}

export function isMap(value: TemplateValue): value is ReadonlyMap<string, TemplateValue> {
  return value instanceof Map;
}

/** Empty text, zero, false, nil and empty lists and maps are false; a struct is true. */
export function isTrue(value: TemplateValue): boolean {
  if (isList(value)) return value.length > 0;
  if (isMap(value)) return value.size > 0;
  if (isStruct(value)) return value.isNil !== true;
  return Boolean(value);
}

export function typeNameOf(value: TemplateValue): string {
  if (value === undefined) return 'nil';
  if (isStruct(value)) return value.typeName;
  if (isList(value)) return '[]string';
  if (isMap(value)) return 'map[string]string';
  if (typeof value === 'number') return Number.isInteger(value) ? 'int' : 'float64';
  return typeof value === 'boolean' ? 'bool' : 'string';
}

/** The form that Go's fmt prints with %v. */
export function printed(value: TemplateValue): string {
  if (value === undefined) return '<no value>';
  if (isStruct(value)) return value.text ?? `{${[...value.fields.values()].map(printed).join(' ')}}`;
  if (isList(value)) return `[${value.map(printed).join(' ')}]`;
  if (isMap(value))
    return `map[${sortedKeys(value)
      .map((key) => `${key}:${printed(value.get(key))}`)
      .join(' ')}]`;
  return typeof value === 'number' ? printedNumber(value) : String(value);
}

export function sortedKeys(map: ReadonlyMap<string, unknown>): readonly string[] {
  return [...map.keys()].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
}

/** %v of a float is %g: exponents have two digits at least, and begin at 10^21. */
function printedNumber(value: number): string {
  return String(value).replace(/e([+-])(\d)$/, 'e$10$2');
}

/** Plain data for `json`. */
export function toJson(value: TemplateValue): unknown {
  if (isStruct(value) && value.isNil) return null;
  if (isStruct(value)) return Object.fromEntries([...value.fields].map(([key, item]) => [key, toJson(item)]));
  if (isList(value)) return value.map(toJson);
  if (isMap(value)) return Object.fromEntries(sortedKeys(value).map((key) => [key, toJson(value.get(key))]));
  return value ?? null;
}
