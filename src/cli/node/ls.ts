// `node ls`.
import type { ClusterInfo } from '#docker-api/swarm.ts';
import type { Node } from '#docker-api/node.ts';
import type { CommandSpec } from '../command.ts';
import { byNaturalOrder, capitalized, type ListFormat, rawForm, renderList } from '../format/list.ts';
import { filterFlag, filterQuery, filtersOf, formatOf, jsonFlag, listFormatFlag } from '../shared/options.ts';

interface Info {
  readonly Swarm: { readonly NodeID: string; readonly Cluster?: ClusterInfo };
}

export const command: CommandSpec = {
  usage: '[OPTIONS]',
  arguments: { minimum: 0, maximum: 0 },
  flags: [filterFlag(), listFormatFlag, { name: 'quiet', short: 'q', description: 'Only display IDs' }, jsonFlag],
  async run(invocation) {
    const { flags, context, config } = invocation;
    const client = await invocation.client();
    const nodes = await client.call<Node[]>('GET', '/nodes', { query: filterQuery(filtersOf(invocation)) });
    const quiet = flags.bool('quiet');
    const info = nodes.length > 0 && !quiet ? await client.call<Info>('GET', '/info') : undefined;
    nodes.sort((a, b) => byNaturalOrder(a.Description.Hostname ?? '', b.Description.Hostname ?? ''));
    context.stdout.write(renderList(nodes, nodeFormat(info), { format: formatOf(invocation, config.values.nodesFormat), quiet }));
    return undefined;
  },
};

function nodeFormat(info: Info | undefined): ListFormat<Node> {
  return {
    defaultFormat: 'table {{.ID}} {{if .Self}}*{{else}} {{ end }}\\t{{.Hostname}}\\t{{.Status}}\\t{{.Availability}}\\t{{.ManagerStatus}}\\t{{.EngineVersion}}',
    typeName: '*node.nodeContext',
    quietFormat: '{{.ID}}',
    raw: {
      full: rawForm({ node_id: 'ID', hostname: 'Hostname', status: 'Status', availability: 'Availability', manager_status: 'ManagerStatus' }),
      quiet: 'node_id: {{.ID}}',
    },
    columns: {
      ID: { header: 'ID', value: ({ ID }) => ID },
      Self: { header: '', value: ({ ID }) => ID === info?.Swarm.NodeID },
      Hostname: { header: 'HOSTNAME', value: ({ Description }) => Description.Hostname ?? '' },
      Status: { header: 'STATUS', value: ({ Status }) => capitalized(Status.State ?? '') },
      Availability: { header: 'AVAILABILITY', value: ({ Spec }) => capitalized(Spec.Availability ?? '') },
      ManagerStatus: { header: 'MANAGER STATUS', value: managerStatus },
      EngineVersion: { header: 'ENGINE VERSION', value: ({ Description }) => Description.Engine.EngineVersion ?? '' },
      TLSStatus: { header: 'TLS STATUS', value: (node) => tlsStatus(node, info) },
    },
  };
}

function managerStatus({ ManagerStatus: status }: Node): string {
  if (status === undefined) return '';
  return status.Leader ? 'Leader' : capitalized(status.Reachability ?? '');
}

function tlsStatus({ Description }: Node, info: Info | undefined): string {
  const ofCluster = JSON.stringify(info?.Swarm.Cluster?.TLSInfo ?? {});
  const ofNode = JSON.stringify(Description.TLSInfo ?? {});
  if (ofCluster === '{}' || ofNode === '{}') return 'Unknown';
  return ofCluster === ofNode ? 'Ready' : 'Needs Rotation';
}
