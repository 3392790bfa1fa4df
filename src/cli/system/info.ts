// `info`: the engine, and the swarm as this node sees it.
import { errorMessage } from '#lib/errors.ts';
import { type CommandSpec, ExitError } from '../command.ts';
import { formatted, namedValue } from '../format/template.ts';
import { formatOf, inspectFormatFlag, jsonFlag } from '../shared/options.ts';
import { type Info, infoText } from './info-text.ts';

export const command: CommandSpec = {
  usage: '[OPTIONS]',
  arguments: { minimum: 0, maximum: 0 },
  flags: [inspectFormatFlag, jsonFlag],
  async run(invocation) {
    const { context, where } = invocation;
    const client = { Debug: false, Version: context.version, Context: where.context, Os: process.platform, Plugins: [], Warnings: null };
    const format = formatOf(invocation);
    let info: Info | undefined;
    let failure: unknown;
    try {
      info = await (await invocation.client()).call<Info>('GET', '/info');
    } catch (error) {
      failure = error;
    }
    if (format !== '') {
      const value = { ...info, ...(failure === undefined ? {} : { ServerErrors: [errorMessage(failure)] }), ClientInfo: client };
      context.stdout.write(`${format === 'json' ? JSON.stringify(value) : formatted(format, namedValue('system.dockerInfo', value), failure)}\n`);
      if (failure !== undefined) context.stderr.write(`${errorMessage(failure)}\n`);
      return failure === undefined ? 0 : 1;
    }
    context.stdout.write(`Client:\n Version:    ${context.version}\n Context:    ${where.context}\n Debug Mode: false\n\nServer:\n`);
    if (info === undefined) {
      context.stderr.write(`ERROR: ${errorMessage(failure)}\nerrors pretty printing info\n`);
      throw new ExitError(1);
    }
    context.stdout.write(infoText(info));
    for (const warning of [...(info.Warnings ?? []), ...(info.Swarm.Warnings ?? [])]) context.stderr.write(`${warning}\n`);
    return undefined;
  },
};
