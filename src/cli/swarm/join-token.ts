// `swarm join-token`.
import type { Swarm } from '#docker-api/swarm.ts';
import { AppError } from '#lib/errors.ts';
import type { CommandSpec } from '../command.ts';
import { joinInstructions } from './instructions.ts';

export const command: CommandSpec = {
  usage: '[OPTIONS] (worker|manager)',
  arguments: { minimum: 1, maximum: 1 },
  flags: [
    { name: 'quiet', short: 'q', description: 'Only display token' },
    { name: 'rotate', description: 'Rotate join token' },
  ],
  async run({ flags, args, context, client }) {
    const [role = ''] = args;
    if (role !== 'worker' && role !== 'manager') throw new AppError('invalidArgument', `unknown role ${role}`);
    const daemon = await client();
    if (flags.bool('rotate')) {
      const { Spec, Version } = await daemon.call<Swarm>('GET', '/swarm');
      const which = role === 'worker' ? 'rotateWorkerToken' : 'rotateManagerToken';
      await daemon.call('POST', '/swarm/update', { query: { version: Version.Index ?? 0, [which]: true }, body: Spec });
      if (!flags.bool('quiet')) context.stdout.write(`Successfully rotated ${role} join token.\n\n`);
    }
    const { JoinTokens } = await daemon.call<Swarm>('GET', '/swarm');
    const token = role === 'worker' ? JoinTokens.Worker : JoinTokens.Manager;
    context.stdout.write(flags.bool('quiet') ? `${token}\n` : await joinInstructions(daemon, role, token, context.programName));
    return undefined;
  },
};
