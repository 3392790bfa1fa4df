// `volume inspect`.
import type { CommandSpec } from '../command.ts';
import { nodeFlag } from '../node-flags.ts';
import { inspect } from '../format/inspect.ts';
import { segment } from '../shared/each.ts';
import { inspectFormatFlag, jsonFlag } from '../shared/options.ts';
import { withJson } from '../shared/pretty.ts';
import { volumeShape } from '../shared/shapes.ts';

export const command: CommandSpec = {
  usage: '[OPTIONS] VOLUME [VOLUME...]',
  arguments: { minimum: 1 },
  flags: [inspectFormatFlag, jsonFlag, nodeFlag],
  completes: 'volume',
  async run(invocation) {
    const client = await invocation.client();
    return inspect(withJson(invocation), {
      references: invocation.args,
      fetch: (reference) => client.text('GET', `/volumes/${segment(reference)}`),
      shape: volumeShape,
    });
  },
};
