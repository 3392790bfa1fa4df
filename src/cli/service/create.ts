// `service create`.
import type { ServiceCreateResponse } from '#docker-api/service.ts';
import type { CommandSpec, Invocation } from '../command.ts';
import { authHeader } from '../registry/credentials.ts';
import type { PublishedPorts } from '../values/port.ts';
import type { FileReference } from '../values/references.ts';
import { createFlags } from './create-flags.ts';
import { pinImage } from './image.ts';
import { resolveConfigs, resolveNetworks, resolveSecrets } from './references.ts';
import { specOf } from './spec.ts';
import { waitOn } from './progress.ts';

export const command: CommandSpec = {
  usage: '[OPTIONS] IMAGE [COMMAND] [ARG...]',
  arguments: { minimum: 1 },
  flags: createFlags,
  optionsFirst: true,
  async run(invocation) {
    const { flags, args, context, config } = invocation;
    const [image = '', ...rest] = args;
    const spec = specOf({ image, args: rest, flags, environment: context.environment });
    warnOfPorts(invocation, flags.values('publish'));
    const client = await invocation.client();
    const networks = await resolveNetworks(client, spec.TaskTemplate?.Networks ?? []);
    const secrets = await resolveSecrets(client, flags.values<FileReference>('secret'));
    const configs = await resolveConfigs(client, flags.values<FileReference>('config'));
    const auth = flags.bool('with-registry-auth') ? await authHeader(config, image) : undefined;
    const complete = {
      ...spec,
      TaskTemplate: {
        ...spec.TaskTemplate,
        ...(networks.length > 0 ? { Networks: networks } : {}),
        ContainerSpec: {
          ...spec.TaskTemplate?.ContainerSpec,
          ...(secrets.length > 0 ? { Secrets: secrets } : {}),
          ...(configs.length > 0 ? { Configs: configs } : {}),
        },
      },
    };
    const pinned = await pinImage(client, complete, { resolve: !flags.bool('no-resolve-image'), ...(auth === undefined ? {} : { auth }) });
    const { ID, Warnings } = await client.call<ServiceCreateResponse>('POST', '/services/create', {
      body: pinned.spec,
      ...(auth === undefined ? {} : { headers: { 'X-Registry-Auth': auth } }),
    });
    for (const warning of [...(pinned.warning === undefined ? [] : [pinned.warning]), ...(Warnings ?? [])]) context.stderr.write(`${warning}\n`);
    context.stdout.write(`${ID}\n`);
    return flags.bool('detach') ? undefined : waitOn(invocation, ID, { quiet: flags.bool('quiet') });
  },
};

export function warnOfPorts({ context }: Invocation, ports: readonly PublishedPorts[]): void {
  for (const { warning } of ports) if (warning !== undefined) context.stderr.write(`WARNING: ${warning}\n`);
}
