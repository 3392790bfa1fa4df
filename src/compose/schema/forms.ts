// Forms that many keys share: lists that may be one word, maps that may be lists, durations, sizes, commands, paths.
import { formatDuration, parseDuration } from '#lib/duration.ts';
import { parseBytes } from '#lib/bytes.ts';
import { splitShellWords } from '../values/shell-words.ts';
import { type ComposeNode, isNull, list, map, scalar, textOf } from '../yaml/node.ts';
import { type Expand, listOf, type ListShape, mapOf, type MapShape, type ScalarShape, string, text } from './shape.ts';

export const keyOfText = (node: ComposeNode): string => (node.kind === 'scalar' ? textOf(node) : JSON.stringify(node));

/** Words that are each said once. */
export const words: ListShape = listOf(string, { keyOf: keyOfText });
export const wordsOrNumbers: ListShape = listOf(text, { keyOf: keyOfText });

const oneAsList: Expand = (node) => (node.kind === 'scalar' && node.value !== null ? list([node], node.mark) : node);
/** One word, or a list. */
export const wordOrWords: ListShape = { ...words, expand: oneAsList };

/** `[a=b, c]` as `{a: b, c: null}`; of two with one name the later counts. */
const pairsAsMap: Expand = (node, path, { report }) => {
  if (node.kind !== 'list') return node;
  const pairs: (readonly [string, ComposeNode])[] = [];
  node.items.forEach((item, index) => {
    if (item.kind !== 'scalar' || typeof item.value !== 'string') {
      report(item.mark, `${path}.${index} must be a string`);
      return;
    }
    const equals = item.value.indexOf('=');
    pairs.push(equals < 0 ? [item.value, scalar(null, item.mark)] : [item.value.slice(0, equals), scalar(item.value.slice(equals + 1), item.mark)]);
  });
  return map(pairs, node.mark);
};

const emptyForNull: Expand = (node) => (isNull(node) ? scalar('', node.mark) : node);
const plainValue: ScalarShape = { kind: 'string', accepts: ['number', 'boolean'], says: 'must be a string, number or null' };

/** A map of text, or a list of "key=value". A key without a value has an empty one. */
export const pairs: MapShape = mapOf({ ...plainValue, expand: emptyForNull }, { expand: pairsAsMap });
/** The same, where a key without a value means something else: an environment variable to be taken over. */
export const environment: MapShape = mapOf({ ...plainValue, accepts: ['number', 'boolean', 'null'] }, { expand: pairsAsMap });
/** Options of a driver: text or numbers, no list form. */
export const options: MapShape = mapOf({ ...plainValue, expand: emptyForNull });

/** Checked, and printed as Go prints it. */
export const duration: ScalarShape = {
  kind: 'string',
  finish: (node, path, { report }) => {
    const ns = node.kind === 'scalar' ? parseDuration(textOf(node)) : undefined;
    if (ns !== undefined) return scalar(formatDuration(ns), node.mark);
    report(node.mark, `${path} Does not match format 'duration'`);
    return undefined;
  },
};

/** A size, as decimal bytes. */
export const bytes: ScalarShape = {
  kind: 'string',
  accepts: ['number'],
  finish: (node, path, { report }) => {
    const value = node.kind === 'scalar' ? textOf(node) : '';
    const parsed = parseBytes(value);
    if ('bytes' in parsed) return scalar(String(parsed.bytes), node.mark);
    report(node.mark, `${path} ${parsed.problem}`);
    return undefined;
  },
};

/** A size of which -1 means that there is no limit. */
export const bytesOrUnlimited: ScalarShape = {
  ...bytes,
  finish: (node, path, context) => (node.kind === 'scalar' && textOf(node) === '-1' ? scalar('-1', node.mark) : bytes.finish?.(node, path, context)),
};

const shellWords: Expand = (node, path, { report }) => {
  if (isNull(node) || node.kind !== 'scalar') return node;
  const split = typeof node.value === 'string' ? splitShellWords(node.value) : undefined;
  if (split !== undefined)
    return list(
      split.map((word) => scalar(word, node.mark)),
      node.mark,
    );
  report(node.mark, typeof node.value === 'string' ? `${path} EOF found when expecting closing quote` : `${path} must be a string`);
  return undefined;
};

const verbatim = listOf(string);

/** A command: words as they are, or a text that is split as a shell would. Null: the image's own. */
export const command: ListShape = { ...verbatim, nullable: true, merge: 'replace', expand: shellWords };

/** An absolute path of what is relative to the Compose file. */
export function absolutePath(path: string, directory: string, home: string | undefined): string {
  if (path === '~' || path.startsWith('~/')) return home === undefined ? path : normalize(`${home}/${path.slice(1)}`);
  if (path.startsWith('/') || /^[a-zA-Z]:[\\/]/.test(path) || path.startsWith('\\\\')) return path.startsWith('/') ? normalize(path) : path;
  return normalize(`${directory}/${path}`);
}

/** Without ".", ".." and doubled slashes. */
export function normalize(path: string): string {
  const parts: string[] = [];
  for (const part of path.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  }
  return `/${parts.join('/')}`;
}

export const filePath: ScalarShape = {
  kind: 'string',
  finish: (node, _path, { directory, home }) => scalar(absolutePath(node.kind === 'scalar' ? textOf(node) : '', directory, home), node.mark),
};
