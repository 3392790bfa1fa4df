// `node rm`.
import type { CommandSpec } from '../command.ts';
import { forEach, segment } from '../shared/each.ts';

export const command: CommandSpec = {
  usage: '[OPTIONS] NODE [NODE...]',
  arguments: { minimum: 1 },
  flags: [{ name: 'force', short: 'f', description: 'Force remove a node from the swarm' }],
  completes: 'node',
  async run(invocation) {
    const client = await invocation.client();
    return forEach(invocation, invocation.args, async (reference) => {
      await client.call('DELETE', `/nodes/${segment(reference)}`, { query: invocation.flags.bool('force') ? { force: 1 } : {} });
      return reference;
    });
  },
};
