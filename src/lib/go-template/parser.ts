// Tokens → tree, as Go's text/template/parse does: same grammar, same words for what is wrong.
import { AppError } from '../errors.ts';
import { type Token, tokenise } from './lexer.ts';
import type { BranchNode, Command, Operand, Pipe, TemplateNode } from './nodes.ts';
import { quote } from './quote.ts';

export interface ParsedTemplate {
  readonly name: string;
  readonly source: string;
  readonly body: readonly TemplateNode[];
  /** Templates defined within (`define`, `block`), by name. */
  readonly defined: ReadonlyMap<string, readonly TemplateNode[]>;
}

/** Nesting that no sensible template reaches; it keeps the recursion of parser and execution within the stack. */
const MAX_DEPTH = 100;

/** Throws AppError `invalidArgument` with Go's text. `functions` says which names may be called. */
export function parse(name: string, source: string, functions: { has(name: string): boolean }): ParsedTemplate {
  return createParser(name, source, functions).parseAll();
}

function createParser(name: string, source: string, functions: { has(name: string): boolean }) {
  const tokens = tokenise(source);
  const defined = new Map<string, readonly TemplateNode[]>();
  let variables: string[] = ['$'];
  let index = 0;
  let depth = 0;
  let rangeDepth = 0;
  let actionLine = 0;

  function peek(): Token {
    return tokens[Math.min(index, tokens.length - 1)] ?? { kind: 'end-of-text', text: '', position: source.length };
  }
  function next(): Token {
    const token = peek();
    if (index < tokens.length) index++;
    return token;
  }
  function skipSpace(): Token {
    while (peek().kind === 'space') index++;
    return peek();
  }
  function nextNonSpace(): Token {
    skipSpace();
    return next();
  }
  function lineOf(position: number): number {
    return source.slice(0, position).split('\n').length;
  }
  function fail(message: string, token: Token = tokens[Math.max(0, index - 1)] ?? peek()): never {
    throw new AppError('invalidArgument', `template: ${name}:${lineOf(token.position)}: ${message}`);
  }
  function unexpected(token: Token, context: string): never {
    if (token.kind !== 'error') return fail(`unexpected ${describe(token)} in ${context}`, token);
    const elsewhere = actionLine !== 0 && actionLine !== lineOf(token.position);
    const started = elsewhere ? ` in action started at ${name}:${actionLine}` : '';
    return fail(token.text + (token.text.endsWith(' action') ? started.slice(' in action'.length) : started), token);
  }
  function expectSymbol(kind: Token['kind'], context: string): Token {
    const token = nextNonSpace();
    return token.kind === kind ? token : unexpected(token, context);
  }
  function deeper<T>(work: () => T): T {
    if (++depth > MAX_DEPTH) fail('nesting is too deep');
    const result = work();
    depth--;
    return result;
  }

  /** Nodes up to the keyword that ends the list: `{{end}}` or `{{else}}`; at the top up to the end of the text. */
  function parseList(isTop: boolean): { readonly nodes: readonly TemplateNode[]; readonly end: 'end' | 'else' | 'text' } {
    const nodes: TemplateNode[] = [];
    for (;;) {
      const token = next();
      if (token.kind === 'end-of-text') return isTop ? { nodes, end: 'text' } : fail('unexpected EOF', token);
      if (token.kind === 'text') {
        nodes.push({ kind: 'text', text: token.text, position: token.position });
        continue;
      }
      if (token.kind === 'error') unexpected(token, 'input');
      actionLine = lineOf(token.position);
      const keyword = skipSpace();
      if (keyword.kind === 'keyword' && (keyword.text === 'end' || keyword.text === 'else')) {
        index++;
        if (isTop) fail(`unexpected {{${keyword.text}}}`, keyword);
        if (keyword.text === 'end') expectSymbol('right', 'end');
        return { nodes, end: keyword.text };
      }
      const node = parseAction(token.position);
      if (node !== undefined) nodes.push(node);
    }
  }

  function parseAction(position: number): TemplateNode | undefined {
    const token = peek();
    if (token.kind !== 'keyword') return { kind: 'action', pipe: parsePipe('command', 'right'), position };
    index++;
    switch (token.text) {
      case 'if':
        return deeper(() => parseBranch('if', token.position));
      case 'with':
        return deeper(() => parseBranch('with', token.position));
      case 'range':
        return deeper(() => parseBranch('range', token.position));
      case 'break':
      case 'continue':
        if (rangeDepth === 0) fail(`{{${token.text}}} outside {{range}}`, token);
        expectSymbol('right', `{{${token.text}}}`);
        return { kind: token.text === 'break' ? 'break' : 'continue', position };
      case 'define':
        return deeper(() => parseDefinition('define clause'));
      case 'block':
        return deeper(() => parseBlock(position));
      case 'template':
        return parseInvocation(position);
      default:
        return unexpected(token, 'command');
    }
  }

  function parseBranch(kind: BranchNode['kind'], position: number): TemplateNode {
    const scope = variables.length;
    if (kind === 'range') rangeDepth++;
    const pipe = parsePipe(kind, 'right');
    const body = parseList(false);
    if (kind === 'range') rangeDepth--;
    const otherwise = body.end === 'else' ? parseElse(kind) : [];
    variables = variables.slice(0, scope);
    return { kind, pipe, body: body.nodes, otherwise, position };
  }

  function parseElse(kind: BranchNode['kind']): readonly TemplateNode[] {
    const token = skipSpace();
    if (token.kind === 'keyword' && token.text === kind && kind !== 'range') {
      index++;
      // `{{else if x}}` is a nested `if` that the outer `{{end}}` closes, too.
      return [deeper(() => parseBranch(kind, token.position))];
    }
    expectSymbol('right', 'else');
    const rest = parseList(false);
    if (rest.end === 'else') fail('expected end; found {{else}}');
    return rest.nodes;
  }

  function parseDefinition(context: string): undefined {
    const title = String(expectSymbol('string', context).value);
    expectSymbol('right', context);
    define(title);
    return undefined;
  }

  function define(title: string): void {
    const outer = variables;
    variables = ['$'];
    const body = parseList(false);
    if (body.end !== 'end') fail('unexpected {{else}} in define clause');
    variables = outer;
    defined.set(title, body.nodes);
  }

  function parseBlock(position: number): TemplateNode {
    const title = String(expectSymbol('string', 'block clause').value);
    const pipe = parsePipe('block clause', 'right');
    define(title);
    return { kind: 'template', name: title, pipe, position };
  }

  function parseInvocation(position: number): TemplateNode {
    const title = String(expectSymbol('string', 'template clause').value);
    if (skipSpace().kind === 'right') {
      index++;
      return { kind: 'template', name: title, position };
    }
    return { kind: 'template', name: title, pipe: parsePipe('template clause', 'right'), position };
  }

  function parsePipe(context: string, end: 'right' | ')'): Pipe {
    const position = skipSpace().position;
    const { declarations, assigns } = parseDeclarations(context);
    const commands: Command[] = [];
    for (;;) {
      const token = skipSpace();
      if (token.kind === 'right' || (token.kind === 'symbol' && token.text === ')')) {
        if ((token.kind === 'right') !== (end === 'right')) unexpected(token, context);
        index++;
        checkPipe(commands, context);
        return { kind: 'pipe', declarations, assigns, commands, position };
      }
      if (!startsOperand(token)) unexpected(token, context);
      commands.push(parseCommand());
    }
  }

  function checkPipe(commands: readonly Command[], context: string): void {
    if (commands.length === 0) fail(`missing value for ${context}`);
    for (const [at, command] of commands.entries()) {
      const first = command.operands[0]?.kind;
      if (at > 0 && (first === 'boolean' || first === 'dot' || first === 'nil' || first === 'number' || first === 'string')) {
        fail(`non executable command in pipeline stage ${at + 1}`);
      }
    }
  }

  function parseDeclarations(context: string): { readonly declarations: readonly string[]; readonly assigns: boolean } {
    const start = index;
    const names: string[] = [];
    while (skipSpace().kind === 'variable') {
      names.push(next().text);
      const token = skipSpace();
      const isList = token.kind === 'symbol' && token.text === ',' && context === 'range' && names.length < 2;
      if (isList) {
        index++;
        continue;
      }
      if (token.kind === 'symbol' && (token.text === ':=' || token.text === '=')) {
        index++;
        const assigns = token.text === '=';
        if (assigns) for (const variable of names) checkVariable(variable);
        else variables.push(...names);
        return { declarations: names, assigns };
      }
      if (token.kind === 'symbol' && token.text === ',') fail(`too many declarations in ${context}`, token);
      break;
    }
    index = start;
    return { declarations: [], assigns: false };
  }

  function parseCommand(): Command {
    const position = peek().position;
    const operands: Operand[] = [];
    for (;;) {
      skipSpace();
      const operand = parseOperand();
      if (operand !== undefined) operands.push(operand);
      const token = peek();
      if (token.kind === 'space') continue;
      if (token.kind === 'symbol' && token.text === '|') {
        index++;
        // A pipe must go on: what ends here has no value for its next stage.
        const after = skipSpace();
        if (!startsOperand(after)) fail(after.kind === 'error' ? after.text : 'missing value for command', after);
      } else if (token.kind !== 'right' && !(token.kind === 'symbol' && token.text === ')')) {
        unexpected(token, 'operand');
      }
      if (operands.length === 0) fail('empty command');
      return { operands, position };
    }
  }

  function parseOperand(): Operand | undefined {
    const term = parseTerm();
    if (term === undefined || peek().kind !== 'field') return term;
    const position = peek().position;
    const names: string[] = [];
    while (peek().kind === 'field') names.push(next().text.slice(1));
    if (term.kind === 'field') return { ...term, names: [...term.names, ...names], position };
    if (term.kind === 'variable') return { ...term, names: [...term.names, ...names], position };
    if (term.kind === 'boolean' || term.kind === 'string' || term.kind === 'number' || term.kind === 'nil' || term.kind === 'dot') {
      fail(`unexpected . after term ${quote(tokens[index - names.length - 1]?.text ?? '')}`);
    }
    return { kind: 'chain', operand: term, names, position };
  }

  function parseTerm(): Operand | undefined {
    const token = peek();
    if (!startsOperand(token)) return undefined;
    index++;
    const { position, text } = token;
    switch (token.kind) {
      case 'identifier':
        if (!functions.has(text)) fail(`function ${quote(text)} not defined`, token);
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
        checkVariable(text);
        return { kind: 'variable', name: text, names: [], position };
      default:
        return deeper(() => parsePipe('parenthesized pipeline', ')'));
    }
  }

  function checkVariable(variable: string): void {
    if (!variables.includes(variable)) fail(`undefined variable ${quote(variable)}`);
  }

  return {
    parseAll(): ParsedTemplate {
      const { nodes } = parseList(true);
      return { name, source, body: nodes, defined };
    },
  };
}

const OPERAND_KINDS: ReadonlySet<Token['kind']> = new Set(['identifier', 'dot', 'nil', 'boolean', 'number', 'string', 'field', 'variable']);

function startsOperand(token: Token): boolean {
  return OPERAND_KINDS.has(token.kind) || (token.kind === 'symbol' && token.text === '(');
}

/** A token as Go names it in messages. */
function describe(token: Token): string {
  if (token.kind === 'end-of-text') return 'EOF';
  if (token.kind === 'keyword') return `<${token.text}>`;
  return Array.from(token.text).length > 10 ? `${quote(Array.from(token.text).slice(0, 10).join(''))}...` : quote(token.text);
}
