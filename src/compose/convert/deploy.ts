// `deploy` and the older keys that mean the same → mode, resources, restart, placement, update and rollback.
import type { GenericResource, Placement, Platform, ResourceRequirements, RestartPolicy, ServiceMode, UpdateConfig } from '#domain/spec.ts';
import type { Service, UpdateSettings } from '../project.ts';
import { compact, type ConvertContext, mistakeAt, nanoseconds, nonEmpty, nonZero } from './common.ts';

export function convertMode(context: ConvertContext, key: string, { deploy, scale }: Service): ServiceMode {
  const replicas = deploy?.replicas ?? scale;
  if (scale !== undefined && scale !== replicas)
    throw mistakeAt(context, `services.${key}.scale`, `service ${key}: can't set distinct values on 'scale' and 'deploy.replicas'`);
  if (replicas !== undefined && replicas < 0) {
    throw mistakeAt(context, `services.${key}.deploy.replicas`, `cannot parse 'Deploy.Replicas', ${replicas} overflows uint`);
  }
  const mode = deploy?.mode || 'replicated';
  switch (mode) {
    case 'replicated':
      return { kind: 'replicated', replicas: replicas ?? 1 };
    case 'replicated-job':
      return { kind: 'replicated-job', maxConcurrent: replicas ?? 1, totalCompletions: replicas ?? 1 };
    case 'global':
    case 'global-job':
      if (deploy?.replicas === undefined) return { kind: mode };
      throw mistakeAt(context, `services.${key}.deploy.replicas`, `service ${key}: replicas can only be used with replicated or replicated-job mode`);
    default:
      throw mistakeAt(context, `services.${key}.deploy.mode`, `service ${key}: Unknown mode: ${mode}`);
  }
}

export function convertUpdate(context: ConvertContext, path: string, settings: UpdateSettings | undefined): UpdateConfig | undefined {
  if (settings === undefined) return undefined;
  const failureAction = settings.failure_action || 'pause';
  if (failureAction !== 'pause' && failureAction !== 'continue' && failureAction !== 'rollback') {
    throw mistakeAt(context, `${path}.failure_action`, `unrecognized update failure action ${failureAction}`);
  }
  return compact<UpdateConfig>({
    parallelism: settings.parallelism ?? 1,
    delayNs: nonZero(nanoseconds(settings.delay)),
    failureAction,
    monitorNs: nonZero(nanoseconds(settings.monitor)),
    maxFailureRatio: nonZero(settings.max_failure_ratio),
    order: settings.order === 'start-first' ? 'start-first' : 'stop-first',
  });
}

/**
 * `deploy.restart_policy`, else `restart`; without either, whoever others wait for to complete runs until it has. Docker's CLI sends nothing for `restart: "no"`, which then means to restart always; here it means what it says.
 */
export function convertRestart(context: ConvertContext, key: string, { restart, deploy }: Service): RestartPolicy | undefined {
  const policy = deploy?.restart_policy;
  if (policy !== undefined) {
    const condition = policy.condition || 'any';
    if (condition !== 'none' && condition !== 'on-failure' && condition !== 'any') {
      throw mistakeAt(context, `services.${key}.deploy.restart_policy.condition`, `invalid RestartCondition: ${JSON.stringify(condition)}`);
    }
    const windowNs = nanoseconds(policy.window);
    return compact<RestartPolicy>({ condition, delayNs: nanoseconds(policy.delay), maxAttempts: policy.max_attempts ?? 0, windowNs });
  }
  if (restart === undefined || restart === '') return isWaitedForToComplete(context, key) ? { condition: 'on-failure', maxAttempts: 0 } : undefined;
  const [word = '', attempts] = restart.split(':');
  const isCounted = attempts === undefined || /^[0-9]+$/.test(attempts);
  if (word === 'no' && attempts === undefined) return { condition: 'none', maxAttempts: 0 };
  if ((word === 'always' || word === 'unless-stopped') && attempts === undefined) return { condition: 'any', maxAttempts: 0 };
  if (word === 'on-failure' && isCounted) return { condition: 'on-failure', maxAttempts: Number(attempts ?? 0) };
  throw mistakeAt(context, `services.${key}.restart`, `service ${key}: unknown restart policy: ${restart}`);
}

function isWaitedForToComplete({ loaded }: ConvertContext, key: string): boolean {
  return Object.values(loaded.project.services).some(({ depends_on: on }) => on?.[key]?.condition === 'service_completed_successfully');
}

export function convertPlacement(service: Service): Placement {
  const { placement } = service.deploy ?? {};
  return compact<Placement>({
    constraints: nonEmpty(placement?.constraints),
    preferences: nonEmpty(placement?.preferences?.flatMap(({ spread }) => (spread === undefined ? [] : [{ spread }]))),
    maxReplicas: nonZero(placement?.max_replicas_per_node),
    platforms: service.platform === undefined ? undefined : [platformOf(service.platform)],
  });
}

/** "linux/arm64/v8": nodes do not tell variants apart. */
function platformOf(text: string): Platform {
  const [os = '', architecture = ''] = text.split('/');
  return architecture === '' ? { os: 'linux', architecture: os } : { os, architecture };
}

/** Limits and reservations of `deploy`, and where it is silent those of the older keys. */
export function convertResources(context: ConvertContext, key: string, service: Service): ResourceRequirements {
  const { limits, reservations } = service.deploy?.resources ?? {};
  const path = `services.${key}`;
  const limitCpus = cpus(context, `${path}.deploy.resources.limits.cpus`, limits?.cpus ?? service.cpus);
  const limited = compact<NonNullable<ResourceRequirements['limits']>>({
    nanoCpus: nonZero(limitCpus),
    memoryBytes: nonZero(Number(limits?.memory ?? service.mem_limit)),
    pids: nonZero(limits?.pids ?? (service.pids_limit === undefined || service.pids_limit < 0 ? undefined : service.pids_limit)),
  });
  const reserved = compact<NonNullable<ResourceRequirements['reservations']>>({
    nanoCpus: nonZero(cpus(context, `${path}.deploy.resources.reservations.cpus`, reservations?.cpus)),
    memoryBytes: nonZero(Number(reservations?.memory ?? service.mem_reservation)),
    generic: nonEmpty(reservations?.generic_resources?.flatMap(({ discrete_resource_spec: spec }) => (spec ? [discrete(spec)] : []))),
  });
  return compact<ResourceRequirements>({
    limits: limits === undefined ? nonEmpty(limited) : limited,
    reservations: reservations === undefined ? nonEmpty(reserved) : reserved,
    swapBytes: swapBytes(context, key, service, limited.memoryBytes),
    memorySwappiness: service.mem_swappiness,
  });
}

function discrete({ kind, value }: { readonly kind: string; readonly value: number }): GenericResource {
  return { kind: 'discrete', name: kind, value };
}

/** `memswap_limit` counts memory and swap together, a spec the swap alone. */
function swapBytes(context: ConvertContext, key: string, service: Service, memoryBytes: number | undefined): number | undefined {
  if (service.memswap_limit === undefined) return undefined;
  const total = Number(service.memswap_limit);
  if (total === -1) return -1;
  if (total === 0) return undefined;
  if (memoryBytes === undefined) throw mistakeAt(context, `services.${key}.memswap_limit`, `service ${key}: memswap_limit needs a memory limit`);
  if (total < memoryBytes) {
    throw mistakeAt(
      context,
      `services.${key}.memswap_limit`,
      `service ${key}: memswap_limit is memory and swap together and cannot be less than the memory limit`,
    );
  }
  return total - memoryBytes;
}

const DECIMAL = /^([0-9]*)(?:\.([0-9]*))?$/;

/** Billionths of a CPU; exact, as Docker demands. */
function cpus(context: ConvertContext, path: string, text: string | undefined): number | undefined {
  if (text === undefined || text === '') return undefined;
  const match = DECIMAL.exec(text);
  if (!match || (match[1] === '' && !match[2])) throw mistakeAt(context, path, `failed to parse ${text} as a rational number`);
  const fraction = (match[2] ?? '').replace(/0+$/, '');
  if (fraction.length > 9) throw mistakeAt(context, path, 'value is too precise');
  return Number(match[1] || '0') * 1e9 + Number(fraction.padEnd(9, '0'));
}
