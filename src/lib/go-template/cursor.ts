// Where the parser stands in its tokens, what it knows at that place, and how it complains.
import { AppError } from '../errors.ts';
import { type Token, tokenise } from './lexer.ts';
import type { TemplateNode } from './nodes.ts';
import { quote } from './quote.ts';

/** Nesting that no sensible template reaches; it keeps the recursion of parser and execution within the stack. */
const MAX_DEPTH = 100;

export interface Cursor {
  readonly name: string;
  readonly source: string;
  readonly tokens: readonly Token[];
  /** Names that may be called. */
  readonly functions: { has(name: string): boolean };
  /** Templates defined so far (`define`, `block`). */
  readonly defined: Map<string, readonly TemplateNode[]>;
  index: number;
  /** Variables in scope, "$" included. */
  variables: string[];
  depth: number;
  rangeDepth: number;
  /** Line of the action that is being parsed; 0 before the first. */
  actionLine: number;
}

export function createCursor(name: string, source: string, functions: Cursor['functions']): Cursor {
  return { name, source, tokens: tokenise(source), functions, defined: new Map(), index: 0, variables: ['$'], depth: 0, rangeDepth: 0, actionLine: 0 };
}

export function peek(cursor: Cursor): Token {
  const { tokens, index, source } = cursor;
  return tokens[Math.min(index, tokens.length - 1)] ?? { kind: 'end-of-text', text: '', position: source.length };
}

export function next(cursor: Cursor): Token {
  const token = peek(cursor);
  if (cursor.index < cursor.tokens.length) cursor.index++;
  return token;
}

/** The next token that is no space; it is not taken. */
export function peekNonSpace(cursor: Cursor): Token {
  while (peek(cursor).kind === 'space') cursor.index++;
  return peek(cursor);
}

/** Takes the next token that is no space; it must be of this kind. */
export function expect(cursor: Cursor, kind: Token['kind'], context: string): Token {
  peekNonSpace(cursor);
  const token = next(cursor);
  return token.kind === kind ? token : unexpected(cursor, token, context);
}

export function isSymbol(token: Token, text: string): boolean {
  return token.kind === 'symbol' && token.text === text;
}

export function lineOf({ source }: Cursor, position: number): number {
  return source.slice(0, position).split('\n').length;
}

/** Throws AppError `invalidArgument` that names the line of `token` (default: the token taken last). */
export function fail(cursor: Cursor, message: string, token: Token = cursor.tokens[Math.max(0, cursor.index - 1)] ?? peek(cursor)): never {
  throw new AppError('invalidArgument', `template: ${cursor.name}:${lineOf(cursor, token.position)}: ${message}`);
}

export function unexpected(cursor: Cursor, token: Token, context: string): never {
  if (token.kind !== 'error') return fail(cursor, `unexpected ${describe(token)} in ${context}`, token);
  const { actionLine, name } = cursor;
  const isElsewhere = actionLine !== 0 && actionLine !== lineOf(cursor, token.position);
  const started = isElsewhere ? ` in action started at ${name}:${actionLine}` : '';
  return fail(cursor, token.text + (token.text.endsWith(' action') ? started.slice(' in action'.length) : started), token);
}

/** Runs `work` one level deeper. */
export function deeper<T>(cursor: Cursor, work: () => T): T {
  if (++cursor.depth > MAX_DEPTH) fail(cursor, 'nesting is too deep');
  const result = work();
  cursor.depth--;
  return result;
}

/** A token as Go names it in messages. */
function describe(token: Token): string {
  if (token.kind === 'end-of-text') return 'EOF';
  if (token.kind === 'keyword') return `<${token.text}>`;
  const characters = Array.from(token.text);
  return characters.length > 10 ? `${quote(characters.slice(0, 10).join(''))}...` : quote(token.text);
}
