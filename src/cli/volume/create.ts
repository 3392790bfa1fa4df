// `volume create`: a volume of this engine, or of another node's. Cluster volumes need CSI drivers and are refused by name.
import { AppError } from '#lib/errors.ts';
import type { CommandSpec } from '../command.ts';
import { nodeFlag } from '../node-flags.ts';
import { mapOf } from '../shared/options.ts';

export const command: CommandSpec = {
  usage: '[OPTIONS] [VOLUME]',
  arguments: { minimum: 0, maximum: 1 },
  flags: [
    { name: 'driver', short: 'd', type: 'string', description: 'Specify volume driver name', default: '"local"' },
    { name: 'label', type: 'list', description: 'Set metadata for a volume' },
    { name: 'name', type: 'string', description: 'Specify volume name', hidden: true },
    nodeFlag,
    { name: 'opt', short: 'o', type: 'map', description: 'Set driver specific options', default: 'map[]' },
  ],
  async run({ flags, args, context, client }) {
    if (flags.has('name') && args.length > 0)
      throw new AppError('invalidArgument', 'conflicting options: cannot specify a volume-name through both --name and as a positional arg');
    const body = {
      Name: args[0] ?? flags.text('name'),
      Driver: flags.has('driver') ? flags.text('driver') : 'local',
      DriverOpts: mapOf(flags.texts('opt')),
      Labels: mapOf(flags.texts('label')),
    };
    const { Name } = await (await client()).call<{ Name: string }>('POST', '/volumes/create', { body });
    context.stdout.write(`${Name}\n`);
    return undefined;
  },
};
