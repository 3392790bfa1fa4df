// `login`.
import { AppError } from '#lib/errors.ts';
import type { CommandSpec, Invocation } from '../command.ts';
import type { CliContext } from '../context.ts';
import { askLine, readLine, readSecretLine } from '../shared/prompt.ts';
import { DOCKER_HUB, findCredentials, storeCredentials } from './credentials.ts';

export const command: CommandSpec = {
  usage: '[OPTIONS] [SERVER]',
  arguments: { minimum: 0, maximum: 1 },
  flags: [
    { name: 'password', short: 'p', type: 'string', description: 'Password or Personal Access Token (PAT)' },
    { name: 'password-stdin', description: 'Take the Password or Personal Access Token (PAT) from stdin' },
    { name: 'username', short: 'u', type: 'string', description: 'Username' },
  ],
  async run(invocation) {
    const { flags, args, context, config } = invocation;
    const server = serverOf(args[0]);
    const fromStdin = flags.bool('password-stdin');
    if (flags.has('password') && fromStdin) throw new AppError('invalidArgument', 'conflicting options: cannot specify both --password and --password-stdin');
    if (fromStdin && flags.text('username') === '') throw new AppError('invalidArgument', 'the --password-stdin option requires --username to be set');
    if (flags.has('password')) context.stderr.write('WARNING! Using --password via the CLI is insecure. Use --password-stdin.\n');
    const stored = flags.has('username') || flags.has('password') ? undefined : await findCredentials(config, server);
    const username = flags.text('username') || stored?.username || (await ask(invocation));
    if (username === '') throw new AppError('invalidArgument', 'Error: Non-null Username Required');
    const password = flags.text('password') || stored?.password || (fromStdin ? await readLine(context) : await askPassword(invocation));
    if (password === '') throw new AppError('invalidArgument', 'Error: Password Required');
    const client = await invocation.client();
    const answer = await client.call<{ Status?: string; IdentityToken?: string } | undefined>('POST', '/auth', {
      body: { username, password, serveraddress: server },
    });
    const isPlain = await storeCredentials(config, {
      username,
      password,
      serveraddress: server,
      ...(answer?.IdentityToken ? { identitytoken: answer.IdentityToken } : {}),
    });
    if (isPlain)
      context.stderr.write(
        `\nWARNING! Your credentials are stored unencrypted in '${config.folder}/config.json'.\nConfigure a credential helper to remove this warning. See\nhttps://docs.docker.com/go/credential-store/\n\n`,
      );
    context.stdout.write(`${answer?.Status ?? 'Login Succeeded'}\n`);
    return undefined;
  },
};

export function serverOf(text: string | undefined): string {
  if (text === undefined || text === '' || text === 'docker.io' || text === 'index.docker.io') return DOCKER_HUB;
  return text.replace(/^https?:\/\//, '').replace(/\/.*$/, '');
}

async function ask({ context }: Invocation): Promise<string> {
  requireTerminal(context);
  return askLine(context, 'Username: ');
}

async function askPassword({ context }: Invocation): Promise<string> {
  requireTerminal(context);
  return readSecretLine(context, 'Password: ');
}

function requireTerminal({ stdin }: CliContext): void {
  if (!stdin.isTTY) throw new AppError('invalidArgument', 'Error: Cannot perform an interactive login from a non TTY device');
}
