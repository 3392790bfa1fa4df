// Files of variables: `.env` and `--env-file` (quotes, comments, `$` within values) and a service's `env_file`.
import { type Lookup, substitute } from './template.ts';

export class DotenvError extends Error {
  override readonly name = 'DotenvError';
  /** Counts from 1. */
  readonly line: number;
  constructor(line: number, message: string) {
    super(message);
    this.line = line;
  }
}

/** Name and value; null: named without a value, to be taken from the environment. */
export type Variables = ReadonlyMap<string, string | null>;

/**
 * Compose's grammar: `NAME=value`, `NAME: value`, `export NAME=value`, `NAME` alone. Unquoted values end at ` #`; single quotes keep what is in them, double
 * quotes know \n, \r, \t, \", \\ and \$, and both may span lines; unquoted and double-quoted values are templates over `lookup` and the lines above.
 */
export function parseDotenv(source: string, lookup: Lookup): Variables {
  const text = source.replace(/^\uFEFF/, '').replaceAll('\r\n', '\n');
  const variables = new Map<string, string | null>();
  const scope: Lookup = (name) => lookup(name) ?? variables.get(name) ?? undefined;
  let at = 0;
  while (at < text.length) {
    const start = skipBlank(text, at);
    if (start >= text.length) break;
    at = readStatement(text, start, { variables, scope });
  }
  return variables;
}

/**
 * Docker's older grammar, kept for `format: raw`: each line is a name, or a name, "=" and the value to the end of the line; no quotes, no `$`.
 */
export function parseRawEnvFile(source: string): Variables {
  const variables = new Map<string, string | null>();
  source
    .replace(/^\uFEFF/, '')
    .split('\n')
    .forEach((whole, index) => {
      const line = whole.replace(/\r$/, '').trimStart();
      if (line === '' || line.startsWith('#')) return;
      const equals = line.indexOf('=');
      const name = equals < 0 ? line.trim() : line.slice(0, equals);
      if (/\s/.test(name)) throw new DotenvError(index + 1, `variable '${name}' contains whitespaces`);
      if (name === '') throw new DotenvError(index + 1, `no variable name on line '${line}'`);
      variables.set(name, equals < 0 ? null : line.slice(equals + 1));
    });
  return variables;
}

interface Scope {
  readonly variables: Map<string, string | null>;
  readonly scope: Lookup;
}

/** White space and lines that are comments. */
function skipBlank(text: string, from: number): number {
  const pattern = /(?:\s+|#[^\n]*)*/y;
  pattern.lastIndex = from;
  pattern.exec(text);
  return pattern.lastIndex;
}

function readStatement(text: string, start: number, { variables, scope }: Scope): number {
  const line = lineOf(text, start);
  const head = /(?:export[ \t]+)?([^\n=:]*?)[ \t]*(=|:|\n|$)/y;
  head.lastIndex = start;
  const match = head.exec(text);
  const name = match?.[1] ?? '';
  if (name === '') throw new DotenvError(line, 'zero length string: a variable has no name');
  if (/\s/.test(name)) throw new DotenvError(line, `variable '${name}' contains whitespaces`);
  if (!/^[A-Za-z0-9_.-]+$/.test(name) || /^[.-]/.test(name)) {
    const character = /[^A-Za-z0-9_.-]/.exec(name)?.[0] ?? name[0] ?? '';
    throw new DotenvError(line, `unexpected character ${JSON.stringify(character)} in variable name ${JSON.stringify(name)}`);
  }
  if (match?.[2] !== '=' && match?.[2] !== ':') {
    variables.set(name, null);
    return head.lastIndex;
  }
  const { value, end } = readValue(text, head.lastIndex, scope);
  variables.set(name, value);
  return end;
}

function readValue(text: string, from: number, scope: Lookup): { readonly value: string; readonly end: number } {
  let start = from;
  while (text[start] === ' ' || text[start] === '\t') start += 1;
  const quote = text[start];
  if (quote === "'" || quote === '"') return readQuoted(text, start, quote, scope);
  const newline = text.indexOf('\n', start);
  const end = newline < 0 ? text.length : newline;
  const raw = text.slice(start, end);
  const value = raw.startsWith('#') ? '' : raw.replace(/\s#.*$/, '').trimEnd();
  return { value: expand(value, scope, lineOf(text, start)), end };
}

function readQuoted(text: string, start: number, quote: string, scope: Lookup): { readonly value: string; readonly end: number } {
  const line = lineOf(text, start);
  for (let at = start + 1; at < text.length; at += 1) {
    if (text[at] === '\\') at += 1;
    else if (text[at] === quote) {
      const inner = text.slice(start + 1, at);
      const newline = text.indexOf('\n', at);
      const end = newline < 0 ? text.length : newline;
      const rest = text.slice(at + 1, end).trim();
      if (rest !== '' && !rest.startsWith('#')) throw new DotenvError(line, `unexpected ${JSON.stringify(rest)} after a quoted value`);
      return { value: quote === "'" ? inner.replaceAll("\\'", "'") : expand(unescape(inner), scope, line), end };
    }
  }
  throw new DotenvError(line, `unterminated quoted value ${text.slice(start).split('\n')[0]}`);
}

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', '"': '"', '\\': '\\', $: '$$' };

function unescape(text: string): string {
  return text.replaceAll(/\\([nrt"\\$])/g, (_all, character: string) => ESCAPES[character] ?? character);
}

function expand(value: string, lookup: Lookup, line: number): string {
  if (!value.includes('$')) return value;
  try {
    return substitute(value, { lookup, onUnset: () => {} });
  } catch (error) {
    throw new DotenvError(line, `invalid template: ${JSON.stringify((error as Error).message)}`);
  }
}

function lineOf(text: string, offset: number): number {
  return text.slice(0, offset).split('\n').length;
}
