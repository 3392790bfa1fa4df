// `volume ls`: of this engine, of another node's, or of all nodes'.
import type { CommandSpec } from '../command.ts';
import { allNodesFlag, nodeColumn, nodeFlag, type OnNode } from '../node-flags.ts';
import { byNaturalOrder, type ListFormat, rawForm, renderList } from '../format/list.ts';
import { humanSize } from '../format/size.ts';
import { labelsText } from '../shared/file-objects.ts';
import { filterFlag, filterQuery, filtersOf, formatOf, jsonFlag, listFormatFlag } from '../shared/options.ts';

export interface Volume extends OnNode {
  readonly Name: string;
  readonly Driver: string;
  readonly Scope: string;
  readonly Mountpoint: string;
  readonly Labels: Readonly<Record<string, string>> | null;
  /** Only `system df` knows it. */
  readonly UsageData?: { readonly RefCount: number; readonly Size: number } | null;
}

export const command: CommandSpec = {
  usage: '[OPTIONS]',
  arguments: { minimum: 0, maximum: 0 },
  flags: [
    allNodesFlag,
    filterFlag('Provide filter values (e.g. "dangling=true")'),
    listFormatFlag,
    nodeFlag,
    { name: 'quiet', short: 'q', description: 'Only display volume names' },
    jsonFlag,
  ],
  async run(invocation) {
    const { flags, context, config } = invocation;
    const answer = await (await invocation.client()).call<{ Volumes: Volume[] | null }>('GET', '/volumes', { query: filterQuery(filtersOf(invocation)) });
    const volumes = [...(answer.Volumes ?? [])].sort((a, b) => byNaturalOrder(a.Name, b.Name));
    context.stdout.write(
      renderList(volumes, flags.bool('all-nodes') ? ofAllNodes : volumeFormat, {
        format: formatOf(invocation, config.values.volumesFormat),
        quiet: flags.bool('quiet'),
      }),
    );
    return undefined;
  },
};

const notAvailable = { header: '', value: () => 'N/A' };

export const volumeFormat: ListFormat<Volume> = {
  defaultFormat: 'table {{.Driver}}\\t{{.Name}}',
  typeName: '*formatter.volumeContext',
  quietFormat: '{{.Name}}',
  raw: { full: rawForm({ name: 'Name', driver: 'Driver' }), quiet: 'name: {{.Name}}' },
  labels: ({ Labels }) => Labels ?? {},
  columns: {
    Name: { header: 'VOLUME NAME', value: ({ Name }) => Name },
    Driver: { header: 'DRIVER', value: ({ Driver }) => Driver },
    Scope: { header: 'SCOPE', value: ({ Scope }) => Scope },
    Mountpoint: { header: 'MOUNTPOINT', value: ({ Mountpoint }) => Mountpoint },
    Labels: { header: 'LABELS', value: ({ Labels }) => labelsText(Labels) },
    Links: { header: 'LINKS', value: ({ UsageData }) => (UsageData ? String(UsageData.RefCount) : 'N/A') },
    Size: { header: 'SIZE', value: ({ UsageData }) => (UsageData ? humanSize(UsageData.Size) : 'N/A') },
    Group: { ...notAvailable, header: 'GROUP' },
    Availability: { ...notAvailable, header: 'AVAILABILITY' },
    Status: { ...notAvailable, header: 'STATUS' },
  },
};

const ofAllNodes: ListFormat<Volume> = {
  ...volumeFormat,
  defaultFormat: `${volumeFormat.defaultFormat}\\t{{.Node}}`,
  columns: { ...volumeFormat.columns, Node: nodeColumn },
};
