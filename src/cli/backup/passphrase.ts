// The secrets that protect backups: asked for, or read from a file; never an argument, which every user of the machine can see.
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { AppError, errorMessage } from '#lib/errors.ts';
import type { FlagSpec, Invocation } from '../command.ts';
import { readSecretLine } from '../shared/prompt.ts';

export const passphraseFile: FlagSpec = {
  name: 'passphrase-file',
  type: 'string',
  description: 'File whose first line is the passphrase or unlock key ("-" for the standard input)',
};

/** Undefined when the flag is not given. */
export async function secretFromFile({ flags, context }: Invocation): Promise<string | undefined> {
  const file = flags.text(passphraseFile.name);
  if (file === '') return undefined;
  const text = file === '-' ? await readSecretLine(context, 'Passphrase: ') : await firstLine(resolve(context.workingDirectory, file));
  if (text === '') throw new AppError('invalidArgument', `the first line of ${file} is empty`);
  return text;
}

async function firstLine(path: string): Promise<string> {
  try {
    return ((await readFile(path, 'utf8')).split('\n')[0] ?? '').replace(/\r$/, '');
  } catch (error) {
    throw new AppError('invalidArgument', `cannot read the passphrase: ${errorMessage(error)}`, { cause: error });
  }
}

/** Asked twice on a terminal: what nobody can see is easily mistyped. */
export async function askNewPassphrase({ context }: Invocation): Promise<string> {
  const first = await readSecretLine(context, 'Passphrase: ');
  if (context.stdin.isTTY && (await readSecretLine(context, 'Passphrase, once more: ')) !== first)
    throw new AppError('invalidArgument', 'the two passphrases are not the same');
  if (first === '') throw new AppError('invalidArgument', 'the passphrase is empty');
  return first;
}
