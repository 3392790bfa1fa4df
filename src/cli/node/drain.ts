// `node drain [--wait]`: no task stays on the node; with --wait until none runs there any more.
import type { Task } from '#docker-api/task.ts';
import { AppError } from '#lib/errors.ts';
import type { CommandSpec } from '../command.ts';
import { forEach, segment } from '../shared/each.ts';
import { filterQuery } from '../shared/options.ts';
import { changeNode } from './update.ts';

const POLL_MS = 200;
const FINISHED = new Set(['complete', 'shutdown', 'failed', 'rejected', 'remove', 'orphaned']);

export const command: CommandSpec = {
  usage: '[OPTIONS] NODE [NODE...]',
  arguments: { minimum: 1 },
  flags: [
    { name: 'wait', description: 'Wait until no task runs on the node any more' },
    { name: 'timeout', type: 'duration', description: 'Longest time to wait', default: '10m0s' },
  ],
  completes: 'node',
  async run(invocation) {
    const { flags, args, context } = invocation;
    const client = await invocation.client();
    const deadline = context.clock.now() + (flags.value<number>('timeout') ?? 600e9) / 1e6;
    return forEach(invocation, args, async (reference) => {
      const { ID } = await changeNode(client, reference, ({ Spec }) => (Spec.Availability === 'drain' ? undefined : { ...Spec, Availability: 'drain' }));
      let left = -1;
      while (flags.bool('wait')) {
        const tasks = await client.call<Task[]>('GET', '/tasks', { query: filterQuery({ node: [ID] }) });
        const running = tasks.filter(({ Status, DesiredState }) => !FINISHED.has(Status.State) && !(DesiredState === 'remove' && Status.State === 'new'));
        if (running.length === 0) break;
        if (running.length !== left) context.stderr.write(`${reference}: ${running.length} ${running.length === 1 ? 'task' : 'tasks'} to go\n`);
        left = running.length;
        if (context.clock.now() > deadline)
          throw new AppError('deadlineExceeded', `${reference}: ${left} tasks still run; look with \`skep node ps ${segment(reference)}\``);
        await context.clock.sleep(POLL_MS);
      }
      return reference;
    });
  },
};
