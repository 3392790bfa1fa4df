// `--format`: Go templates on answers of the API. What an answer leaves out because it is empty counts as Go's zero value, where the shape of the object
// is known; `json` gives back what came, unchanged.
import {
  executeTemplate,
  formatFunctions,
  nilPointer,
  parseTemplate,
  printed,
  struct,
  type Template,
  type TemplateFunction,
  type TemplateStruct,
  type TemplateValue,
} from '#lib/go-template.ts';
import type { Shape } from '#docker-api/shape.ts';
import { goDuration, goTime } from './duration.ts';
import { AppError, errorMessage } from '#lib/errors.ts';

/** What each value made by `templateValue` was made from. */
const sources = new WeakMap<object, unknown>();
/** Values whose JSON is not that of what they were made from. */
const texts = new WeakMap<object, string>();

/** A value that `json` prints as this text. */
export function withJsonText<T extends object & TemplateValue>(value: T, text: string): T {
  texts.set(value, text);
  return value;
}

/** Structs that are never nil in Go: not pointers. */
const valueStructs = new Set([
  'Meta',
  'Version',
  'Spec',
  'ServiceMode',
  'Description',
  'Status',
  'Endpoint',
  'Platform',
  'Resources',
  'Engine',
  'TLSInfo',
  'TaskSpec',
]);

const jsonFunction: TemplateFunction = { minimum: 1, maximum: 1, call: ([value]) => jsonText(value) };

const functions = new Map([...formatFunctions, ['json', jsonFunction]]);

/** In a table's header, functions that change what stands in a column leave its name as it is. */
const headerFunctions = new Map([
  ...functions,
  ...['json', 'title', 'lower', 'upper', 'truncate'].map((name): [string, TemplateFunction] => [name, { minimum: 1, maximum: 2, call: ([text]) => text }]),
]);

function jsonText(value: TemplateValue): string {
  const text = typeof value === 'object' ? texts.get(value) : undefined;
  if (text !== undefined) return text;
  if (typeof value === 'object' && sources.has(value)) return JSON.stringify(sources.get(value));
  return formatFunctions.get('json')?.call([value]) as string;
}

/** Plain JSON as a value for templates. */
export function templateValue(json: unknown, shape?: Shape): TemplateValue {
  if (json === null || json === undefined) return zeroOf(shape);
  if (Array.isArray(json))
    return remember(
      json.map((item) => templateValue(item, shape?.kind === 'list' ? shape.of : undefined)),
      json,
    );
  if (typeof json === 'string') return shape?.kind === 'bytes' ? bytesValue(json) : shape?.goType === 'time.Time' ? goTime(json) : json;
  if (typeof json === 'number' && shape?.goType === 'time.Duration') return remember(printedAs('time.Duration', goDuration(json)), json);
  if (typeof json !== 'object') return json as number | boolean;
  // What has no known shape is a map, as in docker's look at what its types do not know.
  if (shape?.kind !== 'struct')
    return remember(new Map(Object.entries(json).map(([key, item]) => [key, templateValue(item, shape?.kind === 'map' ? shape.of : undefined)])), json);
  const known = shape.fields;
  const fields = new Map<string, TemplateValue>();
  for (const [name, field] of Object.entries(known)) fields.set(name, zeroOf(field));
  for (const [name, item] of Object.entries(json)) fields.set(name, templateValue(item, known[name]));
  const value = struct(shape.goType, Object.fromEntries(fields));
  return remember(shape.name === 'Version' ? { ...value, text: printed(fields.get('Index')) } : value, json);
}

/** The fields of an answer whose type docker knows by name, and we do not. */
export function namedValue(typeName: string, json: Readonly<Record<string, unknown>>): TemplateValue {
  return remember(struct(typeName, Object.fromEntries(Object.entries(json).map(([name, item]) => [name, templateValue(item)]))), json);
}

function printedAs(typeName: string, text: string, plain?: string): TemplateStruct {
  return { kind: 'struct', typeName, fields: new Map(), text, ...(plain === undefined ? {} : { plain }) };
}

function bytesValue(base64: string): TemplateValue {
  const data = Buffer.from(base64, 'base64');
  return remember(printedAs('[]uint8', `[${data.join(' ')}]`, data.toString()), base64);
}

function zeroOf(shape: Shape | undefined): TemplateValue {
  switch (shape?.kind) {
    case 'string':
    case 'bytes':
      return '';
    case 'bool':
      return false;
    case 'integer':
      return shape.goType === 'time.Duration' ? templateValue(0, shape) : 0;
    case 'float':
      return 0;
    case 'list':
      return [];
    case 'map':
      return new Map();
    case 'struct':
      return valueStructs.has(shape.name) ? templateValue({}, shape) : nilPointer(shape.goType);
    case undefined:
      return undefined;
  }
}

function remember<T extends object & TemplateValue>(value: T, json: unknown): T {
  sources.set(value, json);
  return value;
}

/** `\t` and `\n` as users write them in a shell; `.Label "x"` is the only method with an argument, so it becomes a lookup. */
export function compileFormat(source: string, of: 'rows' | 'header' = 'rows'): Template {
  const text = source
    .trim()
    .replaceAll('\\t', '\t')
    .replaceAll('\\n', '\n')
    .replaceAll(/\.Label\s+("[^"]*"|`[^`]*`)/g, '(index .LabelValues $1)');
  try {
    return parseTemplate('', text, of === 'header' ? headerFunctions : functions);
  } catch (error) {
    throw new AppError('invalidArgument', `template parsing error: ${errorMessage(error)}`, { cause: error });
  }
}

export function runFormat(template: Template, value: TemplateValue): string {
  try {
    return executeTemplate(template, value);
  } catch (error) {
    throw new AppError('invalidArgument', `template parsing error: ${errorMessage(error).replaceAll('LabelValues', 'Label')}`, { cause: error });
  }
}

/** A template that asks for what did not come, because of `failure`, must not hide that. */
export function formatted(source: string, value: TemplateValue, failure: unknown): string {
  const template = compileFormat(source);
  try {
    return runFormat(template, value);
  } catch (error) {
    throw failure ?? error;
  }
}
