// `secret create`, and reading what secrets and configs are made of.
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { AppError } from '#lib/errors.ts';
import type { CommandSpec, Invocation } from '../command.ts';
import { fileReason } from '../shared/file-error.ts';
import { mapOf } from '../shared/options.ts';

export const command: CommandSpec = {
  usage: '[OPTIONS] SECRET [file|-]',
  arguments: { minimum: 1, maximum: 2 },
  flags: [
    { name: 'driver', short: 'd', type: 'string', description: 'Secret driver' },
    { name: 'label', short: 'l', type: 'list', description: 'Secret labels' },
    { name: 'template-driver', type: 'string', description: 'Template driver' },
  ],
  completes: 'file',
  async run(invocation) {
    const { flags, args, context } = invocation;
    const [name = '', file] = args;
    const driver = flags.text('driver');
    if (driver === '' && file === undefined) throw new AppError('invalidArgument', 'secret file is required');
    if (driver !== '' && file !== undefined) throw new AppError('invalidArgument', 'When using secret driver secret data must be empty');
    const data = file === undefined ? undefined : await readData(invocation, file);
    const { ID } = await (await invocation.client()).call<{ ID: string }>('POST', '/secrets/create', {
      body: {
        Name: name,
        Labels: mapOf(flags.texts('label')),
        ...(data === undefined ? {} : { Data: data.toString('base64') }),
        ...(driver === '' ? {} : { Driver: { Name: driver } }),
        ...(flags.text('template-driver') === '' ? {} : { Templating: { Name: flags.text('template-driver') } }),
      },
    });
    context.stdout.write(`${ID}\n`);
    return undefined;
  },
};

/** The largest that a swarm stores is 1,000 kB; what is larger is refused there, not read here without end. */
const MAX_INPUT_BYTES = 16 * 1024 * 1024;

/** The bytes of a file, or of the standard input for `-`. */
export async function readData({ context }: Invocation, file: string): Promise<Buffer> {
  if (file !== '-') {
    const data = await readFile(resolve(context.workingDirectory, file)).catch((error: unknown) => {
      throw new AppError('invalidArgument', `error reading from ${file}: open ${file}: ${fileReason(error)}`, { cause: error });
    });
    if (data.length === 0) throw new AppError('invalidArgument', `error reading from ${file}: data is empty`);
    return data;
  }
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of context.stdin) {
    const piece = Buffer.from(chunk);
    length += piece.length;
    if (length > MAX_INPUT_BYTES) throw new AppError('invalidArgument', 'error reading from STDIN: data is too long');
    chunks.push(piece);
  }
  if (length === 0) throw new AppError('invalidArgument', 'error reading from STDIN: data is empty');
  return Buffer.concat(chunks);
}
