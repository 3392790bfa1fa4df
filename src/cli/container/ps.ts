// `ps`: containers as docker lists them, of this engine, of another node's, or of all nodes'.
import type { CommandSpec } from '../command.ts';
import { allNodesFlag, nodeColumn, nodeFlag, type OnNode } from '../node-flags.ts';
import { ago } from '../format/duration.ts';
import { type ListFormat, renderList, shortId } from '../format/list.ts';
import { humanSize } from '../format/size.ts';
import { labelsText } from '../shared/file-objects.ts';
import { filterFlag, filterQuery, filtersOf, formatOf, jsonFlag, listFormatFlag } from '../shared/options.ts';
import { portsOfContainer } from './ports.ts';

export interface Container extends OnNode {
  readonly Id: string;
  readonly Names: readonly string[];
  readonly Image: string;
  readonly Command: string;
  readonly Created: number;
  readonly State: string;
  readonly Status: string;
  readonly Ports: Parameters<typeof portsOfContainer>[0];
  readonly Labels: Readonly<Record<string, string>> | null;
  readonly SizeRw?: number;
  readonly SizeRootFs?: number;
  readonly Mounts?: readonly { readonly Name?: string; readonly Source: string }[];
  readonly NetworkSettings?: { readonly Networks?: Readonly<Record<string, unknown>> | null };
}

export const command: CommandSpec = {
  usage: '[OPTIONS]',
  arguments: { minimum: 0, maximum: 0 },
  flags: [
    { name: 'all', short: 'a', description: 'Show all containers (default shows just running)' },
    allNodesFlag,
    filterFlag(),
    listFormatFlag,
    { name: 'last', short: 'n', type: 'int', description: 'Show n last created containers (includes all states)', default: '-1' },
    { name: 'latest', short: 'l', description: 'Show the latest created container (includes all states)' },
    { name: 'no-trunc', description: "Don't truncate output" },
    nodeFlag,
    { name: 'quiet', short: 'q', description: 'Only display container IDs' },
    { name: 'size', short: 's', description: 'Display total file sizes' },
    jsonFlag,
  ],
  async run(invocation) {
    const { flags, context, config } = invocation;
    const client = await invocation.client();
    const filters = filtersOf(invocation);
    const last = flags.bool('latest') ? 1 : (flags.value<number>('last') ?? -1);
    if (flags.bool('quiet') && flags.text('format') !== '')
      context.stderr.write('WARNING: Ignoring custom format, because both --format and --quiet are set.\n');
    const format = formatOf(invocation, config.values.psFormat);
    const query = {
      ...filterQuery(filters),
      ...(flags.bool('all') ? { all: 1 } : {}),
      ...(last > 0 ? { limit: last } : {}),
      ...(flags.bool('size') || /\.Size/.test(format) ? { size: 1 } : {}),
    };
    const containers = await client.call<Container[]>('GET', '/containers/json', { query });
    const shown = { noTrunc: flags.bool('no-trunc'), withSize: flags.bool('size'), withNode: flags.bool('all-nodes'), nowMs: context.clock.now() };
    const table = containerFormat(shown);
    context.stdout.write(
      renderList(containers, table, { format: flags.bool('quiet') && format !== 'raw' && !flags.bool('json') ? '' : format, quiet: flags.bool('quiet') }),
    );
    return undefined;
  },
};

interface Shown {
  readonly noTrunc: boolean;
  readonly withSize: boolean;
  readonly withNode: boolean;
  readonly nowMs: number;
}

const COMMAND_LENGTH = 20;

export function containerFormat({ noTrunc, withSize, withNode, nowMs }: Shown): ListFormat<Container> {
  const cut = (text: string, length: number) =>
    noTrunc || Array.from(text).length <= length
      ? text
      : `${Array.from(text)
          .slice(0, length - 1)
          .join('')}…`;
  const names = ({ Names }: Container) => Names.filter((name) => noTrunc || name.lastIndexOf('/') === 0).map((name) => name.replace(/^\//, ''));
  return {
    defaultFormat: `table {{.ID}}\\t{{.Image}}\\t{{.Command}}\\t{{.RunningFor}}\\t{{.Status}}\\t{{.Ports}}\\t{{.Names}}${withSize ? '\\t{{.Size}}' : ''}${withNode ? '\\t{{.Node}}' : ''}`,
    quietFormat: '{{.ID}}',
    // What docker pads on the left has no blank where it is empty.
    raw: {
      full: `container_id: {{.ID}}\nimage: {{.Image}}\ncommand: {{.Command}}\ncreated_at: {{.CreatedAt}}\nstate:{{pad .State 1 0}}\nstatus:{{pad .Status 1 0}}\nnames: {{.Names}}\nlabels:{{pad .Labels 1 0}}\nports:{{pad .Ports 1 0}}${withSize ? '\nsize: {{.Size}}' : ''}`,
      quiet: 'container_id: {{.ID}}',
    },
    typeName: '*formatter.ContainerContext',
    labels: ({ Labels }) => Labels ?? {},
    columns: {
      ID: { header: 'CONTAINER ID', value: ({ Id }) => (noTrunc ? Id : shortId(Id)) },
      Names: { header: 'NAMES', value: (container) => names(container).join(',') },
      Image: {
        header: 'IMAGE',
        value: ({ Image }) =>
          (noTrunc ? Image : /^sha256:[0-9a-f]{64}$/.test(Image) ? shortId(Image) : Image.replace(/@sha256:[0-9a-f]{64}$/, '')) || '<no image>',
      },
      Command: { header: 'COMMAND', value: (container) => JSON.stringify(cut(container.Command, COMMAND_LENGTH)) },
      CreatedAt: { header: 'CREATED AT', value: ({ Created }) => `${new Date(Created * 1000).toISOString().slice(0, 19).replace('T', ' ')} +0000 UTC` },
      RunningFor: { header: 'CREATED', value: ({ Created }) => ago(new Date(Created * 1000).toISOString(), nowMs) },
      Platform: { header: 'PLATFORM', value: () => undefined },
      Ports: { header: 'PORTS', value: ({ Ports }) => portsOfContainer(Ports) },
      State: { header: 'STATE', value: ({ State }) => State },
      Status: { header: 'STATUS', value: ({ Status }) => Status },
      Size: {
        header: 'SIZE',
        value: ({ SizeRw = 0, SizeRootFs = 0 }) => `${humanSize(SizeRw, 3)}${SizeRootFs > 0 ? ` (virtual ${humanSize(SizeRootFs, 3)})` : ''}`,
      },
      Labels: { header: 'LABELS', value: ({ Labels }) => labelsText(Labels) },
      Mounts: { header: 'MOUNTS', value: ({ Mounts = [] }) => Mounts.map(({ Name, Source }) => cut(Name || Source, 15)).join(',') },
      LocalVolumes: { header: 'LOCAL VOLUMES', value: ({ Mounts = [] }) => String(Mounts.filter(({ Name }) => Name).length) },
      Networks: { header: 'NETWORKS', value: ({ NetworkSettings }) => Object.keys(NetworkSettings?.Networks ?? {}).join(',') },
      ...(withNode ? { Node: nodeColumn } : {}),
    },
  };
}
