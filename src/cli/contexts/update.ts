// `context update`: another description, another endpoint. What is not named stays, other programs' endpoints too.
import { checkContextName, type DaemonContext, readContext, readTls, writeContext } from '#client/contexts.ts';
import { AppError } from '#lib/errors.ts';
import type { CommandSpec, Invocation } from '../command.ts';
import { dockerFlag, endpointOf, settingsOf, tlsOf } from './endpoint.ts';

export const command: CommandSpec = {
  usage: '[OPTIONS] CONTEXT',
  arguments: { minimum: 1, maximum: 1 },
  flags: [{ name: 'description', type: 'string', description: 'Description of the context' }, dockerFlag],
  completes: 'context',
  async run(invocation) {
    const { args, flags, context, config } = invocation;
    const [name = ''] = args;
    checkContextName(name);
    const before = readContext(config.folder, name);
    const description = flags.text('description');
    const tls = readTls(config.folder, name);
    const endpoint = flags.has('docker') ? dockerEndpoint(invocation, settingsOf(flags.text('docker'))) : undefined;
    const after: DaemonContext = {
      Name: name,
      // An empty description changes nothing, as with docker.
      Metadata: description === '' ? before.Metadata : { ...before.Metadata, Description: description },
      Endpoints: endpoint === undefined ? before.Endpoints : { ...before.Endpoints, docker: endpoint.docker },
    };
    const others = [...tls].filter(([path]) => !path.startsWith('docker/'));
    writeContext(config.folder, after, endpoint === undefined ? tls : new Map([...others, ...endpoint.tls]));
    context.stdout.write(`${name}\n`);
    context.stderr.write(`Successfully updated context "${name}"\n`);
    return undefined;
  },
};

type DockerEndpoint = NonNullable<DaemonContext['Endpoints']['docker']>;

/** Another context's endpoint, or one of the option's own; either takes the old one's place as a whole, its TLS files too. */
function dockerEndpoint(
  invocation: Invocation,
  settings: ReadonlyMap<string, string>,
): { readonly docker: DockerEndpoint; readonly tls: ReadonlyMap<string, Uint8Array> } {
  const { config, context } = invocation;
  const from = settings.get('from');
  if (from === undefined) return { docker: endpointOf(settings, () => invocation.where), tls: tlsOf(settings, context.workingDirectory) };
  const { docker } = readContext(config.folder, from).Endpoints;
  if (docker === undefined) throw new AppError('invalidArgument', `unable to create docker endpoint config: context "${from}" has no Docker endpoint`);
  return { docker, tls: new Map([...readTls(config.folder, from)].filter(([path]) => path.startsWith('docker/'))) };
}
