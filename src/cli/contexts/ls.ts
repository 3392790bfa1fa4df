// `context ls` and `context show`: the ways to daemons that this user has named, and which one is in use.
import { listContexts } from '#client/contexts.ts';
import type { CommandSpec, Invocation } from '../command.ts';
import { byNaturalOrder, type ListFormat, renderList } from '../format/list.ts';
import { overridden } from './use.ts';
import { formatOf, jsonFlag, listFormatFlag } from '../shared/options.ts';

interface Row {
  readonly name: string;
  readonly description: string;
  readonly endpoint: string;
  readonly current: boolean;
}

export const command: CommandSpec = {
  usage: '[OPTIONS]',
  arguments: { minimum: 0, maximum: 0 },
  flags: [listFormatFlag, { name: 'quiet', short: 'q', description: 'Only show context names' }, jsonFlag],
  async run(invocation) {
    const rows = rowsOf(invocation);
    invocation.context.stdout.write(renderList(rows, contextFormat, { format: formatOf(invocation), quiet: invocation.flags.bool('quiet') }));
    if (invocation.context.environment['DOCKER_HOST']) invocation.context.stderr.write(overridden('a context'));
    return undefined;
  },
};

export const show: CommandSpec = {
  usage: '',
  arguments: { minimum: 0, maximum: 0 },
  flags: [],
  async run({ context, contexts }) {
    context.stdout.write(`${contexts.current}\n`);
    return undefined;
  },
};

function rowsOf({ config, contexts }: Invocation): readonly Row[] {
  const named = listContexts(config.folder).map(({ Name, Metadata, Endpoints }) => ({
    name: Name,
    description: Metadata.Description ?? '',
    endpoint: Endpoints.docker?.Host ?? '',
    current: Name === contexts.current,
  }));
  const own = {
    name: 'default',
    description: 'Current DOCKER_HOST based configuration',
    endpoint: contexts.defaultAddress,
    current: contexts.current === 'default',
  };
  return [...named, own].sort((a, b) => byNaturalOrder(a.name, b.name));
}

const contextFormat: ListFormat<Row> = {
  defaultFormat: 'table {{.Name}}{{if .Current}} *{{end}}\\t{{.Description}}\\t{{.DockerEndpoint}}\\t{{.Error}}',
  typeName: '*formatter.clientContextContext',
  quietFormat: '{{.Name}}',
  columns: {
    Name: { header: 'NAME', value: ({ name }) => name },
    Description: { header: 'DESCRIPTION', value: ({ description }) => description },
    DockerEndpoint: { header: 'DOCKER ENDPOINT', value: ({ endpoint }) => endpoint },
    Current: { header: '', value: ({ current }) => current },
    Error: { header: 'ERROR', value: () => '' },
  },
};
