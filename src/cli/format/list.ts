// Lists of objects: tables with headers, one JSON object per line, or the user's template per object. Each noun gives its placeholders.
import { struct, type TemplateValue } from '#lib/go-template.ts';
import { alignTabs } from './tabwriter.ts';
import { compileFormat, runFormat, withJsonText } from './template.ts';

export interface Column<Row> {
  /** In upper case; empty for a column without a name. */
  readonly header: string;
  value(row: Row): TemplateValue;
}

export interface ListFormat<Row> {
  /** By placeholder: `ID`, `Name`. */
  readonly columns: Readonly<Record<string, Column<Row>>>;
  /** `table {{.ID}}\t{{.Name}}`. */
  readonly defaultFormat: string;
  /** What docker's messages call a row: `*service.serviceContext`. */
  readonly typeName?: string;
  /** What `--quiet` prints. */
  readonly quietFormat: string;
  /** What `--format raw` prints of each object, with `--quiet` too; absent where docker knows no such form. */
  readonly raw?: { readonly full: string; readonly quiet: string };
  /** For `.Label "x"`. */
  readonly labels?: (row: Row) => Readonly<Record<string, string>>;
}

export interface ListRequest {
  /** Of the option, or of the user's configuration; empty: the default table. */
  readonly format: string;
  readonly quiet?: boolean;
}

/** The whole text, with a line end, or nothing when there is nothing to print. */
export function renderList<Row>(rows: readonly Row[], noun: ListFormat<Row>, { format, quiet }: ListRequest): string {
  const isPlain = format === '' || format === 'table';
  if (quiet && isPlain) return lines(rows, noun, noun.quietFormat);
  if (format === 'raw' && noun.raw !== undefined) return rawLines(rows, noun, quiet ? noun.raw.quiet : noun.raw.full, quiet ? '\n' : '\n\n');
  if (format === 'json') return rows.map((row) => `${goJson(sorted(valuesOf(row, noun)))}\n`).join('');
  const source = isPlain ? noun.defaultFormat : format;
  if (!source.startsWith('table')) return lines(rows, noun, source);
  const template = compileFormat(source.slice('table'.length));
  const header = runFormat(compileFormat(source.slice('table'.length), 'header'), headerRow(noun, source));
  const body = rows.map((row) => runFormat(template, rowValue(row, noun)));
  return `${alignTabs([header, ...body].join('\n'))}\n`;
}

/** Go escapes what HTML would read. */
function goJson(value: unknown): string {
  return JSON.stringify(value).replaceAll(/[<>&]/g, (letter) => `\\u00${letter.charCodeAt(0).toString(16)}`);
}

function lines<Row>(rows: readonly Row[], noun: ListFormat<Row>, source: string): string {
  const template = compileFormat(source);
  return rows.map((row) => `${runFormat(template, rowValue(row, noun))}\n`).join('');
}

/** `id: …` and so on, a line each, and an empty line after each object. */
function rawLines<Row>(rows: readonly Row[], noun: ListFormat<Row>, source: string, end: string): string {
  const template = compileFormat(source);
  return rows.map((row) => `${runFormat(template, rowValue(row, noun))}${end}`).join('');
}

/** Lines of `--format raw`: each says its name and one placeholder. */
export function rawForm(lines: Readonly<Record<string, string>>): string {
  return Object.entries(lines)
    .map(([name, placeholder]) => `${name}: {{.${placeholder}}}`)
    .join('\n');
}

function valuesOf<Row>(row: Row, { columns }: ListFormat<Row>): Record<string, TemplateValue> {
  return Object.fromEntries(Object.entries(columns).map(([name, column]) => [name, column.value(row)]));
}

/** What a template sees of a row. */
export function rowValue<Row>(row: Row, noun: ListFormat<Row>): TemplateValue {
  const values = valuesOf(row, noun);
  const labels = noun.labels === undefined ? {} : { LabelValues: new Map(Object.entries(noun.labels(row))) };
  return withJsonText(struct(noun.typeName ?? 'formatter', { ...values, ...labels }), goJson(sorted(values)));
}

/** The header is the same template run on the columns' names. */
function headerRow<Row>({ columns, typeName }: ListFormat<Row>, source: string): TemplateValue {
  const headers = Object.fromEntries(Object.entries(columns).map(([name, { header }]) => [name, header]));
  const labels = [...source.matchAll(/\.Label\s+["`]([^"`]*)["`]/g)].map(([, name = '']) => [name, labelHeader(name)] as const);
  return struct(typeName ?? 'formatter', { ...headers, LabelValues: new Map(labels) });
}

function labelHeader(name: string): string {
  return (name.split('.').at(-1) ?? name).replaceAll(/[-_]/g, ' ');
}

function sorted(values: Readonly<Record<string, TemplateValue>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(values)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, value]) => [name, value ?? null]),
  );
}

/** Natural order of names: digits count as numbers, as Docker sorts its lists. */
export function byNaturalOrder(a: string, b: string): number {
  const pattern = /\d+|\D/g;
  const left = a.match(pattern) ?? [];
  const right = b.match(pattern) ?? [];
  for (let index = 0; index < Math.min(left.length, right.length); index += 1) {
    const [x = '', y = ''] = [left[index], right[index]];
    if (x === y) continue;
    if (/^\d/.test(x) && /^\d/.test(y)) {
      const difference = BigInt(x) - BigInt(y);
      if (difference !== 0n) return difference < 0n ? -1 : 1;
      if (x.length !== y.length) return x.length - y.length;
    }
    return x < y ? -1 : 1;
  }
  return left.length - right.length;
}

/** The first `length` characters of an id. */
export function shortId(id: string): string {
  return id.replace(/^sha256:/, '').slice(0, 12);
}

/** `running` → `Running`. */
export function capitalized(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}
