// The words in which the form of a Compose file is described (service.ts, deploy.ts, top-level.ts). One description serves for checking, for writing short
// forms out, for merging, and for the order of keys in print.
import type { ComposeNode, Mark } from '../yaml/node.ts';

export interface CheckContext {
  /** Said for each mistake; checking goes on to find more. */
  readonly report: (mark: Mark, message: string) => void;
  readonly warn: (message: string) => void;
  /** False when `$…` was left in place: then any value may be a text with a `$`. */
  readonly interpolated: boolean;
  /** Relative paths are relative to this. */
  readonly directory: string;
  /** What `~` means. */
  readonly home: string | undefined;
}

/** Rewrites a short form as the long one. May report a mistake and return undefined: then the value is dropped. */
export type Expand = (node: ComposeNode, path: string, context: CheckContext) => ComposeNode | undefined;

interface ShapeBase {
  readonly expand?: Expand;
  /** After the check, on a value of the right form: canonical spelling, defaults. */
  readonly finish?: Expand;
  /** `replace`: what a later file says stands alone. Otherwise maps merge by key and lists are appended. */
  readonly merge?: 'replace' | 'logging';
}

export interface ObjectShape extends ShapeBase {
  readonly kind: 'object';
  readonly keys: Readonly<Record<string, Shape>>;
  readonly required?: readonly string[];
  readonly extensions: boolean;
  readonly nullable?: boolean;
  /** That it is there says something, even when it is empty. */
  readonly keepEmpty?: boolean;
}

export interface MapShape extends ShapeBase {
  readonly kind: 'map';
  readonly of: Shape;
  readonly keyPattern?: RegExp;
  readonly extensions?: boolean;
}

export interface ListShape extends ShapeBase {
  readonly kind: 'list';
  /** Null says nothing. */
  readonly nullable?: boolean;
  readonly of: Shape;
  /** One item may become several, or none. */
  readonly expandItem?: (node: ComposeNode, path: string, context: CheckContext) => readonly ComposeNode[];
  /** Items with the same key are one; the later stands, in the place of the earlier. */
  readonly keyOf?: (node: ComposeNode) => string;
}

export interface ScalarShape extends ShapeBase {
  readonly kind: 'string' | 'integer' | 'number' | 'boolean';
  readonly oneOf?: readonly string[];
  /** For text: what else is taken for it ("text, number or null" in environment). */
  readonly accepts?: readonly ('number' | 'boolean' | 'null')[];
  readonly says?: string;
  /** False says the same as nothing. */
  readonly dropFalse?: boolean;
}

export interface AnyShape extends ShapeBase {
  readonly kind: 'any';
}

/** The first whose kind fits the value; none of them: `says` is the complaint. */
export interface EitherShape extends ShapeBase {
  readonly kind: 'either';
  readonly of: readonly Shape[];
  readonly says: string;
}

export type Shape = ObjectShape | MapShape | ListShape | ScalarShape | AnyShape | EitherShape;

export const string: ScalarShape = { kind: 'string' };
export const integer: ScalarShape = { kind: 'integer' };
export const number: ScalarShape = { kind: 'number' };
export const boolean: ScalarShape = { kind: 'boolean' };
/** A boolean of which false says the same as nothing. */
export const flag: ScalarShape = { kind: 'boolean', dropFalse: true };
export const anything: AnyShape = { kind: 'any' };
/** Text, for which a number does too. */
export const text: ScalarShape = { kind: 'string', accepts: ['number'] };

export function oneOf(...words: readonly string[]): ScalarShape {
  return { kind: 'string', oneOf: words };
}

export function object(keys: Readonly<Record<string, Shape>>, more: Partial<Omit<ObjectShape, 'kind' | 'keys'>> = {}): ObjectShape {
  return { kind: 'object', keys, extensions: true, ...more };
}

export function mapOf(of: Shape, more: Partial<Omit<MapShape, 'kind' | 'of'>> = {}): MapShape {
  return { kind: 'map', of, ...more };
}

export function listOf(of: Shape, more: Partial<Omit<ListShape, 'kind' | 'of'>> = {}): ListShape {
  return { kind: 'list', of, ...more };
}

export function either(says: string, ...of: readonly Shape[]): EitherShape {
  return { kind: 'either', says, of };
}
