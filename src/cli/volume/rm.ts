// `volume rm`.
import type { CommandSpec } from '../command.ts';
import { nodeFlag } from '../node-flags.ts';
import { forEach, segment } from '../shared/each.ts';

export const command: CommandSpec = {
  usage: '[OPTIONS] VOLUME [VOLUME...]',
  arguments: { minimum: 1 },
  flags: [{ name: 'force', short: 'f', description: 'Force the removal of one or more volumes' }, nodeFlag],
  completes: 'volume',
  async run(invocation) {
    const client = await invocation.client();
    const query = invocation.flags.bool('force') ? { force: 1 } : {};
    return forEach(invocation, invocation.args, async (reference) => {
      await client.call('DELETE', `/volumes/${segment(reference)}`, { query });
      return reference;
    });
  },
};
