// `service explain`.
import type { CommandSpec } from '../command.ts';
import { explainService } from './explanation.ts';

export const command: CommandSpec = {
  usage: 'SERVICE [SERVICE...]',
  arguments: { minimum: 1 },
  flags: [],
  completes: 'service',
  async run({ args, context, client }) {
    const daemon = await client();
    for (const reference of args) for (const line of await explainService(daemon, reference)) context.stdout.write(`${line}\n`);
    return undefined;
  },
};
