// What one load shares: how files are read, what variables mean, what was found wrong. Parsing, replacing variables and checking one file is done here.
import { isUtf8 } from 'node:buffer';
import { errorMessage } from '#lib/errors.ts';
import { check } from '../schema/check.ts';
import type { CheckContext } from '../schema/shape.ts';
import { absolutePath } from '../schema/forms.ts';
import { composeFile, SECTIONS } from '../schema/top-level.ts';
import type { ComposeWarning } from '../stack.ts';
import { type ComposeNode, composeError, type MapEntry, type MapNode, type Mark, scalar, showMark } from '../yaml/node.ts';
import { parseYaml } from '../yaml/parse.ts';
import { DotenvError, parseDotenv, parseRawEnvFile, type Variables } from './dotenv.ts';
import { type Lookup, substitute, TemplateError } from './template.ts';

/** How files are read. Paths are absolute, or "-" for the standard input. */
export interface ComposeReader {
  /** The bytes of a file, or undefined when there is none. Throws, with a message for the user, when it cannot be read. */
  read(path: string): Uint8Array | undefined;
}

/** Mistakes told at once; a file that has more has a bigger problem. */
const MAX_MISTAKES = 20;

export interface Session {
  readonly reader: ComposeReader;
  readonly interpolate: boolean;
  readonly home: string | undefined;
  readonly workingDirectory: string;
  readonly warn: (warning: ComposeWarning) => void;
}

/** Where a file's relative paths begin, and what its variables are. */
export interface Scope {
  readonly directory: string;
  readonly lookup: Lookup;
}

/** A file as text; undefined when there is none. `shown` is the path as the user knows it, `from` the place that names it. */
export function readText(session: Session, path: string, shown: string, from?: Mark): string | undefined {
  let bytes: Uint8Array | undefined;
  try {
    bytes = session.reader.read(path);
  } catch (error) {
    throw composeError(from, `${shown}: ${errorMessage(error)}`);
  }
  return bytes === undefined ? undefined : decode(bytes, shown);
}

/** Another encoding would put wrong letters into what is deployed without a word. */
function decode(bytes: Uint8Array, shown: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    const lines = Buffer.from(bytes).toString('latin1').split('\n');
    const wrong = lines.findIndex((line) => !isUtf8(Buffer.from(line, 'latin1')));
    throw composeError({ file: shown, line: wrong + 1, column: 1 }, 'the text is not in UTF-8');
  }
}

/** The path as it is shown in messages: relative where it lies below the working directory. */
export function shownPath(session: Session, path: string): string {
  const prefix = session.workingDirectory.endsWith('/') ? session.workingDirectory : `${session.workingDirectory}/`;
  return path.startsWith(prefix) ? path.slice(prefix.length) : path;
}

/** One Compose file in canonical form. Throws AppError with all its mistakes, a line for each. */
export function readComposeFile(session: Session, path: string, scope: Scope, from?: Mark): MapNode {
  const shown = path === '-' ? '-' : shownPath(session, path);
  const text = readText(session, path, shown);
  if (text === undefined) throw composeError(from, `open ${shown}: no such file or directory`);
  const root = parseYaml(text, shown);
  if (root.kind !== 'map') throw composeError(root.mark, 'top-level object must be a mapping');
  const mistakes: string[] = [];
  const report = (mark: Mark, message: string) => mistakes.push(`${showMark(mark)}: ${message}`);
  const given = session.interpolate ? interpolateSections(root, session, scope.lookup, report) : root;
  const context: CheckContext = {
    report,
    warn: (message) => session.warn({ kind: 'notice', name: message.split(':')[0] ?? '', message }),
    interpolated: session.interpolate,
    directory: scope.directory,
    home: session.home,
  };
  const checked = mistakes.length > 0 ? undefined : check(given, composeFile, '', context);
  throwMistakes(mistakes);
  return checked?.kind === 'map' ? checked : root;
}

export function throwMistakes(mistakes: readonly string[]): void {
  if (mistakes.length === 0) return;
  const told = [...new Set(mistakes)].slice(0, MAX_MISTAKES);
  throw composeError(undefined, told.length < mistakes.length ? [...told, `and ${mistakes.length - told.length} more`].join('\n') : told.join('\n'));
}

type Report = (mark: Mark, message: string) => void;

/** Values only, not keys; `version` and `x-…` at the top are left alone. */
function interpolateSections(root: MapNode, session: Session, lookup: Lookup, report: Report): MapNode {
  const sections = new Set<string>([...SECTIONS, 'name', 'include']);
  const entries = new Map<string, MapEntry>();
  for (const [key, { mark, value }] of root.entries) {
    entries.set(key, { mark, value: sections.has(key) ? interpolate(value, key, { session, lookup, report }) : value });
  }
  return { ...root, entries };
}

function interpolate(node: ComposeNode, path: string, context: { readonly session: Session; readonly lookup: Lookup; readonly report: Report }): ComposeNode {
  if (node.kind === 'list') return { ...node, items: node.items.map((item, index) => interpolate(item, `${path}.${index}`, context)) };
  if (node.kind === 'map') {
    const entries = new Map<string, MapEntry>();
    for (const [key, { mark, value }] of node.entries) entries.set(key, { mark, value: interpolate(value, `${path}.${key}`, context) });
    return { ...node, entries };
  }
  if (typeof node.value !== 'string' || !node.value.includes('$')) return node;
  try {
    const value = substitute(node.value, { lookup: context.lookup, onUnset: (name) => context.session.warn(unsetVariable(name)) });
    return { ...scalar(value, node.mark), ...(node.tag === undefined ? {} : { tag: node.tag }) };
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error;
    context.report(node.mark, `invalid interpolation format for ${path}: ${JSON.stringify(error.message)}; you may need to escape any $ with another $`);
    return node;
  }
}

function unsetVariable(name: string): ComposeWarning {
  return { kind: 'notice', name, message: `The ${JSON.stringify(name)} variable is not set. Defaulting to a blank string.` };
}

/** A file of variables; undefined when there is none. */
export function readVariables(
  session: Session,
  path: string,
  lookup: Lookup,
  { format, from }: { readonly format?: string | undefined; readonly from?: Mark } = {},
): Variables | undefined {
  const shown = shownPath(session, path);
  const text = readText(session, path, shown, from);
  if (text === undefined) return undefined;
  try {
    return format === 'raw' ? parseRawEnvFile(text) : parseDotenv(text, lookup);
  } catch (error) {
    if (error instanceof DotenvError) throw composeError({ file: shown, line: error.line, column: 1 }, `invalid env file (${shown}): ${error.message}`);
    throw error;
  }
}

/**
 * What variables mean: `outer` first, then the files, the last one first. Without files given, `.env` in the directory, if it is there.
 */
export function variablesOf(session: Session, outer: Lookup, directory: string, files: readonly string[] | undefined, from?: Mark): Lookup {
  const found = new Map<string, string>();
  const lookup: Lookup = (name) => outer(name) ?? found.get(name);
  for (const file of files ?? ['.env']) {
    const path = absolutePath(file, directory, session.home);
    const variables = readVariables(session, path, lookup, from === undefined ? {} : { from });
    if (variables === undefined && files !== undefined) throw composeError(from, `couldn't find env file: ${path}`);
    for (const [name, value] of variables ?? []) if (value !== null) found.set(name, value);
  }
  return lookup;
}

export function directoryOf(path: string): string {
  const slash = path.lastIndexOf('/');
  return slash <= 0 ? '/' : path.slice(0, slash);
}
