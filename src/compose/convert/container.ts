// A service of a Compose file → the spec of its containers.
import type { ContainerSpec, DnsConfig, HealthConfig, Privileges } from '#domain/spec.ts';
import { parseImageReference } from '#lib/image-reference.ts';
import type { Service } from '../project.ts';
import { byText, compact, type ConvertContext, mistakeAt, nanoseconds, nonEmpty, nonZero, stackLabels } from './common.ts';
import { extraLabels } from './extras.ts';
import { convertConfigReferences, convertSecretReferences, credentialConfigName } from './files.ts';
import { convertMounts } from './mounts.ts';
import { privilegesOfSecurityOptions } from './security.ts';

export function convertContainer(context: ConvertContext, key: string, service: Service): ContainerSpec {
  const capabilities = effectiveCapabilities(service.cap_add, service.cap_drop);
  return compact<ContainerSpec>({
    image: checkImage(context, key, service),
    labels: stackLabels(context.stack, { ...service.labels, ...extraLabels(context, key, service) }),
    command: nonEmpty(service.entrypoint ?? undefined),
    args: nonEmpty(service.command ?? undefined),
    hostname: service.hostname,
    env: nonEmpty(environmentOf(service)),
    dir: service.working_dir,
    user: service.user,
    groups: nonEmpty(service.group_add),
    privileges: convertPrivileges(context, key, service),
    init: service.init,
    stopSignal: service.stop_signal,
    tty: service.tty || undefined,
    openStdin: service.stdin_open || undefined,
    readOnly: service.read_only || undefined,
    mounts: nonEmpty(convertMounts(context, key, service)),
    stopGracePeriodNs: nanoseconds(service.stop_grace_period),
    healthcheck: convertHealthcheck(context, key, service),
    hosts: nonEmpty(service.extra_hosts?.map((line) => hostLine(context, key, line))),
    dns: convertDns(service),
    secrets: nonEmpty(convertSecretReferences(context, key, service)),
    configs: nonEmpty(convertConfigReferences(context, key, service)),
    isolation: convertIsolation(service.isolation),
    sysctls: nonEmpty(service.sysctls),
    capabilityAdd: nonEmpty(capabilities.add),
    capabilityDrop: nonEmpty(capabilities.drop),
    ulimits: nonEmpty(convertUlimits(service)),
    oomScoreAdj: nonZero(service.oom_score_adj),
  });
}

function checkImage(context: ConvertContext, key: string, { image, build }: Service): string {
  const fail = (problem: string) =>
    mistakeAt(context, image === undefined ? `services.${key}` : `services.${key}.image`, `invalid image reference for service ${key}: ${problem}`);
  if (image === undefined || image === '')
    throw fail(`no image specified${build === undefined ? '' : ' (nodes cannot build one: build it, push it, and name it with `image`)'}`);
  if (parseImageReference(image) !== undefined) return image;
  const lower = parseImageReference(image.toLowerCase());
  const name = image.includes('/') ? image : `library/${image}`;
  throw fail(lower !== undefined || /[A-Z]/.test(image) ? `invalid reference format: repository name (${name}) must be lowercase` : 'invalid reference format');
}

/** Sorted, as Docker's CLI sorts it; a variable without a value is only named. */
function environmentOf({ environment = {} }: Service): readonly string[] {
  return Object.entries(environment)
    .map(([name, value]) => (value === null ? name : `${name}=${value}`))
    .sort();
}

function convertPrivileges(context: ConvertContext, key: string, service: Service): Privileges {
  const { credential_spec: credential } = service;
  if (credential === undefined) return privilegesOfSecurityOptions(service.security_opt).privileges;
  const { config, file, registry } = credential;
  const given = [config && 'config', file && 'file', registry && 'registry'].filter((name) => name !== undefined && name !== '');
  const at = `services.${key}.credential_spec`;
  if (given.length > 1) throw mistakeAt(context, at, `invalid credential spec: cannot specify both ${given.map((name) => JSON.stringify(name)).join(' and ')}`);
  const credentialSpec = { config: config === undefined ? '' : credentialConfigName(context, key, config), file: file ?? '', registry: registry ?? '' };
  return { ...(given.length === 0 ? {} : { credentialSpec }), ...privilegesOfSecurityOptions(service.security_opt).privileges };
}

function convertHealthcheck(context: ConvertContext, key: string, { healthcheck }: Service): HealthConfig | undefined {
  if (healthcheck === undefined) return undefined;
  if (healthcheck.disable) {
    if (nonEmpty(healthcheck.test) === undefined || healthcheck.test?.[0] === 'NONE') return { test: ['NONE'] };
    throw mistakeAt(context, `services.${key}.healthcheck`, `service ${key}: test and disable can't be set at the same time`);
  }
  return compact<HealthConfig>({
    test: nonEmpty(healthcheck.test),
    intervalNs: nonZero(nanoseconds(healthcheck.interval)),
    timeoutNs: nonZero(nanoseconds(healthcheck.timeout)),
    startPeriodNs: nonZero(nanoseconds(healthcheck.start_period)),
    startIntervalNs: nonZero(nanoseconds(healthcheck.start_interval)),
    retries: nonZero(healthcheck.retries),
  });
}

/** "name:address" → "address name", as in /etc/hosts. */
function hostLine(context: ConvertContext, key: string, line: string): string {
  const colon = line.indexOf(':');
  if (colon > 0) return `${line.slice(colon + 1)} ${line.slice(0, colon)}`;
  throw mistakeAt(context, `services.${key}.extra_hosts`, `service ${key}: bad format for extra_hosts: ${JSON.stringify(line)} is not name:address`);
}

function convertDns({ dns, dns_search: search, dns_opt: options }: Service): DnsConfig | undefined {
  if (dns === undefined && search === undefined && options === undefined) return undefined;
  return compact<DnsConfig>({ nameservers: nonEmpty(dns), search: nonEmpty(search), options: nonEmpty(options) });
}

function convertIsolation(isolation: string | undefined): ContainerSpec['isolation'] {
  return isolation === 'process' || isolation === 'hyperv' ? isolation : undefined;
}

function convertUlimits({ ulimits = {} }: Service): NonNullable<ContainerSpec['ulimits']> {
  return Object.entries(ulimits)
    .map(([name, limit]) => (typeof limit === 'number' ? { name, hard: limit, soft: limit } : { name, hard: limit.hard, soft: limit.soft }))
    .sort(byText(({ name }) => name));
}

/** In their full names, sorted; `ALL` stands for all others of its list, and what is added is not dropped. Docker's EffectiveCapAddCapDrop. */
function effectiveCapabilities(
  add: readonly string[] = [],
  drop: readonly string[] = [],
): { readonly add: readonly string[]; readonly drop: readonly string[] } {
  const added = capabilitySet(add);
  const dropped = capabilitySet(drop);
  return { add: [...added].sort(), drop: [...dropped].filter((name) => !added.has(name)).sort() };
}

function capabilitySet(names: readonly string[]): ReadonlySet<string> {
  const full = names.map((name) => {
    const upper = name.trim().toUpperCase();
    return upper === 'ALL' || upper === 'RESET' || upper.startsWith('CAP_') ? upper : `CAP_${upper}`;
  });
  return new Set(full.includes('ALL') ? ['ALL'] : full);
}
