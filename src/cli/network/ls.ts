// `network ls`.
import type { NetworkResource } from '#docker-api/network.ts';
import type { CommandSpec } from '../command.ts';
import { goTime } from '../format/duration.ts';
import { byNaturalOrder, type ListFormat, rawForm, renderList } from '../format/list.ts';
import { labelsText } from '../shared/file-objects.ts';
import { filterFlag, filterQuery, filtersOf, formatOf, jsonFlag, listFormatFlag } from '../shared/options.ts';

export const command: CommandSpec = {
  usage: '[OPTIONS]',
  arguments: { minimum: 0, maximum: 0 },
  flags: [
    filterFlag('Provide filter values (e.g. "driver=bridge")'),
    listFormatFlag,
    { name: 'no-trunc', description: 'Do not truncate the output' },
    { name: 'quiet', short: 'q', description: 'Only display network IDs' },
    jsonFlag,
  ],
  async run(invocation) {
    const { flags, context, config } = invocation;
    const networks = await (await invocation.client()).call<NetworkResource[]>('GET', '/networks', { query: filterQuery(filtersOf(invocation)) });
    networks.sort((a, b) => byNaturalOrder(a.Name, b.Name));
    const format = networkFormat(flags.bool('no-trunc'));
    context.stdout.write(renderList(networks, format, { format: formatOf(invocation, config.values.networksFormat), quiet: flags.bool('quiet') }));
    return undefined;
  },
};

function networkFormat(noTrunc: boolean): ListFormat<NetworkResource> {
  return {
    defaultFormat: 'table {{.ID}}\\t{{.Name}}\\t{{.Driver}}\\t{{.Scope}}',
    typeName: '*network.networkContext',
    quietFormat: '{{.ID}}',
    raw: { full: rawForm({ network_id: 'ID', name: 'Name', driver: 'Driver', scope: 'Scope' }), quiet: 'network_id: {{.ID}}' },
    labels: ({ Labels }) => Labels ?? {},
    columns: {
      ID: { header: 'NETWORK ID', value: ({ Id }) => (noTrunc ? Id : Id.slice(0, 12)) },
      Name: { header: 'NAME', value: ({ Name }) => Name },
      Driver: { header: 'DRIVER', value: ({ Driver }) => Driver },
      Scope: { header: 'SCOPE', value: ({ Scope }) => Scope },
      IPv4: { header: 'IPV4', value: ({ EnableIPv4 }) => String(EnableIPv4 ?? false) },
      IPv6: { header: 'IPV6', value: ({ EnableIPv6 }) => String(EnableIPv6) },
      Internal: { header: 'INTERNAL', value: ({ Internal }) => String(Internal) },
      Labels: { header: 'LABELS', value: ({ Labels }) => labelsText(Labels) },
      CreatedAt: { header: 'CREATED AT', value: ({ Created }) => goTime(Created) },
    },
  };
}
