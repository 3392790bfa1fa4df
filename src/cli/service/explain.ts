// `service explain`.
import type { CommandSpec } from '../command.ts';
import { jsonFlag } from '../shared/options.ts';
import { explainService } from './explanation.ts';

export const command: CommandSpec = {
  usage: '[OPTIONS] SERVICE [SERVICE...]',
  arguments: { minimum: 1 },
  flags: [jsonFlag],
  completes: 'service',
  async run({ args, flags, context, client }) {
    const daemon = await client();
    for (const reference of args) {
      const lines = await explainService(daemon, reference);
      context.stdout.write(flags.bool('json') ? `${JSON.stringify({ Service: reference, Explanation: lines })}\n` : lines.map((line) => `${line}\n`).join(''));
    }
    return undefined;
  },
};
