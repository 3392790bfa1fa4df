// `network rm`.
import { AppError, errorMessage } from '#lib/errors.ts';
import { type CommandSpec, ExitError } from '../command.ts';
import { segment } from '../shared/each.ts';

export const command: CommandSpec = {
  usage: 'NETWORK [NETWORK...]',
  arguments: { minimum: 1 },
  flags: [{ name: 'force', short: 'f', description: 'Do not error if the network does not exist' }],
  completes: 'network',
  async run({ flags, args, context, client }) {
    let failed = false;
    for (const reference of args) {
      try {
        await (await client()).call('DELETE', `/networks/${segment(reference)}`);
        context.stdout.write(`${reference}\n`);
      } catch (error) {
        if (flags.bool('force') && error instanceof AppError && error.code === 'notFound') continue;
        context.stderr.write(`${errorMessage(error)}\n`);
        failed = true;
      }
    }
    if (failed) context.stderr.write('exit status 1\n');
    if (failed) throw new ExitError(1);
    return undefined;
  },
};
