// `node ps`: tasks on nodes, on this one when none is named.
import type { Node } from '#docker-api/node.ts';
import type { Task } from '#docker-api/task.ts';
import { errorMessage } from '#lib/errors.ts';
import { type CommandSpec, ExitError } from '../command.ts';
import { segment } from '../shared/each.ts';
import { filterFlag, filterQuery, filtersOf } from '../shared/options.ts';
import { plainTaskFormatFlag, printTasks, taskFlags } from '../task/flags.ts';
import { nodeReference } from './reference.ts';

export const command: CommandSpec = {
  usage: '[OPTIONS] [NODE...]',
  arguments: { minimum: 0 },
  flags: [filterFlag(), plainTaskFormatFlag, ...taskFlags],
  completes: 'node',
  async run(invocation) {
    const { args, context } = invocation;
    const client = await invocation.client();
    const tasks: Task[] = [];
    const failures: string[] = [];
    const filters = filtersOf(invocation);
    for (const reference of args.length === 0 ? ['self'] : args) {
      try {
        const node = await client.call<Node>('GET', `/nodes/${segment(await nodeReference(client, reference))}`);
        // docker adds each node to the same filter, so that nodes named before are listed again; each once is what is meant.
        const found = await client.call<Task[]>('GET', '/tasks', { query: filterQuery({ ...filters, node: [node.ID] }) });
        tasks.push(...found.filter(({ ID }) => !tasks.some((known) => known.ID === ID)));
      } catch (error) {
        failures.push(errorMessage(error));
      }
    }
    if (tasks.length > 0 || failures.length === 0) await printTasks(invocation, tasks);
    if (failures.length === 0) return undefined;
    context.stderr.write(`${failures.join('\n')}\n`);
    throw new ExitError(1);
  },
};
