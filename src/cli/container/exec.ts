// `exec`: a command in a running container of this engine, or in the one of a task (`web.1`).
import { AppError } from '#lib/errors.ts';
import type { CommandSpec } from '../command.ts';
import { nodeFlag } from '../node-flags.ts';
import { segment } from '../shared/each.ts';
import { environmentOf } from '../values/environment.ts';
import { findContainer } from './find.ts';
import { joinStreams } from './streams.ts';

export const command: CommandSpec = {
  usage: '[OPTIONS] CONTAINER COMMAND [ARG...]',
  arguments: { minimum: 2 },
  flags: [
    { name: 'detach', short: 'd', description: 'Detached mode: run command in the background' },
    { name: 'detach-keys', type: 'string', description: 'Override the key sequence for detaching a container' },
    { name: 'env', short: 'e', type: 'list', description: 'Set environment variables' },
    { name: 'env-file', type: 'list', description: 'Read in a file of environment variables' },
    { name: 'interactive', short: 'i', description: 'Keep STDIN open even if not attached' },
    nodeFlag,
    { name: 'privileged', description: 'Give extended privileges to the command' },
    { name: 'tty', short: 't', description: 'Allocate a pseudo-TTY' },
    { name: 'user', short: 'u', type: 'string', description: 'Username or UID (format: "<name|uid>[:<group|gid>]")' },
    { name: 'workdir', short: 'w', type: 'string', description: 'Working directory inside the container' },
  ],
  optionsFirst: true,
  completes: 'container',
  async run(invocation) {
    const { flags, args, context } = invocation;
    const [reference = '', ...words] = args;
    const client = await invocation.client();
    const { Id: containerId } = await findContainer(client, reference);
    const detach = flags.bool('detach');
    const tty = flags.bool('tty');
    if (flags.bool('interactive') && tty && !context.stdin.isTTY) throw new AppError('invalidArgument', 'the input device is not a TTY');
    const { Id } = await client.call<{ Id: string }>('POST', `/containers/${segment(containerId)}/exec`, {
      body: {
        User: flags.text('user'),
        Privileged: flags.bool('privileged'),
        Tty: tty,
        AttachStdin: flags.bool('interactive') && !detach,
        AttachStdout: !detach,
        AttachStderr: !detach,
        Detach: detach,
        DetachKeys: flags.text('detach-keys'),
        Env: environmentOf(flags.texts('env-file'), flags.texts('env'), context.environment),
        WorkingDir: flags.text('workdir'),
        Cmd: words,
      },
    });
    if (detach) {
      await client.call('POST', `/exec/${segment(Id)}/start`, { body: { Detach: true, Tty: tty } });
      return undefined;
    }
    const { connection, head } = await client.upgrade(`/exec/${segment(Id)}/start`, { body: { Detach: false, Tty: tty } });
    const resize = (w: number, h: number) => client.call('POST', `/exec/${segment(Id)}/resize`, { query: { w, h } });
    await joinStreams(context, { connection, head, tty, input: flags.bool('interactive'), resize });
    const { ExitCode } = await client.call<{ ExitCode: number }>('GET', `/exec/${segment(Id)}/json`);
    return ExitCode;
  },
};
