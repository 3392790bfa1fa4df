// Service specs as far as they can be judged alone; whether what they refer to exists is the use case's business. Checks, their order and texts
// are SwarmKit's (manager/controlapi/service.go).
import { AppError, rpcError } from '#lib/errors.ts';
import { DEPENDS_ON_LABEL, dependenciesOfLabels } from '../depends-on.ts';
import type { EndpointSpec, Labels, ServiceMode, ServiceSpec, TaskSpec, UpdateConfig } from '../spec.ts';
import { validateAnnotations } from './annotations.ts';
import { validateConfigReferences, validateContainerSpec, validateSecretReferences } from './container.ts';
import { validateExtras } from './extras.ts';
import { validatePlacement, validateResources, validateRestartPolicy } from './resources.ts';

/** Counts are 64-bit in Docker; what does not fit its signed range counts as negative. */
const COUNT_LIMIT = 2 ** 63;

/** Throws AppError `invalidArgument` (`unknown` for constraints) in Docker's words. */
export function validateServiceSpec(spec: ServiceSpec): void {
  validateAnnotations(spec);
  validateDependencies(spec);
  validateTaskSpec(spec.task, spec.labels);
  validateExtras(spec);
  validateMode(spec.mode, spec.update);
  if (spec.update !== undefined) validateUpdateConfig(spec.update);
  if (spec.rollback !== undefined) validateUpdateConfig(spec.rollback);
  if (spec.endpoint !== undefined) validateEndpoint(spec.endpoint);
}

function validateDependencies({ name, labels }: ServiceSpec): void {
  let dependencies: ReturnType<typeof dependenciesOfLabels>;
  try {
    dependencies = dependenciesOfLabels(labels);
  } catch (error) {
    throw error instanceof AppError ? rpcError('invalidArgument', error.message, { cause: error }) : error;
  }
  const isSelf = dependencies.some(({ service }) => service.toLowerCase() === name.toLowerCase());
  if (isSelf) throw rpcError('invalidArgument', `label ${DEPENDS_ON_LABEL}: service ${name} cannot depend on itself`);
}

function validateTaskSpec(task: TaskSpec, serviceLabels: Labels): void {
  if (task.resources !== undefined) validateResources(task.resources);
  if (task.restart !== undefined) validateRestartPolicy(task.restart);
  if (task.placement !== undefined) validatePlacement(task.placement);
  if (task.runtime.kind !== 'container') throw rpcError('unimplemented', 'RuntimeSpec: unimplemented runtime in service spec');
  const { container } = task.runtime;
  validateSecretReferences(container.secrets ?? []);
  validateConfigReferences(container.configs ?? [], container.privileges);
  validateContainerSpec(task, serviceLabels);
}

function validateMode(mode: ServiceMode, update: UpdateConfig | undefined): void {
  switch (mode.kind) {
    case 'replicated':
      if (!isCount(mode.replicas)) throw rpcError('invalidArgument', 'Number of replicas must be non-negative');
      return;
    case 'global':
      return;
    case 'replicated-job':
      if (!isCount(mode.maxConcurrent)) throw rpcError('invalidArgument', 'Maximum concurrent jobs must not be negative');
      if (!isCount(mode.totalCompletions)) throw rpcError('invalidArgument', 'Total completed jobs must not be negative');
  }
  if (update !== undefined) throw rpcError('invalidArgument', 'Jobs may not have an update config');
}

function isCount(value: number): boolean {
  return Number.isInteger(value) && value >= 0 && value < COUNT_LIMIT;
}

function validateUpdateConfig({ delayNs = 0, monitorNs = 0, maxFailureRatio = 0 }: UpdateConfig): void {
  if (delayNs < 0) throw rpcError('invalidArgument', 'TaskSpec: update-delay cannot be negative');
  if (monitorNs < 0) throw rpcError('invalidArgument', 'TaskSpec: update-monitor cannot be negative');
  if (!(maxFailureRatio >= 0 && maxFailureRatio <= 1)) {
    throw rpcError('invalidArgument', 'TaskSpec: update-maxfailureratio cannot be less than 0 or bigger than 1');
  }
}

function validateEndpoint({ mode, ports }: EndpointSpec): void {
  const published = new Set<string>();
  for (const { protocol, publishedPort = 0, publishMode } of ports ?? []) {
    if (mode === 'dnsrr' && publishMode === 'ingress') {
      throw rpcError('invalidArgument', "EndpointSpec: port published with ingress mode can't be used with dnsrr mode");
    }
    // Ports that are still to be chosen conflict with none.
    if (publishedPort === 0) continue;
    const key = `${protocol}/${publishedPort}`;
    if (published.has(key)) throw rpcError('invalidArgument', 'EndpointSpec: duplicate published ports provided');
    published.add(key);
  }
}
