// `logout`.
import type { CommandSpec } from '../command.ts';
import { eraseCredentials } from './credentials.ts';
import { serverOf } from './login.ts';

export const command: CommandSpec = {
  usage: '[SERVER]',
  arguments: { minimum: 0, maximum: 1 },
  flags: [],
  async run({ args, context, config }) {
    const server = serverOf(args[0]);
    context.stdout.write(`Removing login credentials for ${server}\n`);
    await eraseCredentials(config, server);
    return undefined;
  },
};
