// `restore`: the swarm of a backup, with this node as its only manager.
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { RESTORE_SECRET_HEADER, type RestoreResponse } from '#docker-api/backup.ts';
import { splitBackup } from '#lib/backup-header.ts';
import { AppError, errorMessage } from '#lib/errors.ts';
import type { CommandSpec, Invocation } from '../command.ts';
import { readSecretLine } from '../shared/prompt.ts';
import { passphraseFile, secretFromFile } from './passphrase.ts';

export const command: CommandSpec = {
  usage: '[OPTIONS] FILE|-',
  arguments: { minimum: 1, maximum: 1 },
  flags: [
    { name: 'advertise-addr', type: 'string', description: 'Address that is told to other nodes (default: as in the backup, if this machine has it)' },
    { name: 'data-path-addr', type: 'string', description: 'Address or interface for the traffic between containers' },
    { name: 'force', short: 'f', description: 'Replace what this node has of the same swarm' },
    { name: 'listen-addr', type: 'string', description: 'Listen address (format: "<ip|interface>[:port]")' },
    passphraseFile,
  ],
  completes: 'file',
  async run(invocation) {
    const { flags, context } = invocation;
    const bytes = await readBackup(invocation);
    const { header } = splitBackup(bytes);
    const secret = header.key.kind === 'plain' ? '' : ((await secretFromFile(invocation)) ?? (await ask(invocation, header.key.kind)));
    const daemon = await invocation.client();
    const { NodeID, Warnings } = await daemon.call<RestoreResponse>('POST', '/skep/restore', {
      query: {
        force: flags.bool('force') || undefined,
        advertiseAddr: flags.text('advertise-addr') || undefined,
        listenAddr: flags.text('listen-addr') || undefined,
        dataPathAddr: flags.text('data-path-addr') || undefined,
      },
      ...(secret === '' ? {} : { headers: { [RESTORE_SECRET_HEADER]: Buffer.from(secret).toString('base64') } }),
      bytes,
    });
    context.stdout.write(`Swarm ${header.clusterId} restored as of ${header.createdAt}: current node (${NodeID}) is its only manager.\n`);
    for (const warning of Warnings) context.stderr.write(`WARNING: ${warning}\n`);
    return undefined;
  },
};

async function readBackup({ args, context }: Invocation): Promise<Buffer> {
  const [file = ''] = args;
  if (file === '-') {
    const chunks: Buffer[] = [];
    for await (const chunk of context.stdin) chunks.push(Buffer.from(chunk));
    return Buffer.concat(chunks);
  }
  try {
    return await readFile(resolve(context.workingDirectory, file));
  } catch (error) {
    throw new AppError('invalidArgument', `cannot read the backup: ${errorMessage(error)}`, { cause: error });
  }
}

function ask({ args, context }: Invocation, kind: 'unlock-key' | 'passphrase'): Promise<string> {
  const what = kind === 'passphrase' ? 'passphrase' : 'unlock key';
  if (args[0] === '-') throw new AppError('invalidArgument', `the backup comes from the standard input: give its ${what} with --passphrase-file`);
  return readSecretLine(context, `Enter the ${what} of the backup: `);
}
