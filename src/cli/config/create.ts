// `config create`.
import { AppError, errorMessage } from '#lib/errors.ts';
import type { CommandSpec } from '../command.ts';
import { readData } from '../secret/create.ts';
import { mapOf } from '../shared/options.ts';

export const command: CommandSpec = {
  usage: '[OPTIONS] CONFIG file|-',
  arguments: { minimum: 2, maximum: 2 },
  flags: [
    { name: 'label', short: 'l', type: 'list', description: 'Config labels' },
    { name: 'template-driver', type: 'string', description: 'Template driver' },
  ],
  completes: 'file',
  async run(invocation) {
    const { flags, args, context } = invocation;
    const [name = '', file = ''] = args;
    const data = await readData(invocation, file).catch((error: unknown) => {
      throw new AppError('invalidArgument', `Error reading content from ${JSON.stringify(file)}: ${errorMessage(error)}`, { cause: error });
    });
    const { ID } = await (await invocation.client()).call<{ ID: string }>('POST', '/configs/create', {
      body: {
        Name: name,
        Labels: mapOf(flags.texts('label')),
        Data: data.toString('base64'),
        ...(flags.text('template-driver') === '' ? {} : { Templating: { Name: flags.text('template-driver') } }),
      },
    });
    context.stdout.write(`${ID}\n`);
    return undefined;
  },
};
