// `service wait`: until services have converged, or a deadline.
import { AppError, errorMessage } from '#lib/errors.ts';
import { type CommandSpec, ExitError, INTERRUPTED } from '../command.ts';
import { quietProgressFlag } from '../shared/options.ts';
import { explainService } from './explanation.ts';
import { waitOn } from './progress.ts';

export const command: CommandSpec = {
  usage: '[OPTIONS] SERVICE [SERVICE...]',
  arguments: { minimum: 1 },
  flags: [{ name: 'timeout', type: 'duration', description: 'Longest time to wait; without it there is none' }, quietProgressFlag],
  completes: 'service',
  async run(invocation) {
    const { flags, args, context } = invocation;
    const timeout = flags.value<number>('timeout');
    const deadline = timeout === undefined ? {} : { deadlineMs: context.clock.now() + timeout / 1e6 };
    for (const reference of args) {
      try {
        await waitOn(invocation, reference, { quiet: flags.bool('quiet'), ...deadline, onInterrupt: () => new ExitError(INTERRUPTED) });
      } catch (error) {
        if (error instanceof ExitError) throw error;
        context.stderr.write(`${errorMessage(error)}\n`);
        if (error instanceof AppError && error.code === 'deadlineExceeded')
          for (const line of await explainService(await invocation.client(), reference)) context.stderr.write(`${line}\n`);
        throw new ExitError(1);
      }
    }
    return undefined;
  },
};
