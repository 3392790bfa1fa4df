// `stack config`: the Compose files as one, checked and with their variables replaced. Works without a daemon.
import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { imageNames, printProject, serviceNames } from '#compose/index.ts';
import { AppError } from '#lib/errors.ts';
import { familiarImage } from '#lib/image-reference.ts';
import type { CommandSpec } from '../command.ts';
import type { Flags } from '../flags.ts';
import { segment } from '../shared/each.ts';
import { formatOf, jsonFlag } from '../shared/options.ts';
import { fileError } from '../shared/file-error.ts';
import { composeFiles, composeFlags, load } from './load.ts';
import { formatWarnings } from '#compose/index.ts';

export const command: CommandSpec = {
  usage: '[OPTIONS]',
  arguments: { minimum: 0, maximum: 0 },
  flags: [
    ...composeFlags,
    { name: 'format', type: 'string', description: 'Format of the output ("yaml", "json")', default: '"yaml"', choices: ['yaml', 'json'] },
    { name: 'images', description: 'Print the image names, one per line' },
    jsonFlag,
    { name: 'networks', description: 'Print the network names, one per line' },
    { name: 'no-interpolate', description: 'The same as --skip-interpolation' },
    { name: 'output', short: 'o', type: 'string', description: 'Write to a file in place of the standard output' },
    { name: 'quiet', short: 'q', description: 'Only check the files, and print nothing but warnings' },
    { name: 'resolve-image-digests', description: 'Put digests in the place of tags' },
    { name: 'services', description: 'Print the service names, one per line' },
    { name: 'skip-interpolation', description: 'Skip interpolation and output only merged config' },
    { name: 'volumes', description: 'Print the volume names, one per line' },
  ],
  completes: 'file',
  async run(invocation) {
    const { flags, context } = invocation;
    const files = composeFiles(invocation);
    if (files.length === 0) throw new AppError('invalidArgument', 'Specify a Compose file (with --compose-file)');
    const format = formatOf(invocation) || 'yaml';
    if (format !== 'yaml' && format !== 'json') throw new AppError('invalidArgument', `invalid format ${JSON.stringify(format)}: use "yaml" or "json"`);
    const interpolate = !flags.bool('skip-interpolation') && !flags.bool('no-interpolate');
    const { project } = load(invocation, files, interpolate);
    context.stderr.write(formatWarnings(project.warnings));
    const resolved = flags.bool('resolve-image-digests') ? await withDigests(project, await invocation.client()) : project;
    if (flags.bool('quiet')) return undefined;
    const text =
      namesAsked(flags, resolved)
        ?.map((name) => `${name}\n`)
        .join('') ?? printProject(resolved, { format });
    const output = flags.text('output');
    if (output === '') context.stdout.write(text);
    else writeOutput(resolve(context.workingDirectory, output), output, text);
    return undefined;
  },
};

/** What is asked for by name only; undefined: the whole. */
function namesAsked(flags: Flags, { project }: LoadedProject): readonly string[] | undefined {
  if (flags.bool('services')) return serviceNames(project);
  if (flags.bool('images')) return imageNames(project);
  if (flags.bool('volumes')) return Object.keys(project.volumes ?? {}).toSorted();
  return flags.bool('networks') ? Object.keys(project.networks ?? {}).toSorted() : undefined;
}

function writeOutput(path: string, shown: string, text: string): void {
  try {
    writeFileSync(path, text);
  } catch (error) {
    throw fileError('open', shown, error);
  }
}

type LoadedProject = ReturnType<typeof load>['project'];
type Client = Awaited<ReturnType<Parameters<CommandSpec['run']>[0]['client']>>;

async function withDigests(loaded: LoadedProject, client: Client): Promise<LoadedProject> {
  const services = await Promise.all(
    Object.entries(loaded.project.services).map(async ([key, service]) => {
      const { image } = service;
      if (image === undefined || image.includes('@')) return [key, service] as const;
      const { Descriptor } = await client.call<{ Descriptor: { digest: string } }>('GET', `/distribution/${image.split('/').map(segment).join('/')}/json`);
      return [key, { ...service, image: `${familiarImage(image)}@${Descriptor.digest}` }] as const;
    }),
  );
  return { ...loaded, project: { ...loaded.project, services: Object.fromEntries(services) } };
}
