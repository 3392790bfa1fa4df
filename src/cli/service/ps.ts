// `service ps`.
import type { Service } from '#docker-api/service.ts';
import type { Task } from '#docker-api/task.ts';
import { type CommandSpec, ExitError, type Invocation } from '../command.ts';
import { nodeReference } from '../node/reference.ts';
import { filterFlag, filterQuery, filtersOf } from '../shared/options.ts';
import { plainTaskFormatFlag, printTasks, taskFlags } from '../task/flags.ts';

export const command: CommandSpec = {
  usage: '[OPTIONS] SERVICE [SERVICE...]',
  arguments: { minimum: 1 },
  flags: [filterFlag(), plainTaskFormatFlag, ...taskFlags],
  completes: 'service',
  async run(invocation) {
    const { context } = invocation;
    const client = await invocation.client();
    const filters = filtersOf(invocation);
    const { ids, missing } = await findServices(invocation);
    if (ids.length === 0) {
      context.stderr.write(`${missing.join('\n')}\n`);
      throw new ExitError(1);
    }
    if (filters['node'] !== undefined) filters['node'] = await Promise.all(filters['node'].map((node) => nodeReference(client, node)));
    const tasks = await client.call<Task[]>('GET', '/tasks', { query: filterQuery({ ...filters, service: ids }) });
    // As with docker, and of all lists of tasks with this one only.
    await printTasks(invocation, tasks, { wholeIds: invocation.flags.bool('quiet') });
    if (missing.length === 0) return undefined;
    context.stderr.write(`${missing.join('\n')}\n`);
    throw new ExitError(1);
  },
};

/** A reference is a whole id, else a whole name, else the beginning of one id. */
async function findServices(invocation: Invocation): Promise<{ readonly ids: readonly string[]; readonly missing: readonly string[] }> {
  const client = await invocation.client();
  const ask = (key: string) => client.call<Service[]>('GET', '/services', { query: filterQuery({ [key]: invocation.args }) });
  const [byId, byName] = await Promise.all([ask('id'), ask('name')]);
  const ids: string[] = [];
  const missing: string[] = [];
  for (const reference of invocation.args) {
    const exact = byId.find(({ ID }) => ID === reference) ?? byName.find(({ Spec }) => Spec.Name === reference);
    const prefixed = byId.filter(({ ID }) => ID.startsWith(reference));
    if (exact === undefined && prefixed.length > 1) missing.push('multiple services found with provided prefix: ' + reference);
    else {
      const found = exact ?? prefixed[0];
      if (found === undefined) missing.push(`no such service: ${reference}`);
      else ids.push(found.ID);
    }
  }
  return { ids, missing };
}
