// Tokens → tree, as Go's text/template/parse does: same grammar, same words for what is wrong. Text and control structures here, pipelines in
// parse-pipe.ts.
import { createCursor, type Cursor, deeper, expect, fail, lineOf, next, peek, peekNonSpace, unexpected } from './cursor.ts';
import type { BranchNode, TemplateNode } from './nodes.ts';
import { parsePipe } from './parse-pipe.ts';

export interface ParsedTemplate {
  readonly name: string;
  readonly source: string;
  readonly body: readonly TemplateNode[];
  /** Templates defined within (`define`, `block`), by name. */
  readonly defined: ReadonlyMap<string, readonly TemplateNode[]>;
}

/** Throws AppError `invalidArgument` with Go's text. `functions` says which names may be called. */
export function parse(name: string, source: string, functions: { has(name: string): boolean }): ParsedTemplate {
  const cursor = createCursor(name, source, functions);
  const { nodes } = parseList(cursor, true);
  return { name, source, body: nodes, defined: cursor.defined };
}

interface List {
  readonly nodes: readonly TemplateNode[];
  readonly end: 'end' | 'else' | 'text';
}

/** Nodes up to the keyword that ends the list: `{{end}}` or `{{else`; at the top up to the end of the text. */
function parseList(cursor: Cursor, isTop: boolean): List {
  const nodes: TemplateNode[] = [];
  for (;;) {
    const token = next(cursor);
    if (token.kind === 'end-of-text') return isTop ? { nodes, end: 'text' } : fail(cursor, 'unexpected EOF', token);
    if (token.kind === 'text') {
      nodes.push({ kind: 'text', text: token.text, position: token.position });
      continue;
    }
    if (token.kind === 'error') unexpected(cursor, token, 'input');
    cursor.actionLine = lineOf(cursor, token.position);
    const end = listEnd(cursor, isTop);
    if (end !== undefined) return { nodes, end };
    const node = parseAction(cursor, token.position);
    if (node !== undefined) nodes.push(node);
  }
}

function listEnd(cursor: Cursor, isTop: boolean): 'end' | 'else' | undefined {
  const keyword = peekNonSpace(cursor);
  if (keyword.kind !== 'keyword' || (keyword.text !== 'end' && keyword.text !== 'else')) return undefined;
  cursor.index++;
  if (isTop) fail(cursor, `unexpected {{${keyword.text}}}`, keyword);
  if (keyword.text === 'end') expect(cursor, 'right', 'end');
  return keyword.text;
}

/** Definitions make no node of their own. */
function parseAction(cursor: Cursor, position: number): TemplateNode | undefined {
  const token = peek(cursor);
  if (token.kind !== 'keyword') return { kind: 'action', pipe: parsePipe(cursor, 'command', 'right'), position };
  cursor.index++;
  switch (token.text) {
    case 'if':
    case 'with':
    case 'range':
      return deeper(cursor, () => parseBranch(cursor, branchKind(token.text), token.position));
    case 'break':
    case 'continue':
      if (cursor.rangeDepth === 0) fail(cursor, `{{${token.text}}} outside {{range}}`, token);
      expect(cursor, 'right', `{{${token.text}}}`);
      return { kind: token.text === 'break' ? 'break' : 'continue', position };
    case 'define':
      return deeper(cursor, () => parseDefinition(cursor));
    case 'block':
      return deeper(cursor, () => parseBlock(cursor, position));
    case 'template':
      return parseInvocation(cursor, position);
    default:
      return unexpected(cursor, token, 'command');
  }
}

function branchKind(keyword: string): BranchNode['kind'] {
  return keyword === 'if' || keyword === 'with' ? keyword : 'range';
}

function parseBranch(cursor: Cursor, kind: BranchNode['kind'], position: number): TemplateNode {
  const scope = cursor.variables.length;
  if (kind === 'range') cursor.rangeDepth++;
  const pipe = parsePipe(cursor, kind, 'right');
  const body = parseList(cursor, false);
  if (kind === 'range') cursor.rangeDepth--;
  const otherwise = body.end === 'else' ? parseElse(cursor, kind) : [];
  cursor.variables.length = scope;
  return { kind, pipe, body: body.nodes, otherwise, position };
}

function parseElse(cursor: Cursor, kind: BranchNode['kind']): readonly TemplateNode[] {
  const token = peekNonSpace(cursor);
  if (token.kind === 'keyword' && token.text === kind && kind !== 'range') {
    cursor.index++;
    // `{{else if x}}` is a nested `if` that the outer `{{end}}` closes, too.
    return [deeper(cursor, () => parseBranch(cursor, kind, token.position))];
  }
  expect(cursor, 'right', 'else');
  const rest = parseList(cursor, false);
  if (rest.end === 'else') fail(cursor, 'expected end; found {{else}}');
  return rest.nodes;
}

function parseDefinition(cursor: Cursor): undefined {
  const title = String(expect(cursor, 'string', 'define clause').value);
  expect(cursor, 'right', 'define clause');
  define(cursor, title);
  return undefined;
}

/** A definition sees no variables of where it stands, and no loop. */
function define(cursor: Cursor, title: string): void {
  const { variables, rangeDepth } = cursor;
  cursor.variables = ['$'];
  cursor.rangeDepth = 0;
  const body = parseList(cursor, false);
  if (body.end !== 'end') fail(cursor, 'unexpected {{else}} in define clause');
  cursor.variables = variables;
  cursor.rangeDepth = rangeDepth;
  cursor.defined.set(title, body.nodes);
}

function parseBlock(cursor: Cursor, position: number): TemplateNode {
  const name = String(expect(cursor, 'string', 'block clause').value);
  const pipe = parsePipe(cursor, 'block clause', 'right');
  define(cursor, name);
  return { kind: 'template', name, pipe, position };
}

function parseInvocation(cursor: Cursor, position: number): TemplateNode {
  const name = String(expect(cursor, 'string', 'template clause').value);
  if (peekNonSpace(cursor).kind !== 'right') return { kind: 'template', name, pipe: parsePipe(cursor, 'template clause', 'right'), position };
  cursor.index++;
  return { kind: 'template', name, position };
}
