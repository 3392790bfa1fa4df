// `--format`: Go templates on answers of the API. What an answer leaves out because it is empty counts as Go's zero value, where the shape of the object
// is known; `json` gives back what came, unchanged.
import { executeTemplate, formatFunctions, parseTemplate, struct, type Template, type TemplateFunction, type TemplateValue } from '#lib/go-template.ts';
import type { Shape } from '#docker-api/shape.ts';
import { goTime } from './duration.ts';
import { AppError, errorMessage } from '#lib/errors.ts';

/** What each value made by `templateValue` was made from. */
const sources = new WeakMap<object, unknown>();

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

function jsonText(value: TemplateValue): string {
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
  if (typeof json === 'string') return shape?.goType === 'time.Time' ? goTime(json) : json;
  if (typeof json !== 'object') return json as number | boolean;
  if (shape?.kind === 'map') return remember(new Map(Object.entries(json).map(([key, item]) => [key, templateValue(item, shape.of)])), json);
  const known = shape?.kind === 'struct' ? shape.fields : {};
  const fields = new Map<string, TemplateValue>();
  for (const [name, field] of Object.entries(known)) fields.set(name, zeroOf(field));
  for (const [name, item] of Object.entries(json)) fields.set(name, templateValue(item, known[name]));
  return remember(struct(shape?.goType ?? 'map[string]interface {}', Object.fromEntries(fields)), json);
}

function zeroOf(shape: Shape | undefined): TemplateValue {
  switch (shape?.kind) {
    case 'string':
    case 'bytes':
      return '';
    case 'bool':
      return false;
    case 'integer':
    case 'float':
      return 0;
    case 'list':
      return [];
    case 'map':
      return new Map();
    case 'struct':
      return valueStructs.has(shape.name) ? templateValue({}, shape) : undefined;
    case undefined:
      return undefined;
  }
}

function remember<T extends object & TemplateValue>(value: T, json: unknown): T {
  sources.set(value, json);
  return value;
}

/** `\t` and `\n` as users write them in a shell; `.Label "x"` is the only method with an argument, so it becomes a lookup. */
export function compileFormat(source: string): Template {
  const text = source
    .trim()
    .replaceAll('\\t', '\t')
    .replaceAll('\\n', '\n')
    .replaceAll(/\.Label\s+("[^"]*"|`[^`]*`)/g, '(index .LabelValues $1)');
  try {
    return parseTemplate('', text, functions);
  } catch (error) {
    throw new AppError('invalidArgument', `template parsing error: ${errorMessage(error)}`, { cause: error });
  }
}

export function runFormat(template: Template, value: TemplateValue): string {
  try {
    return executeTemplate(template, value);
  } catch (error) {
    throw new AppError('invalidArgument', `template parsing error: ${errorMessage(error)}`, { cause: error });
  }
}
