// `context export` and `context import`: a context in a file, which the docker CLI reads and writes as well. It holds the keys: only its owner reads it.
import { closeSync, openSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { MAX_ARCHIVE_BYTES, packContext, unpackContext } from '#client/context-archive.ts';
import { checkContextName, type DaemonContext, listContexts, readContext, readTls, writeContext } from '#client/contexts.ts';
import { AppError } from '#lib/errors.ts';
import type { CommandSpec, Invocation } from '../command.ts';
import type { CliContext } from '../context.ts';
import { fileError } from '../shared/file-error.ts';

export const exportCommand: CommandSpec = {
  usage: '[OPTIONS] CONTEXT [FILE|-]',
  arguments: { minimum: 1, maximum: 2 },
  flags: [],
  completes: 'context',
  async run(invocation) {
    const { args, context } = invocation;
    const [name = '', target = `${name}.dockercontext`] = args;
    if (name !== 'default') checkContextName(name);
    const archive = packContext(exported(invocation, name));
    if (target === '-') {
      if (context.stdout.isTTY === true) throw new AppError('invalidArgument', 'cowardly refusing to export to a terminal, specify a file path');
      context.stdout.write(archive);
      return undefined;
    }
    const file = openNew(context, target);
    try {
      writeFileSync(file, archive);
    } finally {
      closeSync(file);
    }
    context.stderr.write(`Written file ${JSON.stringify(target)}\n`);
    return undefined;
  },
};

function exported({ config, contexts }: Invocation, name: string): { readonly context: DaemonContext; readonly tls: ReadonlyMap<string, Uint8Array> } {
  if (name !== 'default') return { context: readContext(config.folder, name), tls: readTls(config.folder, name) };
  const docker = { Host: contexts.defaultAddress, SkipTLSVerify: false };
  return { context: { Name: name, Metadata: {}, Endpoints: { docker } }, tls: new Map() };
}

/** Never writes over a file that is there. */
function openNew({ workingDirectory }: CliContext, target: string): number {
  try {
    return openSync(resolve(workingDirectory, target), 'wx', 0o600);
  } catch (error) {
    throw fileError('open', target, error);
  }
}

export const importCommand: CommandSpec = {
  usage: 'CONTEXT FILE|-',
  arguments: { minimum: 2, maximum: 2 },
  flags: [],
  completes: 'file',
  async run({ args, config, context }) {
    const [name = '', source = ''] = args;
    checkContextName(name);
    if (listContexts(config.folder).some(({ Name }) => Name === name)) throw new AppError('alreadyExists', `context "${name}" already exists`);
    const { context: imported, tls } = unpackContext(source === '-' ? await readInput(context) : readArchive(context, source));
    writeContext(config.folder, { ...imported, Name: name }, tls);
    context.stdout.write(`${name}\n`);
    context.stderr.write(`Successfully imported context "${name}"\n`);
    return undefined;
  },
};

function readArchive({ workingDirectory }: CliContext, source: string): Buffer {
  const path = resolve(workingDirectory, source);
  try {
    if (statSync(path).size > MAX_ARCHIVE_BYTES) throw new AppError('invalidArgument', `${source}: a context's file is never larger than 10 MiB`);
    return readFileSync(path);
  } catch (error) {
    if (error instanceof AppError) throw error;
    throw fileError(error instanceof Error && 'code' in error && error.code === 'EISDIR' ? 'read' : 'open', source, error);
  }
}

/** Reads no further than it takes to know that it is too much. */
async function readInput({ stdin }: CliContext): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of stdin) {
    chunks.push(Buffer.from(chunk));
    length += chunk.length;
    if (length > MAX_ARCHIVE_BYTES) break;
  }
  return Buffer.concat(chunks);
}
