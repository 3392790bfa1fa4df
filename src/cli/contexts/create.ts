// `context create`: a name for a daemon elsewhere, kept where the docker CLI keeps its own.
import { checkContextName, type DaemonContext, listContexts, readContext, readTls, writeContext } from '#client/contexts.ts';
import { AppError } from '#lib/errors.ts';
import type { CommandSpec } from '../command.ts';
import { dockerFlag, endpointOf, settingsOf, tlsOf } from './endpoint.ts';

export const command: CommandSpec = {
  usage: '[OPTIONS] CONTEXT',
  arguments: { minimum: 1, maximum: 1 },
  flags: [
    { name: 'description', type: 'string', description: 'Description of the context' },
    dockerFlag,
    { name: 'from', type: 'string', description: 'Create context from a named context' },
  ],
  async run(invocation) {
    const { args, flags, context, config } = invocation;
    const [name = ''] = args;
    checkContextName(name);
    if (listContexts(config.folder).some(({ Name }) => Name === name)) throw new AppError('alreadyExists', `context "${name}" already exists`);
    const settings = settingsOf(flags.text('docker'));
    const from = flags.text('from') || settings.get('from');
    const base = from === undefined ? undefined : readContext(config.folder, from);
    const description = flags.text('description') || base?.Metadata.Description;
    const made: DaemonContext = {
      Name: name,
      Metadata: description ? { Description: description } : {},
      Endpoints: {
        docker: settings.has('host') || base === undefined ? endpointOf(settings, () => invocation.where) : (base.Endpoints.docker ?? { SkipTLSVerify: false }),
      },
    };
    writeContext(config.folder, made, settings.has('host') || from === undefined ? tlsOf(settings, context.workingDirectory) : readTls(config.folder, from));
    context.stdout.write(`${name}\n`);
    context.stderr.write(`Successfully created context "${name}"\n`);
    return undefined;
  },
};
