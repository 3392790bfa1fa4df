// `service update`.
import type { ServiceSpec } from '#docker-api/service-spec.ts';
import { AppError } from '#lib/errors.ts';
import type { CommandSpec } from '../command.ts';
import { authHeader } from '../registry/credentials.ts';
import type { FileReference } from '../values/references.ts';
import { readService, writeService } from './change.ts';
import { warnOfPorts } from './create.ts';
import { pinImage } from './image.ts';
import { waitOn } from './progress.ts';
import { networkId, resolveConfigs, resolveSecrets } from './references.ts';
import { changedServiceSpec } from './update-spec.ts';
import { updateFlags } from './update-flags.ts';

export const command: CommandSpec = {
  usage: '[OPTIONS] SERVICE',
  arguments: { minimum: 1, maximum: 1 },
  flags: updateFlags,
  completes: 'service',
  async run(invocation) {
    const { flags, args, context, config } = invocation;
    const [reference = ''] = args;
    const client = await invocation.client();
    const service = await readService(client, reference);
    const isRollback = flags.bool('rollback');
    // How the answer is shown may be chosen with it; nothing of the spec may.
    if (isRollback && flags.given.some((name) => !['rollback', 'detach', 'quiet'].includes(name)))
      throw new AppError('invalidArgument', 'other flags may not be combined with --rollback');
    let spec: ServiceSpec = service.Spec;
    let warning: string | undefined;
    const auth = flags.bool('with-registry-auth')
      ? await authHeader(config, flags.text('image') || (spec.TaskTemplate?.ContainerSpec?.Image ?? ''))
      : undefined;
    if (!isRollback) {
      warnOfPorts(invocation, flags.values('publish-add'));
      spec = changedServiceSpec(spec, {
        flags,
        environment: context.environment,
        networksToAdd: await Promise.all(
          flags.values<{ Target: string }>('network-add').map(async (network) => ({ ...network, Target: await networkId(client, network.Target) })),
        ),
        networksToRemove: await Promise.all(flags.texts('network-rm').map((name) => networkId(client, name))),
        secretsToAdd: await resolveSecrets(client, flags.values<FileReference>('secret-add')),
        configsToAdd: await resolveConfigs(client, flags.values<FileReference>('config-add')),
      });
      if (flags.has('image'))
        ({ spec, warning } = {
          warning: undefined,
          ...(await pinImage(client, spec, { resolve: !flags.bool('no-resolve-image'), ...(auth === undefined ? {} : { auth }) })),
        });
    }
    const warnings = await writeService(client, service, spec, { rollback: isRollback, ...(auth === undefined ? {} : { auth }) });
    for (const text of [...(warning === undefined ? [] : [warning]), ...warnings]) context.stderr.write(`${text}\n`);
    context.stdout.write(`${reference}\n`);
    return flags.bool('detach') ? undefined : waitOn(invocation, reference, { quiet: flags.bool('quiet') });
  },
};
