// `stats`: what containers use of their nodes, once or until Ctrl-C; of this engine, of another node's, or of all nodes'.
import type { Client } from '#client/client.ts';
import { AppError } from '#lib/errors.ts';
import type { CommandSpec, Invocation } from '../command.ts';
import { type ListFormat, renderList, shortId } from '../format/list.ts';
import { bytesSize, humanSize } from '../format/size.ts';
import { allNodesFlag, nodeColumn, nodeFlag, type OnNode } from '../node-flags.ts';
import { segment } from '../shared/each.ts';
import { formatOf, jsonFlag, listFormatFlag } from '../shared/options.ts';
import { findContainer } from './find.ts';
import { type Sample, type Usage, usageOf } from './usage.ts';

interface Listed extends OnNode {
  readonly Id: string;
  readonly Names: readonly string[];
}

interface Row extends OnNode {
  /** As it was asked for. */
  readonly container: string;
  readonly id: string;
  readonly name: string;
  /** Undefined: the engine said nothing of it. */
  readonly usage: Usage | undefined;
}

const PAUSE_MS = 500;
/** Clears the screen, and puts what is written at its top. */
const TOP = '\u001B[2J\u001B[H';

export const command: CommandSpec = {
  usage: '[OPTIONS] [CONTAINER...]',
  arguments: { minimum: 0 },
  flags: [
    { name: 'all', short: 'a', description: 'Show all containers (default shows just running)' },
    allNodesFlag,
    listFormatFlag,
    { name: 'no-stream', description: 'Disable streaming stats and only pull the first result' },
    { name: 'no-trunc', description: 'Do not truncate output' },
    nodeFlag,
    jsonFlag,
  ],
  completes: 'container',
  async run(invocation) {
    const { flags, context } = invocation;
    const client = await invocation.client();
    const format = formatOf(invocation);
    const table = statsFormat({ noTrunc: flags.bool('no-trunc'), withNode: flags.bool('all-nodes') });
    const isTable = format === '' || format.startsWith('table');
    let interrupted = false;
    const restore = context.onInterrupt(() => {
      interrupted = true;
    });
    try {
      for (;;) {
        const rows = await readRows(client, invocation);
        if (interrupted) return undefined;
        const text = renderList(rows, table, { format });
        context.stdout.write(!flags.bool('no-stream') && isTable && context.stdout.isTTY === true ? `${TOP}${text}` : text);
        if (flags.bool('no-stream')) return undefined;
        await context.clock.sleep(PAUSE_MS);
      }
    } finally {
      restore();
    }
  },
};

async function readRows(client: Client, { flags, args }: Invocation): Promise<readonly Row[]> {
  if (args.length > 0) {
    return Promise.all(
      args.map(async (reference) => {
        const { Id } = await findContainer(client, reference);
        const sample = await sampleOf(client, Id);
        return { container: reference, id: Id, name: sample.name?.replace(/^\//, '') ?? '', usage: usageOf(sample) };
      }),
    );
  }
  const listed = await client.call<Listed[]>('GET', '/containers/json', { query: flags.bool('all') ? { all: 1 } : {} });
  return Promise.all(
    listed.map(async ({ Id, Names, Node }) => {
      const name = (Names[0] ?? '').replace(/^\//, '');
      // One that has ended meanwhile has no numbers.
      const sample = await sampleOf(client, Id, Node?.ID).catch((error: unknown) => {
        if (error instanceof AppError && ['notFound', 'conflict', 'unavailable'].includes(error.code)) return undefined;
        throw error;
      });
      return { container: shortId(Id), id: Id, name, usage: sample && usageOf(sample), ...(Node === undefined ? {} : { Node }) };
    }),
  );
}

/** Two looks a second apart, by the engine: a rate needs both. */
function sampleOf(client: Client, id: string, nodeId?: string): Promise<Sample> {
  return client.call<Sample>('GET', `/containers/${segment(id)}/stats`, {
    query: { stream: 'false' },
    ...(nodeId === undefined ? {} : { headers: { 'X-Skep-Node': nodeId } }),
  });
}

const UNKNOWN = '--';

function statsFormat({ noTrunc, withNode }: { readonly noTrunc: boolean; readonly withNode: boolean }): ListFormat<Row> {
  const of =
    (text: (usage: Usage) => string, unknown = UNKNOWN) =>
    ({ usage }: Row) =>
      usage === undefined ? unknown : text(usage);
  const pair = `${UNKNOWN} / ${UNKNOWN}`;
  return {
    defaultFormat: `table {{.ID}}\\t{{.Name}}\\t{{.CPUPerc}}\\t{{.MemUsage}}\\t{{.MemPerc}}\\t{{.NetIO}}\\t{{.BlockIO}}\\t{{.PIDs}}${withNode ? '\\t{{.Node}}' : ''}`,
    quietFormat: '{{.ID}}',
    typeName: '*container.statsContext',
    columns: {
      Container: { header: 'CONTAINER', value: ({ container }) => container },
      ID: { header: 'CONTAINER ID', value: ({ id }) => (noTrunc ? id : shortId(id)) },
      Name: { header: 'NAME', value: ({ name }) => name || UNKNOWN },
      CPUPerc: { header: 'CPU %', value: of(({ cpuPercent }) => `${cpuPercent.toFixed(2)}%`) },
      MemUsage: { header: 'MEM USAGE / LIMIT', value: of(({ memory, memoryLimit }) => `${bytesSize(memory)} / ${bytesSize(memoryLimit)}`, pair) },
      MemPerc: { header: 'MEM %', value: of(({ memory, memoryLimit }) => `${(memoryLimit === 0 ? 0 : (memory / memoryLimit) * 100).toFixed(2)}%`) },
      NetIO: { header: 'NET I/O', value: of(({ received, sent }) => `${humanSize(received, 3)} / ${humanSize(sent, 3)}`) },
      BlockIO: { header: 'BLOCK I/O', value: of(({ read, written }) => `${humanSize(read, 3)} / ${humanSize(written, 3)}`) },
      PIDs: { header: 'PIDS', value: of(({ pids }) => String(pids)) },
      ...(withNode ? { Node: nodeColumn } : {}),
    },
  };
}
