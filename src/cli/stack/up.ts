// `up`: what `npm start` does, for the user's own Compose file. Starts a swarm on this machine when the daemon has none, and deploys.
import { existsSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import { DEFAULT_HOST } from '#client/where.ts';
import { AppError } from '#lib/errors.ts';
import type { CommandSpec, Invocation } from '../command.ts';
import { deploy } from './deploy.ts';

const USUAL_FILES = ['compose.yaml', 'compose.yml', 'docker-compose.yaml', 'docker-compose.yml', 'stack.yaml', 'stack.yml'];

export const command: CommandSpec = {
  usage: '[OPTIONS] [STACK]',
  arguments: { minimum: 0, maximum: 1 },
  flags: deploy.flags,
  async run(invocation) {
    const { flags, args, context } = invocation;
    const given = flags.has('compose-file');
    const file = USUAL_FILES.find((name) => existsSync(resolve(context.workingDirectory, name)));
    if (!given && file === undefined)
      throw new AppError('notFound', `there is no Compose file here (${USUAL_FILES.slice(0, 4).join(', ')}): name one with --compose-file`);
    await ensureSwarm(invocation);
    const files = given ? flags.texts('compose-file') : [file ?? ''];
    const stack = args[0] ?? stackName(basename(context.workingDirectory));
    const withFile = {
      ...flags,
      has: (name: string) => name === 'compose-file' || flags.has(name),
      texts: (name: string) => (name === 'compose-file' ? files : flags.texts(name)),
    };
    return deploy.run({ ...invocation, args: [stack], flags: withFile });
  },
};

/** The folder's name as a name for a stack. */
export function stackName(folder: string): string {
  return (
    folder
      .toLowerCase()
      .replaceAll(/[^a-z0-9_-]/g, '')
      .replace(/^[_-]+/, '') || 'stack'
  );
}

async function ensureSwarm({ client, context, where }: Invocation): Promise<void> {
  const daemon = await client();
  const { Swarm } = await daemon.call<{ Swarm: { LocalNodeState: string } }>('GET', '/info').catch(async (error: unknown) => {
    // Only where nobody said which daemon is meant: an address that does not answer is not replaced by another one.
    if (context.startSwarm === undefined || where.address !== DEFAULT_HOST || !(error instanceof AppError) || error.code !== 'unavailable') throw error;
    context.stderr.write('Starting skepd\n');
    await context.startSwarm();
    return daemon.call<{ Swarm: { LocalNodeState: string } }>('GET', '/info');
  });
  if (Swarm.LocalNodeState !== 'inactive') return;
  context.stderr.write('Making a swarm of one node\n');
  await daemon.call('POST', '/swarm/init', { body: { ListenAddr: '0.0.0.0:2377' } });
}
