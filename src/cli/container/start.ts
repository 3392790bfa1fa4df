// `start`: containers by their names, or one with its streams joined to the program's own. Checkpoints are the engine's experiment and not had here.
import { AppError } from '#lib/errors.ts';
import type { CommandSpec, Invocation } from '../command.ts';
import { nodeFlag } from '../node-flags.ts';
import { segment } from '../shared/each.ts';
import { start } from './actions.ts';
import { followContainer } from './attach.ts';
import { findContainer } from './find.ts';

export const command: CommandSpec = {
  usage: '[OPTIONS] CONTAINER [CONTAINER...]',
  arguments: { minimum: 1 },
  flags: [
    { name: 'attach', short: 'a', description: 'Attach STDOUT/STDERR and forward signals' },
    { name: 'detach-keys', type: 'string', description: 'Override the key sequence for detaching a container' },
    { name: 'interactive', short: 'i', description: "Attach container's STDIN" },
    nodeFlag,
  ],
  completes: 'container',
  run: (invocation) => (invocation.flags.bool('attach') || invocation.flags.bool('interactive') ? startAttached(invocation) : start.run(invocation)),
};

async function startAttached({ flags, args, context, client: clientOf }: Invocation): Promise<number> {
  if (args.length > 1) throw new AppError('invalidArgument', 'you cannot start and attach multiple containers at once');
  const client = await clientOf();
  const { Id } = await findContainer(client, args[0] ?? '');
  const { State, Config } = await client.call<{ State: { Running: boolean }; Config: { Tty: boolean; OpenStdin: boolean } }>(
    'GET',
    `/containers/${segment(Id)}/json`,
  );
  const input = flags.bool('interactive') && Config.OpenStdin;
  if (input && Config.Tty && !context.stdin.isTTY) throw new AppError('invalidArgument', 'the input device is not a TTY');
  return followContainer(client, context, {
    id: Id,
    tty: Config.Tty,
    output: true,
    input,
    proxied: !Config.Tty,
    ...(flags.has('detach-keys') ? { detachKeys: flags.text('detach-keys') } : {}),
    // One that runs is joined as it is.
    begin: async () => (State.Running ? undefined : client.call('POST', `/containers/${segment(Id)}/start`)),
  });
}
