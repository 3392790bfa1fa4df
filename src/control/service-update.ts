// What a service becomes by an update or a rollback. Pure. The rules are SwarmKit's (manager/controlapi/service.go, UpdateService) and the Docker
// daemon's (registry credentials).
import type { Service } from '#domain/objects.ts';
import type { ServiceSpec } from '#domain/spec.ts';
import { AppError, rpcError } from '#lib/errors.ts';
import { equalSpecs } from '#lib/equal.ts';

export interface ServiceUpdate {
  /** The version that the user saw. */
  readonly version: number;
  /** Validated, with ids for networks and sealed credentials. Ignored by a rollback but for the checks of an update. */
  readonly spec: ServiceSpec;
  readonly registryAuthFrom: 'spec' | 'previous-spec';
  readonly rollback: boolean;
  readonly now: number;
}

/** Throws AppError in Docker's words when the update is not allowed. */
export function updatedService(current: Service, update: ServiceUpdate): Service {
  const spec = withCredentials(current, update);
  assertAllowed(current, spec);
  if (current.version !== update.version) throw rpcError('unknown', 'update out of sequence');
  const { updateStatus: _status, rollout: _rollout, job, ...rest } = current;
  const nextJob = job === undefined ? {} : { job: { iteration: job.iteration + 1, lastExecutionAt: update.now } };
  if (update.rollback) return rolledBack({ ...rest, ...nextJob }, update.now);
  return {
    ...rest,
    ...nextJob,
    previousSpec: current.spec,
    previousSpecVersion: current.specVersion,
    spec,
    // As SwarmKit: the version that the user saw. It grows with every write, so no two specs of a service share one.
    specVersion: current.version,
  };
}

/** The two specs change places, so that a second rollback brings the newer one back. */
function rolledBack(service: Service, now: number): Service {
  if (service.previousSpec === undefined) throw rpcError('failedPrecondition', `service ${service.id} does not have a previous spec`);
  return {
    ...service,
    spec: service.previousSpec,
    specVersion: service.previousSpecVersion ?? 0,
    previousSpec: service.spec,
    previousSpecVersion: service.specVersion,
    updateStatus: { state: 'rollback_started', message: 'manually requested rollback', startedAt: now },
  };
}

function assertAllowed(current: Service, spec: ServiceSpec): void {
  const hasOldNetworks = Boolean(spec.networks?.length || current.spec.networks?.length);
  if (hasOldNetworks && !equalSpecs(spec.networks, current.spec.networks) && equalSpecs(spec.task.networks, current.spec.task.networks)) {
    throw rpcError('unimplemented', 'networks must be migrated to TaskSpec before being changed');
  }
  if (spec.mode.kind !== current.spec.mode.kind) throw rpcError('unimplemented', 'service mode change is not allowed');
  if (spec.name !== current.spec.name) throw rpcError('unimplemented', 'renaming services is not supported');
}

/** Credentials that the request does not bring are kept: those of the present spec, or of the one before. */
function withCredentials(current: Service, { spec, registryAuthFrom }: ServiceUpdate): ServiceSpec {
  if (spec.task.runtime.kind !== 'container' || spec.task.runtime.container.registryAuth) return spec;
  const source = registryAuthFrom === 'spec' ? current.spec : current.previousSpec;
  if (source === undefined) throw new AppError('unknown', 'service does not have a previous spec');
  const registryAuth = source.task.runtime.kind === 'container' ? source.task.runtime.container.registryAuth : undefined;
  if (registryAuth === undefined) return spec;
  return { ...spec, task: { ...spec.task, runtime: { kind: 'container', container: { ...spec.task.runtime.container, registryAuth } } } };
}
