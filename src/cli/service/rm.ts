// `service rm`.
import type { CommandSpec } from '../command.ts';
import { forEach, segment } from '../shared/each.ts';

export const command: CommandSpec = {
  usage: 'SERVICE [SERVICE...]',
  arguments: { minimum: 1 },
  flags: [],
  completes: 'service',
  async run(invocation) {
    const client = await invocation.client();
    return forEach(invocation, invocation.args, async (reference) => {
      await client.call('DELETE', `/services/${segment(reference)}`);
      return reference;
    });
  },
};
