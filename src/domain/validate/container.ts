// Container specs: image, mounts, health check, references to secrets and configs, templates. Texts are SwarmKit's
// (manager/controlapi/service.go).
import { AppError, rpcError } from '#lib/errors.ts';
import { quote } from '#lib/go-template/quote.ts';
import { parseImageReference } from '#lib/image-reference.ts';
import type { Labels } from '../spec.ts';
import type { ConfigReference, ContainerSpec, HealthConfig, Mount, Privileges, SecretReference, TaskSpec } from '../spec.ts';
import { expandContainerSpec } from '../template-context.ts';

const MILLISECOND_NS = 1_000_000;

/** Templates are tried on a made-up task of the service, so that a mistake in one is told here and not on a node. */
export function validateContainerSpec(task: TaskSpec, serviceLabels: Labels): void {
  const container = expandForCheck(task, serviceLabels);
  validateImage(container.image);
  validateMounts(container.mounts ?? []);
  if (container.healthcheck !== undefined) validateHealthcheck(container.healthcheck);
}

function expandForCheck(task: TaskSpec, serviceLabels: Labels): ContainerSpec {
  const sample = { id: 'taskid', serviceId: 'serviceid', serviceName: 'servicename', serviceLabels, slot: 1, nodeId: 'nodeid', spec: task };
  try {
    return expandContainerSpec(sample, { hostname: 'nodeHostname', platform: { os: 'os', architecture: 'architecture' } });
  } catch (error) {
    throw error instanceof AppError ? rpcError('invalidArgument', error.message, { cause: error }) : error;
  }
}

function validateImage(image: string): void {
  if (image === '') throw rpcError('invalidArgument', 'ContainerSpec: image reference must be provided');
  if (parseImageReference(image) === undefined) throw rpcError('invalidArgument', `ContainerSpec: ${quote(image)} is not a valid repository/tag`);
}

function validateMounts(mounts: readonly Mount[]): void {
  const targets = new Set<string>();
  for (const { target } of mounts) {
    if (targets.has(target)) throw rpcError('invalidArgument', `ContainerSpec: duplicate mount point: ${target}`);
    targets.add(target);
  }
}

function validateHealthcheck(health: HealthConfig): void {
  const durations = { Interval: health.intervalNs, Timeout: health.timeoutNs, StartPeriod: health.startPeriodNs, StartInterval: health.startIntervalNs };
  for (const [name, durationNs = 0] of Object.entries(durations)) {
    if (durationNs !== 0 && durationNs < MILLISECOND_NS) {
      throw rpcError('invalidArgument', `ContainerSpec: ${name} in HealthConfig cannot be less than 1ms`);
    }
  }
  if ((health.retries ?? 0) < 0) throw rpcError('invalidArgument', 'ContainerSpec: Retries in HealthConfig cannot be negative');
}

export function validateSecretReferences(references: readonly SecretReference[]): void {
  const nameOfTarget = new Map<string, string>();
  for (const { secretId, secretName, file } of references) {
    if (secretId === '' || secretName === '') throw rpcError('invalidArgument', 'malformed secret reference');
    claimTarget('secret', nameOfTarget, secretName, file.name);
  }
}

export function validateConfigReferences(references: readonly ConfigReference[], privileges: Privileges | undefined): void {
  const nameOfTarget = new Map<string, string>();
  const runtimeIds = new Set<string>();
  for (const { configId, configName, target } of references) {
    if (configId === '' || configName === '') throw rpcError('invalidArgument', 'malformed config reference');
    if (target.kind === 'file') claimTarget('config', nameOfTarget, configName, target.file.name);
    else runtimeIds.add(configId);
  }
  const credentialConfig = privileges?.credentialSpec?.config;
  if (!credentialConfig || runtimeIds.has(credentialConfig)) return;
  const message = `CredentialSpec references config '${credentialConfig}', but that config isn't in config references with RuntimeTarget`;
  throw rpcError('invalidArgument', message);
}

function claimTarget(kind: 'secret' | 'config', nameOfTarget: Map<string, string>, name: string, target: string): void {
  if (target === '') throw rpcError('invalidArgument', `malformed file ${kind} reference, invalid target file name provided`);
  const previous = nameOfTarget.get(target);
  if (previous !== undefined) throw rpcError('invalidArgument', `${kind} references '${previous}' and '${name}' have a conflicting target: '${target}'`);
  nameOfTarget.set(target, name);
}
