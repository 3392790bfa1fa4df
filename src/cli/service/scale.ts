// `service scale`.
import type { ServiceSpec } from '#docker-api/service-spec.ts';
import { AppError, errorMessage } from '#lib/errors.ts';
import { type CommandSpec, ExitError } from '../command.ts';
import { detachServiceFlag } from '../shared/options.ts';
import { parseUint64 } from '../values/basic.ts';
import { readService, writeService } from './change.ts';
import { waitOn } from './progress.ts';

export const command: CommandSpec = {
  usage: 'SERVICE=REPLICAS [SERVICE=REPLICAS...]',
  arguments: { minimum: 1 },
  flags: [detachServiceFlag],
  completes: 'service',
  async run(invocation) {
    const { flags, args, context } = invocation;
    const wrong = args.find((text) => !/^[^=]+=./.test(text));
    if (wrong !== undefined) {
      const { programName } = context;
      throw new AppError(
        'invalidArgument',
        `invalid scale specifier '${wrong}'.\nSee '${programName} service scale --help'.\n\nUsage:  ${programName} service scale ${command.usage}\n\nScale one or multiple replicated services`,
      );
    }
    const client = await invocation.client();
    const failures: string[] = [];
    const scaled: { readonly id: string; readonly reference: string }[] = [];
    for (const text of args) {
      const equals = text.indexOf('=');
      const [reference, number] = [text.slice(0, equals), text.slice(equals + 1)];
      try {
        const replicas = replicasOf(number);
        const service = await readService(client, reference);
        for (const warning of await writeService(client, service, withReplicas(service.Spec, replicas))) context.stderr.write(`${warning}\n`);
        context.stdout.write(`${reference} scaled to ${replicas}\n`);
        scaled.push({ id: service.ID, reference });
      } catch (error) {
        failures.push(`${reference}: ${errorMessage(error)}`);
      }
    }
    for (const { id, reference } of flags.bool('detach') ? [] : scaled) {
      await waitOn(invocation, id, { quiet: false, shownAs: reference }).catch((error: unknown) => failures.push(`${reference}: ${errorMessage(error)}`));
    }
    if (failures.length === 0) return undefined;
    context.stderr.write(`${failures.join('\n')}\n`);
    throw new ExitError(1);
  },
};

function replicasOf(text: string): number {
  try {
    return parseUint64(text);
  } catch (error) {
    throw new AppError('invalidArgument', `invalid replicas value ${text}: ${errorMessage(error)}`);
  }
}

export function withReplicas(spec: ServiceSpec, replicas: number): ServiceSpec {
  const { Mode = {} } = spec;
  if (Mode.Replicated) return { ...spec, Mode: { Replicated: { Replicas: replicas } } };
  if (Mode.ReplicatedJob) return { ...spec, Mode: { ReplicatedJob: { ...Mode.ReplicatedJob, TotalCompletions: replicas } } };
  throw new AppError('invalidArgument', 'scale can only be used with replicated or replicated-job mode');
}
