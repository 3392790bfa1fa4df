// `swarm update`.
import type { Swarm } from '#docker-api/swarm.ts';
import type { CommandSpec } from '../command.ts';
import { flagLines } from '../help.ts';
import { changedSpec, updateFlags } from './flags.ts';
import { unlockInstructions } from './instructions.ts';

export const command: CommandSpec = {
  usage: '[OPTIONS]',
  arguments: { minimum: 0, maximum: 0 },
  flags: updateFlags,
  async run({ flags, context, client }) {
    if (flags.given.length === 0) {
      context.stdout.write(
        `Usage:  ${context.programName} swarm update [OPTIONS]\n\nUpdate the swarm\n\nOptions:\n${flagLines(updateFlags, context.stdout.columns ?? 80).join('\n')}\n`,
      );
      return undefined;
    }
    const daemon = await client();
    const { Spec, Version } = await daemon.call<Swarm>('GET', '/swarm');
    const wasLocked = Spec.EncryptionConfig?.AutoLockManagers ?? false;
    await daemon.call('POST', '/swarm/update', { query: { version: Version.Index ?? 0 }, body: changedSpec(Spec, flags) });
    context.stdout.write('Swarm updated.\n');
    if (flags.bool('autolock') && !wasLocked) {
      const { UnlockKey } = await daemon.call<{ UnlockKey: string }>('GET', '/swarm/unlockkey');
      context.stdout.write(`${unlockInstructions(UnlockKey, context.programName)}`);
    }
    return undefined;
  },
};
