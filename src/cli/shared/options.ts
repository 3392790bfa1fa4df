// Options that many commands have, and how their values become what the API wants.
import { filtersText } from '#client/client.ts';
import type { FlagSpec, Invocation } from '../command.ts';
import type { Flags } from '../flags.ts';

const TEMPLATE_HELP = `'TEMPLATE':         Print output using the given Go template.
Refer to https://docs.docker.com/go/formatting/ for more information about formatting output with templates`;

export const listFormatFlag: FlagSpec = {
  name: 'format',
  type: 'string',
  description: `Format output using a custom template:
'table':            Print output in table format with column headers (default)
'table TEMPLATE':   Print output in table format using the given Go template
'json':             Print in JSON format
${TEMPLATE_HELP}`,
};

export const inspectFormatFlag: FlagSpec = {
  name: 'format',
  short: 'f',
  type: 'string',
  description: `Format output using a custom template:
'json':             Print in JSON format
${TEMPLATE_HELP}`,
};

/** Ours: the same as `--format json`, on every command that prints objects. */
export const jsonFlag: FlagSpec = { name: 'json', description: 'Print in JSON format' };

export const prettyFlag: FlagSpec = { name: 'pretty', description: 'Print the information in a human friendly format' };

export const detachServiceFlag: FlagSpec = { name: 'detach', short: 'd', description: 'Exit immediately instead of waiting for the service to converge' };

export const quietProgressFlag: FlagSpec = { name: 'quiet', short: 'q', description: 'Suppress progress output' };

export function filterFlag(description = 'Filter output based on conditions provided'): FlagSpec {
  return { name: 'filter', short: 'f', type: 'filter', description, parse: parseFilter };
}

function parseFilter(text: string): readonly [string, string] | undefined {
  if (text === '') return undefined;
  const equals = text.indexOf('=');
  if (equals < 0) throw new Error('bad format of filter (expected name=value)');
  return [text.slice(0, equals).trim().toLowerCase(), text.slice(equals + 1).trim()];
}

/** Values of `--filter` by name. */
export function filtersOf({ flags }: Invocation): Record<string, string[]> {
  const result: Record<string, string[]> = {};
  for (const filter of flags.values<readonly [string, string] | undefined>('filter')) if (filter !== undefined) (result[filter[0]] ??= []).push(filter[1]);
  return result;
}

export function filterQuery(filters: Readonly<Record<string, readonly string[]>>): { readonly filters?: string } {
  const text = filtersText(filters);
  return text === undefined ? {} : { filters: text };
}

/** `--json` or `--format`, else what the user's configuration says. */
export function formatOf({ flags }: Invocation, configured?: string): string {
  if (flags.has('format')) return flags.text('format');
  if (flags.bool('json')) return 'json';
  return flags.bool('quiet') ? '' : (configured ?? '');
}

/** The values of a flag of which each may be several with commas. */
export function commaSeparated(flags: Flags, name: string): readonly string[] {
  return flags.texts(name).flatMap((text) => text.split(',').filter((part) => part !== ''));
}

/** `key=value` texts as a map; a key alone has an empty value. */
export function mapOf(texts: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    texts.map((text) => {
      const equals = text.indexOf('=');
      return equals < 0 ? [text, ''] : [text.slice(0, equals), text.slice(equals + 1)];
    }),
  );
}
