// JSON bodies as Go's decoder reads them: the first value counts, and what is wrong is said in Go's words.
// JSON.parse does the reading; the scanner here only runs when that failed, to find out why.
import { AppError } from '#lib/errors.ts';

/**
 * The value of a request body. Throws AppError `invalidArgument` with Docker's text:
 * `invalid JSON: …` for a syntax error, `unexpected content after JSON` for anything behind the first value.
 */
export function parseGoJson(text: string): unknown {
  assertDepth(text);
  try {
    return wellFormed(text, JSON.parse(text));
  } catch (cause) {
    const scan = scanValue(text, skipSpace(text, 0), 0);
    if ('end' in scan) {
      const next = text[skipSpace(text, scan.end)];
      // Go's `More` takes a closing bracket for the end of an enclosing value.
      if (next === '}' || next === ']') return wellFormed(text, JSON.parse(text.slice(0, scan.end)));
      if (next !== undefined) throw new AppError('invalidArgument', 'unexpected content after JSON', { cause });
    }
    const reason = 'problem' in scan ? scan.problem : 'unexpected EOF';
    throw new AppError('invalidArgument', `invalid JSON: ${reason === EOF && text.trim() === '' ? 'got EOF while reading request body' : reason}`, { cause });
  }
}

const EOF = 'unexpected EOF';
/** Go's limit is 10,000; nothing that Docker knows is as deep as this, and the stack must hold it. */
const MAX_DEPTH = 1_000;

/** Looked at before anything is parsed: what walks through values later goes as deep as they are. Unbalanced texts are somebody else's business. */
function assertDepth(text: string): void {
  let [depth, isInString] = [0, false];
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === BACKSLASH) at++;
    else if (code === QUOTE) isInString = !isInString;
    else if (isInString) continue;
    else if (code === OPEN_BRACE || code === OPEN_BRACKET) depth++;
    else if (code === CLOSE_BRACE || code === CLOSE_BRACKET) depth--;
    if (depth > MAX_DEPTH) throw new AppError('invalidArgument', 'invalid JSON: exceeded max depth');
  }
}

const [QUOTE, BACKSLASH, OPEN_BRACE, CLOSE_BRACE, OPEN_BRACKET, CLOSE_BRACKET] = Buffer.from('"\\{}[]');

/** Go puts U+FFFD in the place of halves of surrogate pairs; they can only come as escapes. */
function wellFormed(text: string, value: unknown): unknown {
  return /\\u[dD][89a-fA-F]/.test(text) ? repaired(value) : value;
}

function repaired(value: unknown): unknown {
  if (typeof value === 'string') return value.toWellFormed();
  if (Array.isArray(value)) return value.map(repaired);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, element]) => [key.toWellFormed(), repaired(element)]));
}

type Scan = { readonly end: number } | { readonly problem: string };

function skipSpace(text: string, index: number): number {
  let at = index;
  while (text[at] === ' ' || text[at] === '\t' || text[at] === '\n' || text[at] === '\r') at += 1;
  return at;
}

function problemAt(text: string, at: number, where: string): Scan {
  const character = text[at];
  if (character === undefined) return { problem: EOF };
  const quoted = character === "'" ? `'\\''` : character === '"' ? `'"'` : `'${JSON.stringify(character).slice(1, -1)}'`;
  return { problem: `invalid character ${quoted} ${where}` };
}

function scanValue(text: string, at: number, depth: number): Scan {
  const character = text[at];
  if (character === '{') return scanObject(text, at + 1, depth);
  if (character === '[') return scanArray(text, at + 1, depth);
  if (character === '"') return scanString(text, at + 1);
  if (character === 't') return scanLiteral(text, at, 'true');
  if (character === 'f') return scanLiteral(text, at, 'false');
  if (character === 'n') return scanLiteral(text, at, 'null');
  if (character !== undefined && /[-0-9]/.test(character)) return scanNumber(text, at);
  return problemAt(text, at, 'looking for beginning of value');
}

function scanObject(text: string, start: number, depth: number): Scan {
  let at = skipSpace(text, start);
  if (text[at] === '}') return { end: at + 1 };
  for (;;) {
    if (text[at] !== '"') return problemAt(text, at, 'looking for beginning of object key string');
    const key = scanString(text, at + 1);
    if ('problem' in key) return key;
    at = skipSpace(text, key.end);
    if (text[at] !== ':') return problemAt(text, at, 'after object key');
    const value = scanValue(text, skipSpace(text, at + 1), depth + 1);
    if ('problem' in value) return value;
    at = skipSpace(text, value.end);
    if (text[at] === '}') return { end: at + 1 };
    if (text[at] !== ',') return problemAt(text, at, 'after object key:value pair');
    at = skipSpace(text, at + 1);
  }
}

function scanArray(text: string, start: number, depth: number): Scan {
  let at = skipSpace(text, start);
  if (text[at] === ']') return { end: at + 1 };
  for (;;) {
    const value = scanValue(text, at, depth + 1);
    if ('problem' in value) return value;
    at = skipSpace(text, value.end);
    if (text[at] === ']') return { end: at + 1 };
    if (text[at] !== ',') return problemAt(text, at, 'after array element');
    at = skipSpace(text, at + 1);
  }
}

function scanString(text: string, start: number): Scan {
  for (let at = start; ; at += 1) {
    const character = text[at];
    if (character === undefined) return { problem: EOF };
    if (character === '"') return { end: at + 1 };
    if (character < ' ') return problemAt(text, at, 'in string literal');
    if (character !== '\\') continue;
    at += 1;
    if (text[at] === 'u') {
      for (let digit = 0; digit < 4; digit += 1) {
        at += 1;
        if (!/[0-9a-fA-F]/.test(text[at] ?? '')) return problemAt(text, at, 'in \\u hexadecimal character escape');
      }
    } else if (!'bfnrt\\/"'.includes(text[at] ?? ' ')) return problemAt(text, at, 'in string escape code');
  }
}

function scanLiteral(text: string, start: number, literal: string): Scan {
  for (let offset = 1; offset < literal.length; offset += 1) {
    if (text[start + offset] !== literal[offset]) return problemAt(text, start + offset, `in literal ${literal} (expecting '${literal[offset]}')`);
  }
  return { end: start + literal.length };
}

function scanNumber(text: string, start: number): Scan {
  let at = start;
  const digits = (): boolean => {
    const from = at;
    while (/[0-9]/.test(text[at] ?? '')) at += 1;
    return at > from;
  };
  if (text[at] === '-') at += 1;
  if (text[at] === '0') at += 1;
  else if (!digits()) return problemAt(text, at, 'in numeric literal');
  if (text[at] === '.') {
    at += 1;
    if (!digits()) return problemAt(text, at, 'after decimal point in numeric literal');
  }
  if (text[at] === 'e' || text[at] === 'E') {
    at += 1;
    if (text[at] === '+' || text[at] === '-') at += 1;
    if (!digits()) return problemAt(text, at, 'in exponent of numeric literal');
  }
  return { end: at };
}
