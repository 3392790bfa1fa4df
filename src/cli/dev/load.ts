// `dev load`.
import { createReadStream, existsSync, rmSync } from 'node:fs';
import { resolve } from 'node:path';
import { Readable } from 'node:stream';
import { keepInput, loadImages, machineEngine, placeForTar, saveImages } from '#dev/images.ts';
import { findCluster, type NodeStatus, statusOf } from '#dev/status.ts';
import { AppError, errorMessage } from '#lib/errors.ts';
import { type CommandSpec, type Invocation, UsageError } from '../command.ts';
import { baseOf, nameFlag, nameOf } from './shared.ts';

export const command: CommandSpec = {
  usage: '[OPTIONS] [IMAGE...]',
  arguments: { minimum: 0 },
  flags: [
    nameFlag,
    { name: 'input', short: 'i', type: 'string', description: 'Read from a tar archive file in place of an engine; - is standard input' },
    { name: 'from', type: 'string', description: "Address of the engine that has the images (default this machine's)" },
  ],
  async run(invocation) {
    const { flags, args } = invocation;
    if (flags.has('input') === args.length > 0) throw new UsageError('name images of this machine, or a tar archive with --input', 1);
    const known = findCluster(baseOf(invocation), nameOf(invocation));
    const nodes = await statusOf(known);
    const off = nodes.filter(({ state }) => state !== 'running' && state !== 'no skepd');
    if (off.length > 0)
      throw new AppError('failedPrecondition', `these nodes have no engine now: ${off.map(({ name }) => name).join(', ')}; \`skep dev start\` them first`);
    const kept = placeForTar(known.place.folder);
    try {
      return await loadEverywhere(invocation, nodes, await tarOf(invocation, kept));
    } finally {
      rmSync(kept, { force: true });
    }
  },
};

/** The file to load: the one that was named, or one that is written now. */
async function tarOf({ flags, args, context }: Invocation, kept: string): Promise<string> {
  if (!flags.has('input')) {
    await saveImages(await machineEngine(flags.has('from') ? flags.text('from') : undefined), args, kept);
    return kept;
  }
  const input = flags.text('input');
  if (input === '-') {
    await keepInput(Readable.from(context.stdin), kept);
    return kept;
  }
  const file = resolve(context.workingDirectory, input);
  if (!existsSync(file)) throw new AppError('notFound', `open ${input}: no such file or directory`);
  // A named pipe can be read only once.
  await keepInput(createReadStream(file), kept);
  return kept;
}

async function loadEverywhere({ context }: Invocation, nodes: readonly NodeStatus[], file: string): Promise<number | undefined> {
  let failed = false;
  await Promise.all(
    nodes.map(async ({ name, engineSocket }) => {
      try {
        for (const line of await loadImages(engineSocket, file)) context.stdout.write(`${name}: ${line}\n`);
      } catch (error) {
        failed = true;
        context.stderr.write(`${name}: ${errorMessage(error)}\n`);
      }
    }),
  );
  return failed ? 1 : undefined;
}
