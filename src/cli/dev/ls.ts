// `dev ls`.
import { knownClusters } from '#dev/cluster.ts';
import { findCluster, type NodeStatus, statusOf } from '#dev/status.ts';
import type { CommandSpec } from '../command.ts';
import { type ListFormat, renderList } from '../format/list.ts';
import { formatOf, jsonFlag, listFormatFlag } from '../shared/options.ts';
import { baseOf, nameFlag, nameOf } from './shared.ts';

export const command: CommandSpec = {
  usage: '[OPTIONS]',
  arguments: { minimum: 0, maximum: 0 },
  flags: [
    { ...nameFlag, description: 'Only the nodes of this cluster', default: undefined as never },
    listFormatFlag,
    { name: 'quiet', short: 'q', description: 'Only display names' },
    jsonFlag,
  ],
  async run(invocation) {
    const { flags, context } = invocation;
    const base = baseOf(invocation);
    const known = flags.has('name') ? [findCluster(base, nameOf(invocation))] : knownClusters(base);
    const nodes = (await Promise.all(known.map(statusOf))).flat();
    context.stdout.write(renderList(nodes, nodeFormat, { format: formatOf(invocation), quiet: flags.bool('quiet') }));
    return undefined;
  },
};

const nodeFormat: ListFormat<NodeStatus> = {
  defaultFormat: 'table {{.Name}}\\t{{.Cluster}}\\t{{.Role}}\\t{{.Engine}}\\t{{.State}}\\t{{.Link}}\\t{{.Address}}\\t{{.Socket}}',
  quietFormat: '{{.Name}}',
  columns: {
    Name: { header: 'NODE', value: ({ name }) => name },
    Cluster: { header: 'CLUSTER', value: ({ cluster }) => cluster },
    Role: { header: 'JOINED AS', value: ({ role }) => role },
    Engine: { header: 'ENGINE', value: ({ engine }) => engine },
    State: { header: 'STATE', value: ({ state }) => state },
    Link: { header: 'LINK', value: ({ link }) => link },
    Address: { header: 'ADDRESS', value: ({ address }) => address },
    Socket: { header: 'SOCKET', value: ({ socket }) => socket },
    EngineSocket: { header: 'ENGINE SOCKET', value: ({ engineSocket }) => engineSocket },
  },
};
