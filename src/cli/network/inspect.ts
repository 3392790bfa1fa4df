// `network inspect`.
import type { CommandSpec } from '../command.ts';
import { inspect } from '../format/inspect.ts';
import { segment } from '../shared/each.ts';
import { inspectFormatFlag, jsonFlag } from '../shared/options.ts';
import { withJson } from '../shared/pretty.ts';
import { networkShape } from '../shared/shapes.ts';

export const command: CommandSpec = {
  usage: '[OPTIONS] NETWORK [NETWORK...]',
  arguments: { minimum: 1 },
  flags: [inspectFormatFlag, { name: 'verbose', short: 'v', description: 'Verbose output for diagnostics' }, jsonFlag],
  completes: 'network',
  async run(invocation) {
    const client = await invocation.client();
    const query = invocation.flags.bool('verbose') ? { verbose: true } : {};
    return inspect(withJson(invocation), {
      references: invocation.args,
      fetch: (reference) => client.text('GET', `/networks/${segment(reference)}`, { query }),
      shape: networkShape,
    });
  },
};
