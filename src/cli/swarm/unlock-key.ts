// `swarm unlock-key`.
import type { Swarm } from '#docker-api/swarm.ts';
import { AppError, errorMessage } from '#lib/errors.ts';
import type { CommandSpec } from '../command.ts';
import { unlockInstructions } from './instructions.ts';

export const command: CommandSpec = {
  usage: '[OPTIONS]',
  arguments: { minimum: 0, maximum: 0 },
  flags: [
    { name: 'quiet', short: 'q', description: 'Only display token' },
    { name: 'rotate', description: 'Rotate unlock key' },
  ],
  async run({ flags, context, client }) {
    const daemon = await client();
    if (flags.bool('rotate')) {
      const { Spec, Version } = await daemon.call<Swarm>('GET', '/swarm');
      if (!Spec.EncryptionConfig?.AutoLockManagers) throw new AppError('failedPrecondition', 'cannot rotate because autolock is not turned on');
      await daemon.call('POST', '/swarm/update', { query: { version: Version.Index ?? 0, rotateManagerUnlockKey: true }, body: Spec });
      if (!flags.bool('quiet')) context.stdout.write('Successfully rotated manager unlock key.\n\n');
    }
    const { UnlockKey } = await daemon.call<{ UnlockKey: string }>('GET', '/swarm/unlockkey').catch((error: unknown) => {
      throw new AppError('unknown', `could not fetch unlock key: ${errorMessage(error)}`, { cause: error });
    });
    if (UnlockKey === '') throw new AppError('failedPrecondition', 'no unlock key is set');
    context.stdout.write(flags.bool('quiet') ? `${UnlockKey}\n` : unlockInstructions(UnlockKey, context.programName));
    return undefined;
  },
};
