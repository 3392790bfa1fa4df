// `swarm unlock`: the key comes from a prompt that does not show it, or from a pipe.
import { AppError } from '#lib/errors.ts';
import type { CommandSpec } from '../command.ts';
import { readSecretLine } from '../shared/prompt.ts';

export const command: CommandSpec = {
  usage: '',
  arguments: { minimum: 0, maximum: 0 },
  flags: [],
  async run({ context, client }) {
    const daemon = await client();
    const { Swarm } = await daemon.call<{ Swarm: { LocalNodeState: string } }>('GET', '/info');
    if (Swarm.LocalNodeState === 'inactive') throw new AppError('failedPrecondition', 'Error: This node is not part of a swarm');
    if (Swarm.LocalNodeState !== 'locked') throw new AppError('failedPrecondition', 'Error: swarm is not locked');
    const key = await readSecretLine(context, 'Enter unlock key: ');
    await daemon.call('POST', '/swarm/unlock', { body: { UnlockKey: key } });
    return undefined;
  },
};
