// `swarm leave`.
import type { CommandSpec } from '../command.ts';

export const command: CommandSpec = {
  usage: '[OPTIONS]',
  arguments: { minimum: 0, maximum: 0 },
  flags: [{ name: 'force', short: 'f', description: 'Force this node to leave the swarm, ignoring warnings' }],
  async run({ flags, context, client }) {
    await (await client()).call('POST', '/swarm/leave', { query: flags.bool('force') ? { force: 1 } : {} });
    context.stdout.write('Node left the swarm.\n');
    return undefined;
  },
};
