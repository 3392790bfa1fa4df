// `stack ls`, `stack services` and `stack ps`.
import type { Service } from '#docker-api/service.ts';
import type { Task } from '#docker-api/task.ts';
import { type CommandSpec, ExitError } from '../command.ts';
import { byNaturalOrder, type ListFormat, renderList } from '../format/list.ts';
import { listServices, printServices } from '../service/ls.ts';
import { filterFlag, filterQuery, filtersOf, formatOf, jsonFlag, listFormatFlag } from '../shared/options.ts';
import { printTasks, taskFlags } from '../task/flags.ts';
import { nodeReference } from '../node/reference.ts';
import { absence, readInactive } from './activation.ts';
import { NAMESPACE_LABEL } from './objects.ts';

interface StackRow {
  readonly name: string;
  readonly services: number;
  /** Its services were taken away and can be had again. */
  readonly isInactive: boolean;
}

const stackFormat: ListFormat<StackRow> = {
  defaultFormat: 'table {{.Name}}\\t{{.Services}}',
  quietFormat: '{{.Name}}',
  typeName: '*formatter.stackContext',
  columns: {
    Name: { header: 'NAME', value: ({ name }) => name },
    Services: { header: 'SERVICES', value: ({ services, isInactive }) => (isInactive ? `${services} (inactive)` : String(services)) },
  },
};

export const ls: CommandSpec = {
  usage: '[OPTIONS]',
  arguments: { minimum: 0, maximum: 0 },
  flags: [listFormatFlag, jsonFlag],
  async run(invocation) {
    const client = await invocation.client();
    const services = await client.call<Service[]>('GET', '/services', { query: filterQuery({ label: [NAMESPACE_LABEL] }) });
    const counts = new Map<string, number>();
    for (const { Spec } of services) {
      const name = Spec.Labels?.[NAMESPACE_LABEL] ?? '';
      counts.set(name, (counts.get(name) ?? 0) + 1);
    }
    const inactive = (await readInactive(client)).filter(({ name }) => !counts.has(name)).map(({ name }) => ({ name, services: 0, isInactive: true }));
    const active = [...counts].map(([name, count]) => ({ name, services: count, isInactive: false }));
    const rows = [...active, ...inactive].sort((a, b) => byNaturalOrder(a.name, b.name));
    invocation.context.stdout.write(renderList(rows, stackFormat, { format: formatOf(invocation) }));
    return undefined;
  },
};

export const services: CommandSpec = {
  usage: '[OPTIONS] STACK',
  arguments: { minimum: 1, maximum: 1 },
  flags: [filterFlag(), listFormatFlag, { name: 'quiet', short: 'q', description: 'Only display IDs' }, jsonFlag],
  completes: 'stack',
  async run(invocation) {
    const [name = ''] = invocation.args;
    const filters = filtersOf(invocation);
    const found = await listServices(invocation, { ...filters, label: [...(filters['label'] ?? []), `${NAMESPACE_LABEL}=${name}`] });
    if (found.length === 0) invocation.context.stderr.write(`${(await absence(await invocation.client(), name)) ?? `Nothing found in stack: ${name}`}\n`);
    else printServices(invocation, found);
    return undefined;
  },
};

export const ps: CommandSpec = {
  usage: '[OPTIONS] STACK',
  arguments: { minimum: 1, maximum: 1 },
  flags: [filterFlag(), listFormatFlag, ...taskFlags],
  completes: 'stack',
  async run(invocation) {
    const [name = ''] = invocation.args;
    const client = await invocation.client();
    const filters = filtersOf(invocation);
    const nodes = filters['node'] === undefined ? {} : { node: await Promise.all(filters['node'].map((node) => nodeReference(client, node))) };
    const tasks = await client.call<Task[]>('GET', '/tasks', { query: filterQuery({ ...filters, ...nodes, label: [`${NAMESPACE_LABEL}=${name}`] }) });
    if (tasks.length > 0) return printTasks(invocation, tasks);
    invocation.context.stderr.write(`${(await absence(client, name)) ?? `nothing found in stack: ${name}`}\n`);
    throw new ExitError(1);
  },
};
