// The functions that every Go template has, and those that Docker's command line adds. None touches anything but its arguments.
import { format } from './format.ts';
import { isList, isMap, isTrue, printed, type TemplateValue, toJson, typeNameOf } from './values.ts';

export interface TemplateFunction {
  readonly minimum: number;
  /** Absent: any number of arguments. */
  readonly maximum?: number;
  /** Throws an Error that says what is wrong; never called with fewer or more arguments than said. */
  call(values: readonly TemplateValue[]): TemplateValue;
}

/** Throws unless the value is text, as Go does when it calls a function that takes a string. */
export function textOf(value: TemplateValue): string {
  if (typeof value === 'string') return value;
  throw new Error(`wrong type for value; expected string; got ${typeNameOf(value)}`);
}

function compareValues(a: TemplateValue, b: TemplateValue): number {
  if (typeof a === 'string' && typeof b === 'string') return Buffer.compare(Buffer.from(a), Buffer.from(b));
  if (typeof a === 'number' && typeof b === 'number') return Math.sign(a - b);
  if (typeof a === typeof b) throw new Error('invalid type for comparison');
  throw new Error('incompatible types for comparison');
}

function equalValues(a: TemplateValue, b: TemplateValue): boolean {
  if (a === undefined || b === undefined) return a === b;
  if (typeof a === 'object' || typeof b === 'object') throw new Error(`non-comparable type ${printed(a)}: ${typeNameOf(a)}`);
  if (typeof a !== typeof b) throw new Error('incompatible types for comparison');
  return a === b;
}

function comparison(test: (order: number) => boolean): TemplateFunction {
  return { minimum: 2, maximum: 2, call: ([a, b]) => test(compareValues(a, b)) };
}

function element(value: TemplateValue, key: TemplateValue): TemplateValue {
  if (value === undefined) throw new Error('index of untyped nil');
  // A struct's fields are not reached by `index`, and a missing key gives the zero value: missingkey is about fields only.
  if (isMap(value)) return value.has(textOf(key)) ? value.get(textOf(key)) : '';
  if (!isList(value) && typeof value !== 'string') throw new Error(`can't index item of type ${typeNameOf(value)}`);
  if (typeof key !== 'number' || !Number.isInteger(key)) throw new Error(`cannot index slice/array with type ${typeNameOf(key)}`);
  const length = isList(value) ? value.length : Buffer.byteLength(value);
  if (key < 0 || key >= length) throw new Error(`index out of range: ${key}`);
  return isList(value) ? value[key] : Buffer.from(value)[key];
}

function sliceOf(value: TemplateValue, bounds: readonly TemplateValue[]): TemplateValue {
  if (!isList(value) && typeof value !== 'string') throw new Error(`can't slice item of type ${typeNameOf(value)}`);
  const bytes = isList(value) ? undefined : Buffer.from(value);
  const length = bytes?.length ?? (isList(value) ? value.length : 0);
  const [start = 0, end = length] = bounds;
  for (const bound of [start, end]) if (typeof bound !== 'number' || bound < 0 || bound > length) throw new Error(`index out of range: ${printed(bound)}`);
  if (start > end) throw new Error(`invalid slice index: ${printed(start)} > ${printed(end)}`);
  return isList(value) ? value.slice(Number(start), Number(end)) : bytes?.subarray(Number(start), Number(end)).toString();
}

function lengthOf(value: TemplateValue): number {
  if (value === undefined) throw new Error('len of nil pointer');
  if (typeof value === 'string') return Buffer.byteLength(value);
  if (isList(value)) return value.length;
  if (isMap(value)) return value.size;
  throw new Error(`len of type ${typeNameOf(value)}`);
}

/** fmt.Sprint: a space between two operands of which neither is text. */
function sprint(values: readonly TemplateValue[]): string {
  return values
    .map((value, index) => (index > 0 && typeof value !== 'string' && typeof values[index - 1] !== 'string' ? ' ' : '') + nilPrinted(value))
    .join('');
}

function nilPrinted(value: TemplateValue): string {
  return value === undefined ? '<nil>' : printed(value);
}

const HTML_ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', "'": '&#39;', '<': '&lt;', '>': '&gt;', '"': '&#34;', '\0': '�' };

function escapeJs(text: string): string {
  return Array.from(text, (character) => {
    if (character === '\\' || character === "'" || character === '"') return `\\${character}`;
    return '<>&='.includes(character) || character < ' ' ? `\\u${character.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')}` : character;
  }).join('');
}

export const builtinFunctions: ReadonlyMap<string, TemplateFunction> = new Map<string, TemplateFunction>([
  ['not', { minimum: 1, maximum: 1, call: ([value]) => !isTrue(value) }],
  // `and` and `or` are evaluated by the executor, because they stop early; the names must be known here.
  ['and', { minimum: 1, call: (values) => values.at(-1) }],
  ['or', { minimum: 1, call: (values) => values.at(-1) }],
  ['eq', { minimum: 2, call: ([first, ...others]) => others.some((other) => equalValues(first, other)) }],
  ['ne', { minimum: 2, maximum: 2, call: ([a, b]) => !equalValues(a, b) }],
  ['lt', comparison((order) => order < 0)],
  ['le', comparison((order) => order <= 0)],
  ['gt', comparison((order) => order > 0)],
  ['ge', comparison((order) => order >= 0)],
  ['index', { minimum: 1, call: ([value, ...keys]) => keys.reduce<TemplateValue>(element, value) }],
  ['slice', { minimum: 1, maximum: 3, call: ([value, ...bounds]) => sliceOf(value, bounds) }],
  ['len', { minimum: 1, maximum: 1, call: ([value]) => lengthOf(value) }],
  ['print', { minimum: 0, call: sprint }],
  ['println', { minimum: 0, call: (values) => `${values.map(nilPrinted).join(' ')}\n` }],
  ['printf', { minimum: 1, call: ([pattern, ...values]) => format(textOf(pattern), values) }],
  ['html', { minimum: 0, call: (values) => sprint(values).replace(/[&'<>"\0]/g, (character) => HTML_ENTITIES[character] ?? character) }],
  ['js', { minimum: 0, call: (values) => escapeJs(sprint(values)) }],
  [
    'urlquery',
    {
      minimum: 0,
      call: (values) =>
        encodeURIComponent(sprint(values))
          .replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`)
          .replaceAll('%20', '+'),
    },
  ],
]);

/** What SwarmKit adds for services: `join SEPARATOR text…`. */
export const swarmFunctions: ReadonlyMap<string, TemplateFunction> = new Map<string, TemplateFunction>([
  [
    'join',
    {
      minimum: 1,
      call: ([separator, ...values]) => values.map(textOf).join(textOf(separator)),
    },
  ],
]);

/** Throws as Go does for a function that takes an int. */
function wholeNumber(value: TemplateValue): number {
  if (typeof value === 'number' && Number.isInteger(value)) return value;
  throw new Error(`wrong type for value; expected int; got ${typeNameOf(value)}`);
}

function joined(list: TemplateValue, separator: TemplateValue): string {
  if (!isList(list)) throw new Error(`wrong type for value; expected []string; got ${typeNameOf(list)}`);
  return list.map(printed).join(textOf(separator));
}

function truncated(value: TemplateValue, limit: TemplateValue): string {
  const [text, length] = [Array.from(textOf(value)), wholeNumber(limit)];
  if (length < 0) throw new Error(`runtime error: slice bounds out of range [:${length}]`);
  return text.slice(0, length).join('');
}

function pad(value: TemplateValue, left: TemplateValue, right: TemplateValue): string {
  const text = textOf(value);
  const [before, after] = [wholeNumber(left), wholeNumber(right)];
  if (text === '') return text;
  if (before < 0 || after < 0) throw new Error('strings: negative Repeat count');
  return ' '.repeat(Math.min(before, 1_000)) + text + ' '.repeat(Math.min(after, 1_000));
}

/** What docker's `--format` adds. */
export const formatFunctions: ReadonlyMap<string, TemplateFunction> = new Map<string, TemplateFunction>([
  ['json', { minimum: 1, maximum: 1, call: ([value]) => JSON.stringify(toJson(value)) }],
  ['split', { minimum: 2, maximum: 2, call: ([text, separator]) => textOf(text).split(textOf(separator)) }],
  ['join', { minimum: 2, maximum: 2, call: ([list, separator]) => joined(list, separator) }],
  [
    'title',
    {
      minimum: 1,
      maximum: 1,
      call: ([text]) => textOf(text).replace(/(^|[^\p{L}\p{Nd}_'])(\p{L})/gu, (_all, before: string, letter: string) => before + letter.toUpperCase()),
    },
  ],
  ['lower', { minimum: 1, maximum: 1, call: ([text]) => textOf(text).toLowerCase() }],
  ['upper', { minimum: 1, maximum: 1, call: ([text]) => textOf(text).toUpperCase() }],
  ['pad', { minimum: 3, maximum: 3, call: ([text, left, right]) => pad(text, left, right) }],
  [
    'truncate',
    {
      minimum: 2,
      maximum: 2,
      call: ([text, length]) => truncated(text, length),
    },
  ],
  ['println', { minimum: 0, call: (values) => `${values.map(nilPrinted).join(' ')}\n` }],
]);
