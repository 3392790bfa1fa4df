// Cuts a template into text and the tokens of its actions, as Go's text/template/parse/lex.go does.
import { unquote, unquoteCharacter } from './quote.ts';

export type TokenKind =
  | 'text'
  | 'left'
  | 'right'
  | 'identifier'
  | 'keyword'
  | 'field'
  | 'variable'
  | 'dot'
  | 'nil'
  | 'boolean'
  | 'number'
  | 'string'
  | 'symbol'
  | 'space'
  | 'end-of-text'
  | 'error';

export interface Token {
  readonly kind: TokenKind;
  readonly text: string;
  readonly position: number;
  /** What a literal stands for. */
  readonly value?: string | number;
}

const KEYWORDS = new Set(['block', 'break', 'continue', 'define', 'else', 'end', 'if', 'range', 'template', 'with']);
const NUMBER_PATTERN = /[+-]?(?:0[xX][0-9a-fA-F_]+|0[bB][01_]+|0[oO][0-7_]+|[0-9][0-9_]*(?:\.[0-9_]*)?(?:[eE][+-]?[0-9]+)?|\.[0-9]+(?:[eE][+-]?[0-9]+)?)/y;
const WORD_PATTERN = /[\p{L}\p{Nd}_]+/uy;
const WORD_CHARACTER = /[\p{L}\p{Nd}_]/u;

/** The tokens of a template. Ends with `end-of-text`, or with `error` whose text says what is wrong. */
export function tokenise(source: string): readonly Token[] {
  const tokens: Token[] = [];
  let position = 0;
  let trimNext = false;
  for (;;) {
    const open = source.indexOf('{{', position);
    const textEnd = open < 0 ? source.length : open;
    let text = source.slice(position, textEnd);
    const trimsBefore = open >= 0 && source[open + 2] === '-' && isSpace(source[open + 3]);
    if (trimNext) text = text.replace(/^[ \t\r\n]+/, '');
    if (trimsBefore) text = text.replace(/[ \t\r\n]+$/, '');
    if (text !== '') tokens.push({ kind: 'text', text, position });
    if (open < 0) {
      tokens.push({ kind: 'end-of-text', text: '', position: source.length });
      return tokens;
    }
    const inside = open + (trimsBefore ? 4 : 2);
    const end = source.startsWith('/*', inside) ? skipComment(source, inside, tokens) : tokeniseAction(source, open, inside, tokens);
    if (end === undefined) return tokens;
    position = end.position;
    trimNext = end.trims;
  }
}

interface ActionEnd {
  readonly position: number;
  /** Whether the action ended with ` -}}`. */
  readonly trims: boolean;
}

function skipComment(source: string, start: number, tokens: Token[]): ActionEnd | undefined {
  const close = source.indexOf('*/', start + 2);
  if (close < 0) return fail(tokens, 'unclosed comment', start);
  const end = actionEnd(source, close + 2);
  if (end === undefined) return fail(tokens, 'comment ends before closing delimiter', start);
  return end;
}

function tokeniseAction(source: string, open: number, inside: number, tokens: Token[]): ActionEnd | undefined {
  tokens.push({ kind: 'left', text: '{{', position: open });
  let position = inside;
  let depth = 0;
  for (;;) {
    const end = actionEnd(source, position);
    if (end !== undefined) {
      if (depth > 0) return fail(tokens, 'unclosed left paren', position);
      tokens.push({ kind: 'right', text: '}}', position });
      return end;
    }
    if (position >= source.length) return fail(tokens, 'unclosed action', position);
    const token = nextToken(source, position);
    tokens.push(token);
    if (token.kind === 'error') return undefined;
    if (token.text === '(') depth++;
    if (token.text === ')' && token.kind === 'symbol' && --depth < 0) return fail(tokens, 'unexpected right paren', position);
    position += token.text.length;
  }
}

function actionEnd(source: string, position: number): ActionEnd | undefined {
  if (source.startsWith('}}', position)) return { position: position + 2, trims: false };
  const trim = /[ \t\r\n]-\}\}/y;
  trim.lastIndex = position;
  return trim.test(source) ? { position: position + 4, trims: true } : undefined;
}

function nextToken(source: string, position: number): Token {
  const character = source[position] ?? '';
  if (isSpace(character)) {
    let end = position + 1;
    while (isSpace(source[end]) && actionEnd(source, end) === undefined) end++;
    return { kind: 'space', text: source.slice(position, end), position };
  }
  if (character === '"' || character === '`' || character === "'") return quotedToken(source, position, character);
  if (character === ':') return source[position + 1] === '=' ? symbol(':=', position) : error('expected :=', position);
  if ('=|(),'.includes(character)) return symbol(character, position);
  if (character === '$') return named('variable', source, position, `$${wordAt(source, position + 1)}`);
  if (character === '.' && !/[0-9]/.test(source[position + 1] ?? '')) {
    const word = wordAt(source, position + 1);
    return word === '' ? { kind: 'dot', text: '.', position } : named('field', source, position, `.${word}`);
  }
  if (/[0-9.+-]/.test(character)) return numberToken(source, position);
  const word = wordAt(source, position);
  if (word === '') return error(`unrecognized character in action: ${describeCharacter(source, position)}`, position);
  return wordToken(source, position, word);
}

function wordToken(source: string, position: number, word: string): Token {
  if (KEYWORDS.has(word)) return { kind: 'keyword', text: word, position };
  if (word === 'nil') return { kind: 'nil', text: word, position };
  if (word === 'true' || word === 'false') return { kind: 'boolean', text: word, position };
  return named('identifier', source, position, word);
}

/** A name must be followed by something that cannot belong to it. */
function named(kind: TokenKind, source: string, position: number, text: string): Token {
  const next = source[position + text.length];
  const isEnd = next === undefined || isSpace(next) || '.,|:=()'.includes(next) || source.startsWith('}}', position + text.length);
  return isEnd ? { kind, text, position } : error(`bad character ${describeCharacter(source, position + text.length)}`, position);
}

function quotedToken(source: string, position: number, quote: string): Token {
  let end = position + 1;
  while (end < source.length && source[end] !== quote && (quote === '`' || source[end] !== '\n')) end += quote !== '`' && source[end] === '\\' ? 2 : 1;
  if (source[end] !== quote) {
    const what = quote === '`' ? 'raw quoted string' : quote === '"' ? 'quoted string' : 'character constant';
    return error(`unterminated ${what}`, position);
  }
  const text = source.slice(position, end + 1);
  const value = quote === "'" ? unquoteCharacter(text) : unquote(text);
  if (value === undefined) return error(quote === "'" ? `malformed character constant: ${text}` : 'invalid syntax', position);
  return { kind: quote === "'" ? 'number' : 'string', text, position, value };
}

function numberToken(source: string, position: number): Token {
  NUMBER_PATTERN.lastIndex = position;
  const text = NUMBER_PATTERN.exec(source)?.[0] ?? '';
  const next = source[position + text.length] ?? '';
  const value = parseNumber(text);
  if (text === '' || WORD_CHARACTER.test(next) || value === undefined) {
    return error(`bad number syntax: ${JSON.stringify(source.slice(position, position + Math.max(1, text.length + 1)))}`, position);
  }
  return { kind: 'number', text, position, value };
}

function parseNumber(text: string): number | undefined {
  const negative = text.startsWith('-');
  const digits = text.replace(/^[+-]/, '').replaceAll('_', '');
  // A leading zero means octal, as in Go.
  const value = /^0[0-7]+$/.test(digits) ? Number.parseInt(digits, 8) : Number(digits);
  return Number.isFinite(value) ? (negative ? -value : value) : undefined;
}

function wordAt(source: string, position: number): string {
  WORD_PATTERN.lastIndex = position;
  return WORD_PATTERN.exec(source)?.[0] ?? '';
}

function symbol(text: string, position: number): Token {
  return { kind: 'symbol', text, position };
}

function error(message: string, position: number): Token {
  return { kind: 'error', text: message, position };
}

function fail(tokens: Token[], message: string, position: number): undefined {
  tokens.push(error(message, position));
  return undefined;
}

function isSpace(character: string | undefined): boolean {
  return character === ' ' || character === '\t' || character === '\r' || character === '\n';
}

/** "U+0040 '@'" */
function describeCharacter(source: string, position: number): string {
  const point = source.codePointAt(position) ?? 0;
  return `U+${point.toString(16).toUpperCase().padStart(4, '0')} '${String.fromCodePoint(point)}'`;
}
