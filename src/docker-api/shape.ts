// Checks request bodies the way Go's encoding/json does: wrong types are refused in its words, unknown fields are ignored, null means "not given"
// and keys match whatever their case. A shape is data; the TypeScript type of a decoded body is inferred from it, so the two cannot differ.
// What the values mean is not checked here: api/convert and the use cases do.
import { AppError } from '#lib/errors.ts';

export type Shape =
  | { readonly kind: 'string'; readonly goType: string }
  | { readonly kind: 'bool'; readonly goType: 'bool' }
  | { readonly kind: 'integer'; readonly goType: string; readonly minimum: number; readonly maximum: number }
  | { readonly kind: 'float'; readonly goType: string }
  /** base64 text; decodes to the same text once it is known to be sound. */
  | { readonly kind: 'bytes'; readonly goType: '[]uint8' }
  | { readonly kind: 'list'; readonly goType: string; readonly of: Shape }
  | { readonly kind: 'map'; readonly goType: string; readonly of: Shape }
  | StructShape;

export interface StructShape {
  readonly kind: 'struct';
  readonly goType: string;
  readonly name: string;
  readonly fields: Readonly<Record<string, Shape>>;
  /** Lower-case key → field name. */
  readonly folded: ReadonlyMap<string, string>;
}

/** The TypeScript type of what a shape decodes to. Every field of a struct may be absent; `undefined` is for those who build answers with it. */
export type Infer<S> = S extends { readonly kind: 'string' | 'bytes' }
  ? string
  : S extends { readonly kind: 'bool' }
    ? boolean
    : S extends { readonly kind: 'integer' | 'float' }
      ? number
      : S extends { readonly kind: 'list'; readonly of: infer E }
        ? readonly Infer<E>[]
        : S extends { readonly kind: 'map'; readonly of: infer E }
          ? Readonly<Record<string, Infer<E>>>
          : S extends { readonly kind: 'struct'; readonly fields: infer F }
            ? { readonly [K in keyof F]?: Infer<F[K]> | undefined }
            : never;

export const string = { kind: 'string', goType: 'string' } as const;
export const bool = { kind: 'bool', goType: 'bool' } as const;
export const bytes = { kind: 'bytes', goType: '[]uint8' } as const;
export const float32 = { kind: 'float', goType: 'float32' } as const;
export const float64 = { kind: 'float', goType: 'float64' } as const;
export const uint32 = { kind: 'integer', goType: 'uint32', minimum: 0, maximum: 2 ** 32 - 1 } as const;
export const uint64 = { kind: 'integer', goType: 'uint64', minimum: 0, maximum: 2 ** 64 - 2048 } as const;
/** The largest doubles below 2^63 and 2^64 are the limits: larger ones could not be echoed as valid numbers of these types. */
export const int64 = { kind: 'integer', goType: 'int64', minimum: -(2 ** 63), maximum: 2 ** 63 - 1024 } as const;
export const duration = { ...int64, goType: 'time.Duration' } as const;

/** A Go type that is a string with a name (`swarm.TaskState`). */
export function named(goType: string) {
  return { kind: 'string', goType } as const;
}

export function list<const S extends Shape>(of: S) {
  return { kind: 'list', goType: `[]${of.goType}`, of } as const;
}

/** A Go list of pointers: messages say so. */
export function pointers<const S extends StructShape>(of: S) {
  return { kind: 'list', goType: `[]*${of.goType}`, of } as const;
}

export function map<const S extends Shape>(of: S) {
  return { kind: 'map', goType: `map[string]${of.goType}`, of } as const;
}

export const strings = list(string);
export const stringMap = map(string);

/** `name` is Go's name of the struct type, which its messages show. */
/** `goPackage` is the one of moby's api/types that has the struct: messages name it. */
export function struct<const F extends Readonly<Record<string, Shape>>>(name: string, fields: F, goPackage = 'swarm') {
  const folded = new Map(Object.keys(fields).map((field) => [field.toLowerCase(), field]));
  return { kind: 'struct', goType: `${goPackage}.${name}`, name, fields, folded } as const;
}

/** A decoded body; an absent one counts as `{}`. Throws AppError `invalidArgument`. */
export function decodeBody<S extends StructShape>(shape: S, body: unknown): Infer<S> {
  if (body === undefined || body === null) return {} as Infer<S>;
  return decode(shape, body, { struct: '', path: [] }) as Infer<S>;
}

interface Place {
  /** Name of the innermost struct; empty at the root. */
  readonly struct: string;
  readonly path: readonly string[];
}

function decode(shape: Shape, value: unknown, place: Place): unknown {
  switch (shape.kind) {
    case 'string':
      return typeof value === 'string' ? value : refuse(shape, value, place);
    case 'bool':
      return typeof value === 'boolean' ? value : refuse(shape, value, place);
    case 'float':
      return typeof value === 'number' ? value : refuse(shape, value, place);
    case 'integer':
      return isIntegerWithin(value, shape) ? value : refuse(shape, value, place, typeof value === 'number' ? `number ${value}` : undefined);
    case 'bytes':
      return typeof value === 'string' ? checkBase64(value) : refuse(shape, value, place);
    case 'list':
      if (!Array.isArray(value)) return refuse(shape, value, place);
      return value.map((element) => decode(shape.of, element ?? zeroOf(shape.of), place));
    case 'map':
      if (!isObject(value)) return refuse(shape, value, place);
      // fromEntries defines properties, so that a key like "__proto__" stays a key.
      return Object.fromEntries(Object.entries(value).map(([key, element]) => [key, decode(shape.of, element ?? zeroOf(shape.of), place)]));
    case 'struct':
      return isObject(value) ? decodeStruct(shape, value, place) : refuse(shape, value, place);
  }
}

function decodeStruct(shape: StructShape, value: Readonly<Record<string, unknown>>, place: Place): unknown {
  const result: Record<string, unknown> = {};
  for (const [key, element] of Object.entries(value)) {
    const field = Object.hasOwn(shape.fields, key) ? key : shape.folded.get(key.toLowerCase());
    if (field === undefined || element === null || element === undefined) continue;
    result[field] = decode(shape.fields[field] as Shape, element, { struct: shape.name, path: [...place.path, field] });
  }
  return result;
}

function isIntegerWithin(value: unknown, { minimum, maximum }: { readonly minimum: number; readonly maximum: number }): boolean {
  return typeof value === 'number' && Number.isInteger(value) && value >= minimum && value <= maximum;
}

/** What null stands for inside a list or a map. */
function zeroOf(shape: Shape): unknown {
  switch (shape.kind) {
    case 'string':
    case 'bytes':
      return '';
    case 'bool':
      return false;
    case 'integer':
    case 'float':
      return 0;
    case 'list':
      return [];
    case 'map':
    case 'struct':
      return {};
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function refuse(shape: Shape, value: unknown, place: Place, what: string = jsonTypeOf(value)): never {
  const target = place.struct === '' ? `Go value of type ${shape.goType}` : `Go struct field ${place.struct}.${place.path.join('.')} of type ${shape.goType}`;
  throw new AppError('invalidArgument', `invalid JSON: json: cannot unmarshal ${what} into ${target}`);
}

function jsonTypeOf(value: unknown): string {
  if (Array.isArray(value)) return 'array';
  return typeof value === 'boolean' ? 'bool' : typeof value;
}

/** Go's decoder skips line ends and wants padding. */
function checkBase64(text: string): string {
  const bare = text.replaceAll(/[\r\n]/g, '');
  const sound = bare.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(bare);
  if (sound) return bare;
  const foreign = text.search(/[^A-Za-z0-9+/=\r\n]/);
  const place = foreign >= 0 ? foreign : text.includes('=') ? text.indexOf('=') : text.length - (bare.length % 4);
  throw new AppError('invalidArgument', `invalid JSON: illegal base64 data at input byte ${place}`);
}
