// The command line's root: global options, and the commands. Returns the exit code; prints nothing but through the given streams.
import { Command, CommanderError } from 'commander';
import { createClient } from '#client/client.ts';
import { errorMessage } from '#lib/errors.ts';

export interface CliContext {
  readonly version: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly stdout: { write(text: string): unknown };
  readonly stderr: { write(text: string): unknown };
}

const DEFAULT_HOST = 'unix:///run/skep/skep.sock';

export async function runCli(argv: readonly string[], context: CliContext): Promise<number> {
  const { environment, stdout, stderr, version } = context;
  const program = new Command('skep')
    .description('Skep: swarm mode for any Docker-compatible engine')
    .version(`skep version ${version}`, '-v, --version')
    .option('-H, --host <address>', 'the daemon to talk to (default: DOCKER_HOST, or its usual socket)')
    .exitOverride()
    .configureOutput({ writeOut: (text) => stdout.write(text), writeErr: (text) => stderr.write(text) });
  const client = () => createClient(program.opts<{ host?: string }>().host ?? environment['DOCKER_HOST'] ?? DEFAULT_HOST);
  program
    .command('version')
    .description("show this program's and the daemon's version")
    .action(async () => {
      stdout.write(`Client:\n Version: ${version}\n`);
      const server = await client().get<{ Version: string; ApiVersion: string; Components?: readonly { Name: string; Version: string }[] }>('/version');
      stdout.write(`Server:\n API version: ${server.ApiVersion}\n`);
      for (const { Name, Version } of server.Components ?? []) stdout.write(` ${Name}: ${Version}\n`);
    });
  try {
    await program.parseAsync([...argv], { from: 'user' });
    return 0;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode;
    stderr.write(`${errorMessage(error)}\n`);
    return 1;
  }
}
