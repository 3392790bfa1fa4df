// `events`.
import { AppError } from '#lib/errors.ts';
import type { CommandSpec } from '../command.ts';
import { allNodesFlag, nodeFlag } from '../node-flags.ts';
import { compileFormat, runFormat, templateValue } from '../format/template.ts';
import { jsonObjects } from '../shared/json-stream.ts';
import { filterFlag, filterQuery, filtersOf, formatOf, inspectFormatFlag, jsonFlag } from '../shared/options.ts';
import { parseMoment } from '../values/moment.ts';

interface Event {
  readonly Type?: string;
  readonly Action?: string;
  readonly Actor?: { readonly ID?: string; readonly Attributes?: Readonly<Record<string, string>> | null };
  readonly time?: number;
  readonly timeNano?: number;
}

const { short: _short, ...formatFlag } = inspectFormatFlag;

export const command: CommandSpec = {
  usage: '[OPTIONS]',
  arguments: { minimum: 0, maximum: 0 },
  flags: [
    allNodesFlag,
    filterFlag(),
    formatFlag,
    nodeFlag,
    { name: 'since', type: 'string', description: 'Show all events created since timestamp' },
    { name: 'until', type: 'string', description: 'Stream events until this timestamp' },
    jsonFlag,
  ],
  async run(invocation) {
    const { flags, context } = invocation;
    const format = formatOf(invocation);
    const template = format === '' || format === 'json' ? undefined : compileFormat(format);
    const moment = (name: string) => (flags.has(name) ? { [name]: parseMoment(flags.text(name), context.clock.now()) } : {});
    const client = await invocation.client();
    const stream = await client.stream('GET', '/events', { query: { ...filterQuery(filtersOf(invocation)), ...moment('since'), ...moment('until') } });
    for await (const text of jsonObjects(stream)) {
      const event = parse(text);
      const line = format === 'json' ? JSON.stringify(event) : template === undefined ? eventText(event, text) : runFormat(template, templateValue(event));
      context.stdout.write(`${line}\n`);
    }
    return undefined;
  },
};

function parse(text: string): Event {
  try {
    return JSON.parse(text) as Event;
  } catch (cause) {
    throw new AppError('unknown', 'the daemon sent an event that is no JSON', { cause });
  }
}

/** `2026-11-20T12:08:33.850000000Z service update 30yt… (name=ev)`. */
function eventText({ Type = '', Action = '', Actor = {}, time = 0 }: Event, text: string): string {
  // 64 bits do not fit in a number: the digits are taken from the text.
  const nanoseconds = /"timeNano":(\d+)/.exec(text)?.[1] ?? '';
  const moment = nanoseconds === '' ? `${new Date(time * 1000).toISOString().slice(0, 19)}.000000000` : momentText(nanoseconds);
  const attributes = Object.entries(Actor.Attributes ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
  const shown = attributes.length === 0 ? '' : ` (${attributes.map(([key, value]) => `${key}=${value}`).join(', ')})`;
  return `${moment}Z ${Type} ${Action} ${Actor.ID ?? ''}${shown}`;
}

function momentText(nanoseconds: string): string {
  const digits = nanoseconds.padStart(10, '0');
  return `${new Date(Number(digits.slice(0, -9)) * 1000).toISOString().slice(0, 19)}.${digits.slice(-9)}`;
}
