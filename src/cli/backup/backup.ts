// `backup`: the swarm's state as a file.
import { open, rename, rm } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { IncomingMessage } from 'node:http';
import { type BackupHeader, splitBackup } from '#lib/backup-header.ts';
import { AppError, errorMessage } from '#lib/errors.ts';
import type { CommandSpec, Invocation } from '../command.ts';
import { askNewPassphrase, passphraseFile, secretFromFile } from './passphrase.ts';

export const command: CommandSpec = {
  usage: '[OPTIONS] [FILE|-]',
  arguments: { minimum: 0, maximum: 1 },
  flags: [
    { name: 'encrypt', short: 'e', description: 'Protect the file with a passphrase, which is asked for' },
    passphraseFile,
    { name: 'quiet', short: 'q', description: "Print the file's name only" },
  ],
  completes: 'file',
  async run(invocation) {
    const { args, flags, context } = invocation;
    const [asked] = args;
    if (asked === '-' && context.stdout.isTTY)
      throw new AppError('invalidArgument', 'a backup is not for a terminal: give a file, or send the output somewhere');
    const passphrase = (await secretFromFile(invocation)) ?? (flags.bool('encrypt') ? await askNewPassphrase(invocation) : '');
    const { bytes, header, warning } = await fetchBackup(invocation, passphrase);
    const file = asked ?? `swarm-${header.createdAt.replaceAll(/[:.]/g, '-')}.skep`;
    if (file === '-') context.stdout.write(bytes);
    else {
      await writePrivately(resolve(context.workingDirectory, file), bytes);
      context.stdout.write(flags.bool('quiet') ? `${file}\n` : `${file}: swarm ${header.clusterId}, version ${header.revision}, ${bytes.length} bytes\n`);
    }
    if (warning !== '') context.stderr.write(`WARNING: ${warning}\n`);
    if (header.key.kind === 'plain')
      context.stderr.write("WARNING: Whoever can read this backup has the swarm's keys and secrets. Keep it where only you can, or use --encrypt.\n");
    if (header.key.kind === 'unlock-key')
      context.stderr.write('This backup can be restored only with the unlock key that the swarm has now (docker swarm unlock-key). Keep it elsewhere.\n');
    return undefined;
  },
};

async function fetchBackup(
  { client }: Invocation,
  passphrase: string,
): Promise<{ readonly bytes: Buffer; readonly header: BackupHeader; readonly warning: string }> {
  const daemon = await client();
  const answer = await daemon.stream('POST', '/skep/backup', { body: { Passphrase: passphrase } });
  const chunks: Buffer[] = [];
  for await (const chunk of answer as AsyncIterable<Buffer>) chunks.push(chunk);
  const bytes = Buffer.concat(chunks);
  // Also the proof that it arrived as a whole.
  return { bytes, header: splitBackup(bytes).header, warning: warningOf(answer) };
}

function warningOf({ headers }: IncomingMessage): string {
  const [, text] = /^199 skepd (".*")$/.exec(headers.warning ?? '') ?? [];
  return text === undefined ? '' : (JSON.parse(text) as string);
}

/** The whole file or none, and for its owner only. */
async function writePrivately(path: string, bytes: Buffer): Promise<void> {
  const temporary = `${path}.new`;
  try {
    await rm(temporary, { force: true });
    const file = await open(temporary, 'wx', 0o600);
    try {
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw new AppError('invalidArgument', `cannot write the backup: ${errorMessage(error)}`, { cause: error });
  }
}
