// Runs a parsed template on data, as Go's text/template/exec.go does, with the option missingkey=error that SwarmKit sets.
import { AppError, errorMessage } from '../errors.ts';
import type { TemplateFunction } from './functions.ts';
import { type BranchNode, type Command, commandText, type Operand, operandText, type Pipe, pipeText, type TemplateNode } from './nodes.ts';
import type { ParsedTemplate } from './parser.ts';
import { isList, isMap, isStruct, isTrue, printed, sortedKeys, type TemplateValue, typeNameOf } from './values.ts';

/** A template that writes more than this, or takes more steps, is given up: nested definitions can multiply without end. */
const MAX_OUTPUT_LENGTH = 8 * 1024 * 1024;
const MAX_STEPS = 1_000_000;
const MAX_TEMPLATE_DEPTH = 100;

interface Variable {
  readonly name: string;
  value: TemplateValue;
}

interface Execution {
  readonly template: ParsedTemplate;
  readonly functions: ReadonlyMap<string, TemplateFunction>;
  readonly output: string[];
  variables: Variable[];
  outputLength: number;
  steps: number;
  depth: number;
}

/** How a list of nodes ended. */
type Outcome = 'done' | 'break' | 'continue';

/** Throws AppError `invalidArgument` with Go's text. */
export function execute(template: ParsedTemplate, functions: ReadonlyMap<string, TemplateFunction>, data: TemplateValue): string {
  const execution: Execution = { template, functions, output: [], variables: [{ name: '$', value: data }], outputLength: 0, steps: 0, depth: 0 };
  walk(execution, template.body, data);
  return execution.output.join('');
}

function walk(execution: Execution, nodes: readonly TemplateNode[], dot: TemplateValue): Outcome {
  for (const node of nodes) {
    countStep(execution, node.position);
    const outcome = walkNode(execution, node, dot);
    if (outcome !== 'done') return outcome;
  }
  return 'done';
}

function walkNode(execution: Execution, node: TemplateNode, dot: TemplateValue): Outcome {
  switch (node.kind) {
    case 'text':
      write(execution, node.text, node.position);
      return 'done';
    case 'action': {
      const value = evaluatePipe(execution, node.pipe, dot);
      if (node.pipe.declarations.length === 0) write(execution, printed(value), node.position);
      return 'done';
    }
    case 'if':
    case 'with':
      return inScope(execution, () => {
        const value = evaluatePipe(execution, node.pipe, dot);
        if (!isTrue(value)) return walk(execution, node.otherwise, dot);
        return walk(execution, node.body, node.kind === 'with' ? value : dot);
      });
    case 'range':
      return inScope(execution, () => walkRange(execution, node, dot));
    case 'template':
      walkTemplate(execution, node, dot);
      return 'done';
    default:
      return node.kind;
  }
}

function inScope(execution: Execution, work: () => Outcome): Outcome {
  const scope = execution.variables.length;
  const outcome = work();
  execution.variables.length = scope;
  return outcome;
}

function walkRange(execution: Execution, node: BranchNode, dot: TemplateValue): Outcome {
  const value = evaluatePipe(execution, { ...node.pipe, declarations: [] }, dot);
  const entries = rangeEntries(execution, value, node.pipe);
  if (entries.length === 0) return walk(execution, node.otherwise, dot);
  for (const [key, item] of entries) {
    const scope = execution.variables.length;
    bindRange(execution, node.pipe, key, item);
    const outcome = walk(execution, node.body, item);
    execution.variables.length = scope;
    if (outcome === 'break') break;
  }
  return 'done';
}

function rangeEntries(execution: Execution, value: TemplateValue, pipe: Pipe): readonly (readonly [TemplateValue, TemplateValue])[] {
  if (value === undefined) return [];
  if (isList(value)) return value.map((item, index) => [index, item] as const);
  if (isMap(value)) return sortedKeys(value).map((key) => [key, value.get(key)] as const);
  return fail(execution, pipe.position, pipeText(pipe), `range can't iterate over ${printed(value)}`);
}

/** One variable gets the element, two get index and element. */
function bindRange(execution: Execution, pipe: Pipe, key: TemplateValue, item: TemplateValue): void {
  const [first, second] = pipe.declarations;
  const bindings: readonly (readonly [string, TemplateValue])[] =
    first === undefined
      ? []
      : second === undefined
        ? [[first, item]]
        : [
            [first, key],
            [second, item],
          ];
  for (const [name, value] of bindings) bind(execution, pipe, name, value);
}

function bind(execution: Execution, pipe: Pipe, name: string, value: TemplateValue): void {
  const existing = pipe.assigns ? execution.variables.findLast((variable) => variable.name === name) : undefined;
  if (existing === undefined) execution.variables.push({ name, value });
  else existing.value = value;
}

function walkTemplate(execution: Execution, node: Extract<TemplateNode, { kind: 'template' }>, dot: TemplateValue): void {
  const context = `{{template ${JSON.stringify(node.name)}${node.pipe === undefined ? '' : ` ${pipeText(node.pipe)}`}}}`;
  const body = execution.template.defined.get(node.name);
  if (body === undefined) fail(execution, node.position, context, `template ${JSON.stringify(node.name)} not defined`);
  if (++execution.depth > MAX_TEMPLATE_DEPTH) fail(execution, node.position, context, `exceeded maximum template depth (${MAX_TEMPLATE_DEPTH})`);
  const data = node.pipe === undefined ? undefined : evaluatePipe(execution, node.pipe, dot);
  const outer = execution.variables;
  execution.variables = [{ name: '$', value: data }];
  walk(execution, body, data);
  execution.variables = outer;
  execution.depth--;
}

function evaluatePipe(execution: Execution, pipe: Pipe, dot: TemplateValue): TemplateValue {
  let value: TemplateValue;
  for (const [stage, command] of pipe.commands.entries()) value = evaluateCommand(execution, command, dot, stage === 0 ? [] : [value]);
  for (const name of pipe.declarations) bind(execution, pipe, name, value);
  return value;
}

/** `piped` is the value of the stage before, if there is one: the last argument of a function. */
function evaluateCommand(execution: Execution, command: Command, dot: TemplateValue, piped: readonly TemplateValue[]): TemplateValue {
  countStep(execution, command.position);
  const [first, ...rest] = command.operands;
  if (first === undefined) return undefined;
  if (first.kind === 'function') return call(execution, command, first.name, rest, dot, piped);
  if (rest.length > 0 || piped.length > 0) {
    const text = first.kind === 'field' || first.kind === 'chain' || first.kind === 'variable' ? operandText(first) : commandText(command);
    const name = 'names' in first ? (first.names.at(-1) ?? '') : operandText(first);
    const reason =
      first.kind === 'field' || first.kind === 'chain'
        ? `${name} has arguments but cannot be invoked as function`
        : `can't give argument to non-function ${operandText(first)}`;
    fail(execution, first.position, text, reason);
  }
  if (first.kind === 'nil') fail(execution, first.position, 'nil', 'nil is not a command');
  return evaluate(execution, first, dot);
}

function evaluate(execution: Execution, operand: Operand, dot: TemplateValue): TemplateValue {
  switch (operand.kind) {
    case 'dot':
      return dot;
    case 'nil':
      return undefined;
    case 'boolean':
    case 'number':
    case 'string':
      return operand.value;
    case 'field':
      return lookUp(execution, operand, dot, operand.names);
    case 'variable':
      return lookUp(execution, operand, execution.variables.findLast((variable) => variable.name === operand.name)?.value, operand.names);
    case 'chain':
      return lookUp(execution, operand, evaluate(execution, operand.operand, dot), operand.names);
    case 'function':
      return call(execution, { operands: [operand], position: operand.position }, operand.name, [], dot, []);
    case 'pipe':
      return evaluatePipe(execution, operand, dot);
  }
}

function lookUp(execution: Execution, operand: Operand, start: TemplateValue, names: readonly string[]): TemplateValue {
  return names.reduce<TemplateValue>((value, name) => {
    if (isStruct(value) && value.fields.has(name)) return value.fields.get(name);
    if (isStruct(value) && value.isNil) return fail(execution, operand.position, operandText(operand), `nil pointer evaluating ${value.typeName}.${name}`);
    if (isMap(value)) {
      if (value.has(name)) return value.get(name);
      return fail(execution, operand.position, operandText(operand), `map has no entry for key ${JSON.stringify(name)}`);
    }
    if (value === undefined) return fail(execution, operand.position, operandText(operand), `nil data; no entry for key ${JSON.stringify(name)}`);
    return fail(execution, operand.position, operandText(operand), `can't evaluate field ${name} in type ${typeNameOf(value)}`);
  }, start);
}

function call(
  execution: Execution,
  command: Command,
  name: string,
  operands: readonly Operand[],
  dot: TemplateValue,
  piped: readonly TemplateValue[],
): TemplateValue {
  if (name === 'and' || name === 'or') return callLogic(execution, command, name, operands, dot, piped);
  const definition = execution.functions.get(name);
  if (definition === undefined) return fail(execution, command.position, commandText(command), `${JSON.stringify(name)} is not a defined function`);
  const count = operands.length + piped.length;
  const { minimum, maximum = Number.POSITIVE_INFINITY } = definition;
  if (count < minimum || count > maximum) {
    const wanted = maximum === minimum ? `${minimum}` : `at least ${minimum}`;
    fail(execution, command.position, name, `wrong number of args for ${name}: want ${wanted} got ${count}`);
  }
  const values = [...operands.map((operand) => evaluate(execution, operand, dot)), ...piped];
  try {
    return definition.call(values);
  } catch (error) {
    return fail(execution, command.position, commandText(command), `error calling ${name}: ${errorMessage(error)}`, error);
  }
}

/** These two evaluate no more of their arguments than they need. */
function callLogic(
  execution: Execution,
  command: Command,
  name: 'and' | 'or',
  operands: readonly Operand[],
  dot: TemplateValue,
  piped: readonly TemplateValue[],
): TemplateValue {
  if (operands.length + piped.length === 0) fail(execution, command.position, name, `wrong number of args for ${name}: want at least 1 got 0`);
  let value: TemplateValue;
  for (const operand of operands) {
    value = evaluate(execution, operand, dot);
    if (isTrue(value) === (name === 'or')) return value;
  }
  return piped.length > 0 ? piped[0] : value;
}

function write(execution: Execution, text: string, position: number): void {
  execution.outputLength += text.length;
  if (execution.outputLength > MAX_OUTPUT_LENGTH) fail(execution, position, '', 'the result is too long');
  execution.output.push(text);
}

function countStep(execution: Execution, position: number): void {
  if (++execution.steps > MAX_STEPS) fail(execution, position, '', 'the template takes too many steps');
}

function fail(execution: Execution, position: number, context: string, message: string, cause?: unknown): never {
  const { name, source } = execution.template;
  const before = source.slice(0, position);
  const line = before.split('\n').length;
  const column = Buffer.byteLength(before.slice(before.lastIndexOf('\n') + 1));
  const at = context === '' ? '' : ` at <${context}>`;
  throw new AppError('invalidArgument', `template: ${name}:${line}:${column}: executing "${name}"${at}: ${message}`, cause === undefined ? {} : { cause });
}
