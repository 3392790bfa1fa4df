// Engine options in labels of a container spec: what they say, and whether it agrees with the rest of the spec. What only some engines can do is for nodes.
import { AppError, rpcError } from '#lib/errors.ts';
import { type ContainerExtras, extrasOfLabels } from '../extras.ts';
import type { ServiceSpec } from '../spec.ts';

/** Throws AppError `invalidArgument` that names the label. */
export function validateExtras({ task, networks, endpoint }: Pick<ServiceSpec, 'task' | 'networks' | 'endpoint'>): void {
  if (task.runtime.kind !== 'container') return;
  const extras = readExtras(task.runtime.container.labels);
  const refuse = (problem: string) => rpcError('invalidArgument', `ContainerSpec: ${problem}`);
  if (task.resources?.limits?.nanoCpus) {
    // The engine's own words.
    if (extras.cpuPeriodUs) throw refuse('Conflicting options: Nano CPUs and CPU Period cannot both be set.');
    if (extras.cpuQuotaUs) throw refuse('Conflicting options: Nano CPUs and CPU Quota cannot both be set.');
  }
  if (extras.utsMode === 'host' && task.runtime.container.hostname) throw refuse('conflicting options: hostname and the UTS mode');
  if (extras.networkMode === undefined) return;
  if ((task.networks ?? networks ?? []).length > 0) throw refuse('network_mode none: the service is attached to networks');
  if ((endpoint?.ports ?? []).length > 0) throw refuse('network_mode none: the service publishes ports');
}

function readExtras(labels: Readonly<Record<string, string>> | undefined): ContainerExtras {
  try {
    return extrasOfLabels(labels);
  } catch (error) {
    throw error instanceof AppError ? rpcError('invalidArgument', `ContainerSpec: ${error.message}`, { cause: error }) : error;
  }
}
