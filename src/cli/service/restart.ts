// `service restart`, `stop` and `start`: verbs that docker leaves to tricks with --force and --replicas 0.
import type { ServiceSpec } from '#docker-api/service-spec.ts';
import { AppError } from '#lib/errors.ts';
import type { CommandSpec, Invocation } from '../command.ts';
import { forEach } from '../shared/each.ts';
import { detachServiceFlag, quietProgressFlag } from '../shared/options.ts';
import { readService, writeService } from './change.ts';
import { waitOn } from './progress.ts';

/** Where a stopped service keeps the number of its replicas. */
const STOPPED_LABEL = 'com.docker.skep.stopped.replicas';

function changing(change: (spec: ServiceSpec, reference: string) => ServiceSpec): CommandSpec {
  return {
    usage: '[OPTIONS] SERVICE [SERVICE...]',
    arguments: { minimum: 1 },
    flags: [detachServiceFlag, quietProgressFlag],
    completes: 'service',
    async run(invocation) {
      const { flags, args } = invocation;
      await forEach(invocation, args, (reference) => changeOne(invocation, reference, change));
      for (const reference of flags.bool('detach') ? [] : args) await waitOn(invocation, reference, { quiet: flags.bool('quiet') });
      return undefined;
    },
  };
}

async function changeOne({ client, context }: Invocation, reference: string, change: (spec: ServiceSpec, reference: string) => ServiceSpec): Promise<string> {
  const daemon = await client();
  const service = await readService(daemon, reference);
  for (const warning of await writeService(daemon, service, change(service.Spec, reference))) context.stderr.write(`${warning}\n`);
  return reference;
}

export const restart = changing((spec) => ({ ...spec, TaskTemplate: { ...spec.TaskTemplate, ForceUpdate: (spec.TaskTemplate?.ForceUpdate ?? 0) + 1 } }));

export const stop = changing((spec, reference) => {
  if (!spec.Mode?.Replicated)
    throw new AppError('invalidArgument', `${reference}: only replicated services can be stopped; remove the others with \`service rm\``);
  const replicas = spec.Mode.Replicated.Replicas ?? 1;
  if (replicas === 0) return spec;
  return { ...spec, Labels: { ...spec.Labels, [STOPPED_LABEL]: String(replicas) }, Mode: { Replicated: { Replicas: 0 } } };
});

export const start = changing((spec, reference) => {
  if (!spec.Mode?.Replicated) throw new AppError('invalidArgument', `${reference}: only replicated services can be started`);
  const { [STOPPED_LABEL]: kept, ...labels } = spec.Labels ?? {};
  if ((spec.Mode.Replicated.Replicas ?? 1) > 0) return { ...spec, Labels: labels };
  return { ...spec, Labels: labels, Mode: { Replicated: { Replicas: Number(kept ?? 1) || 1 } } };
});
