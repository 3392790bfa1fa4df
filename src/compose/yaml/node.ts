// YAML as a tree in which every value knows where it was written, so that a mistake found after merging five files still has its file and line.
import { AppError } from '#lib/errors.ts';

export interface Mark {
  readonly file: string;
  /** Both count from 1. */
  readonly line: number;
  readonly column: number;
}

/** Compose's two tags: `!reset` takes away what earlier files said, `!override` replaces it instead of merging. */
export type MergeTag = 'reset' | 'override';

export type ComposeNode = MapNode | ListNode | ScalarNode;

export interface MapNode {
  readonly kind: 'map';
  readonly mark: Mark;
  readonly tag?: MergeTag;
  readonly entries: ReadonlyMap<string, MapEntry>;
}

export interface MapEntry {
  /** Where the key stands. */
  readonly mark: Mark;
  readonly value: ComposeNode;
}

export interface ListNode {
  readonly kind: 'list';
  readonly mark: Mark;
  readonly tag?: MergeTag;
  readonly items: readonly ComposeNode[];
}

export interface ScalarNode {
  readonly kind: 'scalar';
  readonly mark: Mark;
  readonly tag?: MergeTag;
  readonly value: string | number | boolean | null;
  /** A number as Go would print it ("1e+06"): what it becomes where text is wanted. */
  readonly text?: string;
}

export type Scalar = ScalarNode['value'];

export function scalar(value: Scalar, mark: Mark): ScalarNode {
  return { kind: 'scalar', value, mark };
}

export function list(items: readonly ComposeNode[], mark: Mark): ListNode {
  return { kind: 'list', items, mark };
}

/** A map from pairs; a value that is undefined is left out. Keys get the mark of their value. */
export function map(pairs: Iterable<readonly [string, ComposeNode | undefined]>, mark: Mark): MapNode {
  const entries = new Map<string, MapEntry>();
  for (const [key, value] of pairs) if (value !== undefined) entries.set(key, { mark: value.mark, value });
  return { kind: 'map', mark, entries };
}

export function withTag<N extends ComposeNode>(node: N, tag: MergeTag | undefined): N {
  return tag === undefined || node.tag === tag ? node : { ...node, tag };
}

export function isNull(node: ComposeNode): boolean {
  return node.kind === 'scalar' && node.value === null;
}

export function valueAt(node: ComposeNode | undefined, ...keys: readonly string[]): ComposeNode | undefined {
  return keys.reduce<ComposeNode | undefined>((at, key) => (at?.kind === 'map' ? at.entries.get(key)?.value : undefined), node);
}

export function textAt(node: ComposeNode | undefined, ...keys: readonly string[]): string | undefined {
  const found = valueAt(node, ...keys);
  return found?.kind === 'scalar' && found.value !== null ? textOf(found) : undefined;
}

/** The node with one key of a map set. */
export function withEntry(node: MapNode, key: string, value: ComposeNode): MapNode {
  return { ...node, entries: new Map(node.entries).set(key, { mark: node.entries.get(key)?.mark ?? value.mark, value }) };
}

/** A scalar as text, in Go's spelling; null is empty. */
export function textOf(node: ScalarNode): string {
  return node.text ?? (node.value === null ? '' : String(node.value));
}

/** Plain data, without tags and positions. */
export function toPlain(node: ComposeNode): unknown {
  if (node.kind === 'scalar') return node.value;
  if (node.kind === 'list') return node.items.map(toPlain);
  return Object.fromEntries([...node.entries].map(([key, { value }]) => [key, toPlain(value)]));
}

export function showMark({ file, line, column }: Mark): string {
  return `${file}:${line}:${column}`;
}

/** A mistake in a Compose file: where, and what. */
export function composeError(mark: Mark | undefined, message: string): AppError {
  return new AppError('invalidArgument', mark === undefined ? message : `${showMark(mark)}: ${message}`);
}
