// YAML text → a tree with positions. The `yaml` package splits the text; what words mean, aliases, merge keys and duplicate keys are decided here, because
// each needs positions or must be as in Docker's tools.
import { type Document, isAlias, isMap, isScalar, isSeq, LineCounter, type Node, type Pair, parseAllDocuments, type Scalar, type YAMLMap } from 'yaml';
import { type ComposeNode, composeError, type MapEntry, type MapNode, type Mark, type MergeTag, withTag } from './node.ts';
import { resolvePlain } from './scalars.ts';

/** An alias inside an alias can make a small file huge: more values than this are refused. */
const MAX_NODES = 200_000;
const MAX_DEPTH = 100;

interface Builder {
  readonly file: string;
  readonly document: Document;
  readonly lines: LineCounter;
  /** Aliases that are being followed, to find one that contains itself. */
  readonly open: Set<Node>;
  count: number;
}

/** The one document of a file. Throws AppError with file, line and column. */
export function parseYaml(source: string, file: string): ComposeNode {
  const lines = new LineCounter();
  const documents = parseAllDocuments(source, { schema: 'failsafe', lineCounter: lines, uniqueKeys: false, logLevel: 'silent', prettyErrors: false });
  const start: Mark = { file, line: 1, column: 1 };
  if (!Array.isArray(documents) || documents.length === 0) throw composeError(start, 'top-level object must be a mapping (the file is empty)');
  const [document, second] = documents as Document[];
  const builder = (of: Document): Builder => ({ file, document: of, lines, open: new Set(), count: 0 });
  for (const one of documents as Document[]) {
    const error = one.errors[0];
    if (error)
      throw composeError(
        markAt(builder(one), error.pos[0]),
        `yaml: ${/call stack/.test(error.message) ? `nested deeper than ${MAX_DEPTH} levels` : error.message.split('\n')[0]}`,
      );
  }
  if (document === undefined || isEmpty(document)) throw composeError(start, 'top-level object must be a mapping (the file is empty)');
  if (second !== undefined && !isEmpty(second)) {
    throw composeError(
      markAt(builder(second), (second.contents as Node).range?.[0] ?? 0),
      'a Compose file holds one YAML document, and here a second one begins',
    );
  }
  return build(document.contents as Node, builder(document), 0);
}

/** A document of comments, or of nothing. */
function isEmpty({ contents }: Document): boolean {
  return contents === null || (isScalar(contents) && contents.type === 'PLAIN' && contents.value === '');
}

function markAt({ file, lines }: Pick<Builder, 'file' | 'lines'>, offset: number): Mark {
  const { line, col } = lines.linePos(offset);
  return { file, line: Math.max(line, 1), column: Math.max(col, 1) };
}

function markOf(node: Node, builder: Builder): Mark {
  return markAt(builder, node.range?.[0] ?? 0);
}

function build(node: Node | null, builder: Builder, depth: number): ComposeNode {
  if (node === null) return { kind: 'scalar', value: null, mark: { file: builder.file, line: 1, column: 1 } };
  const mark = markOf(node, builder);
  builder.count += 1;
  if (builder.count > MAX_NODES) throw composeError(mark, `yaml: document contains excessive aliasing (more than ${MAX_NODES} values)`);
  if (depth > MAX_DEPTH) throw composeError(mark, `yaml: nested deeper than ${MAX_DEPTH} levels`);
  if (isAlias(node)) {
    const target = node.resolve(builder.document) as Node | undefined;
    if (target === undefined) throw composeError(mark, `yaml: unknown anchor '${node.source}' referenced`);
    if (builder.open.has(target)) throw composeError(mark, `yaml: anchor '${node.source}' value contains itself`);
    return open(target, builder, () => build(target, builder, depth + 1));
  }
  return open(node, builder, () => {
    if (isMap(node)) return buildMap(node, builder, depth);
    const tag = tagOf(node);
    if (isSeq(node)) return withTag({ kind: 'list', mark, items: node.items.map((item) => build(item as Node, builder, depth + 1)) }, tag);
    if (isScalar(node)) return withTag(buildScalar(node, mark), tag);
    throw composeError(mark, 'yaml: unexpected content');
  });
}

/** Does something while a node counts as open, so that an alias to it from within is found out. */
function open<T>(node: Node, { open: nodes }: Builder, inside: () => T): T {
  nodes.add(node);
  try {
    return inside();
  } finally {
    nodes.delete(node);
  }
}

/** In the failsafe schema every scalar is text. */
function wordOf({ value }: Scalar): string {
  return typeof value === 'string' ? value : '';
}

/** Quoted words are text; so is what `!!str` says, while other standard tags make a word of what is quoted. */
function buildScalar(node: Scalar, mark: Mark): ComposeNode {
  const text = wordOf(node);
  const standard = /^tag:yaml\.org,2002:(.*)$/.exec(node.tag ?? '')?.[1];
  const isPlain = standard === undefined ? node.type === 'PLAIN' || node.type === undefined : standard !== 'str';
  return isPlain ? resolvePlain(text, mark) : { kind: 'scalar', value: text, mark };
}

function buildMap(node: YAMLMap, builder: Builder, depth: number): MapNode {
  const entries = new Map<string, MapEntry>();
  const merged: MapNode[] = [];
  for (const pair of node.items as Pair<Node, Node | null>[]) {
    const keyMark = markOf(pair.key, builder);
    if (!isScalar(pair.key)) throw composeError(keyMark, 'yaml: a key must be a word, not a list or mapping');
    const key = wordOf(pair.key);
    const value = pair.value === null ? { kind: 'scalar' as const, value: null, mark: keyMark } : build(pair.value, builder, depth + 1);
    if (key === '<<' && pair.key.type === 'PLAIN') {
      merged.push(...mapsToMerge(value));
      continue;
    }
    const known = entries.get(key);
    if (known) throw composeError(keyMark, `mapping key ${JSON.stringify(key)} already defined at line ${known.mark.line}`);
    entries.set(key, { mark: keyMark, value });
  }
  const mark = markOf(node, builder);
  return withTag({ kind: 'map', mark, entries: withDefaults(entries, merged) }, tagOf(node));
}

/** The own keys win, then those of the first merged map. A merged key stands before the own ones, as if it had been written there. */
function withDefaults(own: ReadonlyMap<string, MapEntry>, merged: readonly MapNode[]): ReadonlyMap<string, MapEntry> {
  if (merged.length === 0) return own;
  const entries = new Map<string, MapEntry>();
  for (const { entries: defaults } of merged) for (const [key, entry] of defaults) if (!entries.has(key)) entries.set(key, entry);
  for (const [key, entry] of own) entries.set(key, entry);
  return entries;
}

function mapsToMerge(value: ComposeNode): readonly MapNode[] {
  if (value.kind === 'map') return [value];
  if (value.kind === 'list' && value.items.every((item) => item.kind === 'map')) return value.items as readonly MapNode[];
  throw composeError(value.mark, 'yaml: map merge requires map or sequence of maps as the value');
}

function tagOf(node: Node & { tag?: string }): MergeTag | undefined {
  if (node.tag === '!reset') return 'reset';
  if (node.tag === '!override') return 'override';
  return undefined;
}
