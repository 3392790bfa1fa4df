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
    const isKnown = config.values.auths?.[server] !== undefined || config.values.credsStore !== undefined || config.values.credHelpers?.[server] !== undefined;
    if (!isKnown) {
      context.stdout.write(`Not logged in to ${server}\n`);
      return undefined;
    }
    context.stdout.write(`Removing login credentials for ${server}\n`);
    await eraseCredentials(config, server);
    return undefined;
  },
};
