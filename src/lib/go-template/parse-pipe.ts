// Pipelines: declarations, commands, operands.
import { type Cursor, deeper, fail, isSymbol, next, peek, peekNonSpace, unexpected } from './cursor.ts';
import type { Token } from './lexer.ts';
import type { Command, Operand, Pipe } from './nodes.ts';
import { quote } from './quote.ts';

const OPERAND_KINDS: ReadonlySet<Token['kind']> = new Set(['identifier', 'dot', 'nil', 'boolean', 'number', 'string', 'field', 'variable']);
/** What is no function cannot take the value of the stage before. */
const NON_EXECUTABLE: ReadonlySet<Operand['kind'] | undefined> = new Set(['boolean', 'dot', 'nil', 'number', 'string']);

/** Parses up to and with the end: `}}` or `)`. `context` is what messages call the pipeline. */
export function parsePipe(cursor: Cursor, context: string, end: 'right' | ')'): Pipe {
  const { position } = peekNonSpace(cursor);
  const { declarations, assigns } = parseDeclarations(cursor, context);
  const commands: Command[] = [];
  for (;;) {
    const token = peekNonSpace(cursor);
    if (token.kind === 'right' || isSymbol(token, ')')) {
      if ((token.kind === 'right') !== (end === 'right')) unexpected(cursor, token, context);
      cursor.index++;
      checkPipe(cursor, commands, context);
      return { kind: 'pipe', declarations, assigns, commands, position };
    }
    if (!startsOperand(token)) unexpected(cursor, token, context);
    commands.push(parseCommand(cursor));
  }
}

function checkPipe(cursor: Cursor, commands: readonly Command[], context: string): void {
  if (commands.length === 0) fail(cursor, `missing value for ${context}`);
  const at = commands.findIndex((command, stage) => stage > 0 && NON_EXECUTABLE.has(command.operands[0]?.kind));
  if (at > 0) fail(cursor, `non executable command in pipeline stage ${at + 1}`);
}

interface Declarations {
  readonly declarations: readonly string[];
  readonly assigns: boolean;
}

/** `$x :=`, `$x =`, and for `range` two of them with a comma; nothing is taken when the pipeline begins otherwise. */
function parseDeclarations(cursor: Cursor, context: string): Declarations {
  const start = cursor.index;
  const declarations: string[] = [];
  while (peekNonSpace(cursor).kind === 'variable') {
    declarations.push(next(cursor).text);
    const token = peekNonSpace(cursor);
    if (isSymbol(token, ':=') || isSymbol(token, '=')) {
      cursor.index++;
      const assigns = token.text === '=';
      if (assigns) for (const name of declarations) checkVariable(cursor, name);
      else cursor.variables.push(...declarations);
      return { declarations, assigns };
    }
    if (!isSymbol(token, ',')) break;
    if (context !== 'range' || declarations.length > 1) fail(cursor, `too many declarations in ${context}`, token);
    cursor.index++;
  }
  cursor.index = start;
  return { declarations: [], assigns: false };
}

function parseCommand(cursor: Cursor): Command {
  const { position } = peek(cursor);
  const operands: Operand[] = [];
  for (;;) {
    peekNonSpace(cursor);
    const operand = parseOperand(cursor);
    if (operand !== undefined) operands.push(operand);
    const token = peek(cursor);
    if (token.kind === 'space') continue;
    if (isSymbol(token, '|')) {
      cursor.index++;
      // A pipe must go on: what ends here has no value for its next stage.
      const after = peekNonSpace(cursor);
      if (!startsOperand(after)) fail(cursor, after.kind === 'error' ? after.text : 'missing value for command', after);
    } else if (token.kind !== 'right' && !isSymbol(token, ')')) {
      unexpected(cursor, token, 'operand');
    }
    if (operands.length === 0) fail(cursor, 'empty command');
    return { operands, position };
  }
}

/** A term and the fields behind it. As in Go, it stands where its last chain of fields begins: error messages tell that column. */
function parseOperand(cursor: Cursor): Operand | undefined {
  const term = parseTerm(cursor);
  if (term === undefined || peek(cursor).kind !== 'field') return term;
  const { position } = peek(cursor);
  const names: string[] = [];
  while (peek(cursor).kind === 'field') names.push(next(cursor).text.slice(1));
  switch (term.kind) {
    case 'field':
    case 'variable':
      return { ...term, names: [...term.names, ...names], position };
    case 'function':
    case 'chain':
    case 'pipe':
      return { kind: 'chain', operand: term, names, position };
    default:
      return fail(cursor, `unexpected . after term ${quote(cursor.tokens[cursor.index - names.length - 1]?.text ?? '')}`);
  }
}

function parseTerm(cursor: Cursor): Operand | undefined {
  const token = peek(cursor);
  if (!startsOperand(token)) return undefined;
  cursor.index++;
  const { position, text } = token;
  switch (token.kind) {
    case 'identifier':
      if (!cursor.functions.has(text)) fail(cursor, `function ${quote(text)} not defined`, token);
      return { kind: 'function', name: text, position };
    case 'dot':
      return { kind: 'dot', position };
    case 'nil':
      return { kind: 'nil', position };
    case 'boolean':
      return { kind: 'boolean', value: text === 'true', position };
    case 'number':
      return { kind: 'number', value: Number(token.value), text, position };
    case 'string':
      return { kind: 'string', value: String(token.value), quoted: text, position };
    case 'field':
      return { kind: 'field', names: [text.slice(1)], position };
    case 'variable':
      checkVariable(cursor, text);
      return { kind: 'variable', name: text, names: [], position };
    default:
      return deeper(cursor, () => parsePipe(cursor, 'parenthesized pipeline', ')'));
  }
}

function checkVariable(cursor: Cursor, name: string): void {
  if (!cursor.variables.includes(name)) fail(cursor, `undefined variable ${quote(name)}`);
}

function startsOperand(token: Token): boolean {
  return OPERAND_KINDS.has(token.kind) || isSymbol(token, '(');
}
