// A service's spec → a service of a Compose file: the reverse of convert/. What Compose has no key for is left to the remainder.
import { Buffer } from 'node:buffer';
import { dependenciesOf, DEPENDS_ON_LABEL } from '#domain/depends-on.ts';
import type { ContainerSpec, HealthConfig, Mount, NetworkAttachmentConfig, PortConfig, Privileges, ServiceSpec, TaskSpec, UpdateConfig } from '#domain/spec.ts';
import { compact, IMAGE_LABEL, NAMESPACE_LABEL, nonEmpty } from '../convert/common.ts';
import { NETWORK_MODES } from '../convert/networks.ts';
import type { DependsOn, Deploy, FileReference, Healthcheck, Port, Service, ServiceNetwork, ServiceVolume, TextMap, UpdateSettings } from '../project.ts';
import { formatDuration } from '#lib/duration.ts';
import { exportExtras } from './extras.ts';

/** How the stack's objects are called in the Compose file: full name → key. */
export interface ExportKeys {
  /** Only those that a dependency can name. */
  readonly services: ReadonlyMap<string, string>;
  readonly networks: ReadonlyMap<string, string>;
  readonly volumes: ReadonlyMap<string, string>;
  readonly secrets: ReadonlyMap<string, string>;
  readonly configs: ReadonlyMap<string, string>;
}

export function exportService(key: string, spec: ServiceSpec, keys: ExportKeys): Service {
  const { runtime } = spec.task;
  if (runtime.kind !== 'container') return {};
  const { container } = runtime;
  const dependsOn = exportDependencies(spec.labels, keys);
  return compact<Service>({
    ...exportContainer(container, keys),
    depends_on: dependsOn,
    deploy: nonEmpty(exportDeploy(spec, dependsOn !== undefined)),
    logging: spec.task.logDriver && compact({ driver: spec.task.logDriver.name || undefined, options: nonEmpty(spec.task.logDriver.options) }),
    ...exportNetworks(key, spec.task.networks ?? [], keys),
    ports: nonEmpty(spec.endpoint?.ports?.map(exportPort)),
    ...exportResourceKeys(spec.task),
  });
}

function exportContainer(container: ContainerSpec, keys: ExportKeys): Service {
  const { healthcheck, dns } = container;
  const extras = exportExtras(container.labels);
  return compact<Service>({
    ...extras.keys,
    cap_add: nonEmpty(container.capabilityAdd),
    cap_drop: nonEmpty(container.capabilityDrop),
    command: nonEmpty(container.args),
    configs: nonEmpty(exportConfigs(container, keys)),
    credential_spec: exportCredential(container.privileges, keys),
    dns: nonEmpty(dns?.nameservers),
    dns_opt: nonEmpty(dns?.options),
    dns_search: nonEmpty(dns?.search),
    entrypoint: nonEmpty(container.command),
    environment: exportEnvironment(container.env),
    extra_hosts: nonEmpty(container.hosts?.flatMap(exportHost)),
    group_add: nonEmpty(container.groups),
    hostname: container.hostname,
    healthcheck: healthcheck && exportHealthcheck(healthcheck),
    image: container.image,
    init: container.init,
    isolation: container.isolation,
    labels: withoutStackLabels(extras.labels),
    oom_score_adj: container.oomScoreAdj,
    read_only: container.readOnly,
    secrets: nonEmpty(container.secrets?.map(({ secretName, file }) => reference(keys.secrets.get(secretName) ?? secretName, file))),
    security_opt: nonEmpty([...exportSecurity(container.privileges), ...extras.securityOptions]),
    stdin_open: container.openStdin,
    stop_grace_period: duration(container.stopGracePeriodNs),
    stop_signal: container.stopSignal,
    sysctls: nonEmpty(container.sysctls),
    tty: container.tty,
    ulimits: nonEmpty(Object.fromEntries((container.ulimits ?? []).map(({ name, soft, hard }) => [name, soft === hard ? soft : { soft, hard }]))),
    user: container.user,
    volumes: nonEmpty(container.mounts?.flatMap((mount) => exportMount(mount, keys))),
    working_dir: container.dir,
  });
}

function withoutDependencies({ [DEPENDS_ON_LABEL]: _dependencies, ...labels }: TextMap): TextMap {
  return labels;
}

function withoutStackLabels(labels: TextMap | undefined): TextMap | undefined {
  return nonEmpty(Object.fromEntries(Object.entries(labels ?? {}).filter(([name]) => name !== NAMESPACE_LABEL && name !== IMAGE_LABEL)));
}

/** Only what a duration can be written as and read back exactly. */
function duration(ns: number | undefined): string | undefined {
  return ns === undefined || !Number.isSafeInteger(ns) || ns < 0 ? undefined : formatDuration(ns);
}

function exportEnvironment(env: readonly string[] | undefined): Service['environment'] {
  if (env === undefined) return undefined;
  return Object.fromEntries(env.map((line) => (line.includes('=') ? [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)] : [line, null])));
}

/** "address name alias": one line of a Compose file for each name would be several lines of the spec, so only lines with one name are said. */
function exportHost(line: string): readonly string[] {
  const [address = '', ...names] = line.split(' ');
  return names.length === 1 && address !== '' && names[0] !== '' ? [`${names[0]}:${address}`] : [];
}

function exportHealthcheck(health: HealthConfig): Healthcheck {
  if (health.test?.length === 1 && health.test[0] === 'NONE' && Object.keys(health).length === 1) return { disable: true };
  return compact<Healthcheck>({
    test: health.test,
    timeout: duration(health.timeoutNs),
    interval: duration(health.intervalNs),
    retries: health.retries,
    start_period: duration(health.startPeriodNs),
    start_interval: duration(health.startIntervalNs),
  });
}

function exportCredential(privileges: Privileges | undefined, keys: ExportKeys): Service['credential_spec'] {
  const { config, file, registry } = privileges?.credentialSpec ?? { config: '', file: '', registry: '' };
  return nonEmpty(compact({ config: config ? (keys.configs.get(config) ?? config) : undefined, file: file || undefined, registry: registry || undefined }));
}

function exportSecurity(privileges: Privileges | undefined): readonly string[] {
  const { noNewPrivileges, seccomp, apparmor, selinux } = privileges ?? {};
  const labels = (['user', 'role', 'type', 'level'] as const).flatMap((name) => (selinux?.[name] ? [`label:${name}:${selinux[name]}`] : []));
  return [
    ...(noNewPrivileges ? ['no-new-privileges:true'] : []),
    ...(seccomp?.mode === 'unconfined' ? ['seccomp:unconfined'] : []),
    ...(seccomp?.mode === 'custom' ? [`seccomp:${Buffer.from(seccomp.profile ?? '', 'base64').toString()}`] : []),
    ...(apparmor?.mode === 'disabled' ? ['apparmor:unconfined'] : []),
    ...(selinux?.disable ? ['label:disable'] : []),
    ...labels,
  ];
}

function exportConfigs({ configs = [] }: ContainerSpec, keys: ExportKeys): readonly FileReference[] {
  return configs.flatMap(({ configName, target }) => (target.kind === 'file' ? [reference(keys.configs.get(configName) ?? configName, target.file)] : []));
}

function reference(source: string, file: { readonly name: string; readonly uid: string; readonly gid: string; readonly mode: number }): FileReference {
  return compact<FileReference>({
    source,
    target: file.name === source ? undefined : file.name,
    uid: file.uid === '0' ? undefined : file.uid,
    gid: file.gid === '0' ? undefined : file.gid,
    mode: file.mode === 0o444 ? undefined : file.mode,
  });
}

function exportMount(mount: Mount, keys: ExportKeys): readonly ServiceVolume[] {
  const { type, source, target, bind, volume, tmpfs, image } = mount;
  const isNamed = type === 'volume' || type === 'cluster';
  const entry = compact<ServiceVolume>({
    type,
    source: isNamed && source !== undefined ? (keys.volumes.get(source) ?? source) : source,
    target,
    read_only: mount.readOnly,
    consistency: mount.consistency,
    bind: bind && type === 'bind' ? exportBind(bind) : undefined,
    volume: volume && type === 'volume' ? nonEmpty(compact({ nocopy: volume.noCopy, subpath: volume.subpath })) : undefined,
    tmpfs: tmpfs && type === 'tmpfs' ? nonEmpty(compact({ size: tmpfs.sizeBytes, mode: tmpfs.mode })) : undefined,
    image: image?.subpath !== undefined && type === 'image' ? { subpath: image.subpath } : undefined,
  });
  return [entry];
}

function exportBind(bind: NonNullable<Mount['bind']>): ServiceVolume['bind'] {
  const recursive = bind.nonRecursive ? 'disabled' : bind.readOnlyForceRecursive ? 'readonly' : bind.readOnlyNonRecursive ? 'writable' : undefined;
  return compact({ propagation: bind.propagation, create_host_path: bind.createMountpoint, recursive });
}

/** The alias that a service has anyway is not said. */
function exportNetworks(key: string, attachments: readonly NetworkAttachmentConfig[], keys: ExportKeys): Pick<Service, 'networks' | 'network_mode'> {
  const only = attachments.length === 1 ? attachments[0] : undefined;
  if (only !== undefined && isNetworkMode(only)) return { network_mode: only.target };
  if (only && keys.networks.get(only.target) === 'default' && only.driverOptions === undefined && only.aliases?.length === 1) return {};
  const networks = attachments.map(({ target, aliases = [], driverOptions }) => {
    const others = aliases.at(-1) === key ? aliases.slice(0, -1) : aliases;
    return [
      keys.networks.get(target) ?? target,
      nonEmpty(compact<ServiceNetwork>({ aliases: nonEmpty(others), driver_opts: nonEmpty(driverOptions) })) ?? null,
    ] as const;
  });
  return networks.length === 0 ? {} : { networks: Object.fromEntries(networks) };
}

/** The node's own network: said by `network_mode`, and declared nowhere. */
export function isNetworkMode({ target, aliases, driverOptions }: NetworkAttachmentConfig): boolean {
  return NETWORK_MODES.has(target) && aliases === undefined && driverOptions === undefined;
}

function exportPort(port: PortConfig): Port {
  return compact<Port>({ name: port.name, mode: port.publishMode, target: port.targetPort, published: port.publishedPort, protocol: port.protocol });
}

/** Undefined when a Compose file cannot say it: then it stays a label. */
function exportDependencies(labels: TextMap, { services }: ExportKeys): Service['depends_on'] {
  const dependencies = dependenciesOf({ spec: { labels } });
  const isSayable = dependencies.length > 0 && dependencies.every(({ service }) => services.has(service));
  if (!isSayable || new Set(dependencies.map(({ service }) => service)).size < dependencies.length) return undefined;
  return Object.fromEntries(
    dependencies.map(({ service, condition, required, restart }) => [
      services.get(service) ?? service,
      compact<DependsOn>({ condition, required: required ? undefined : false, restart: restart || undefined }),
    ]),
  );
}

function exportDeploy(spec: ServiceSpec, saysDependencies: boolean): Deploy {
  const { mode, task, endpoint } = spec;
  const { placement, restart } = task;
  return compact<Deploy>({
    mode: mode.kind === 'replicated' ? undefined : mode.kind,
    replicas: mode.kind === 'replicated' ? mode.replicas : mode.kind === 'replicated-job' ? mode.maxConcurrent : undefined,
    labels: withoutStackLabels(saysDependencies ? withoutDependencies(spec.labels) : spec.labels),
    update_config: exportUpdate(spec.update),
    rollback_config: exportUpdate(spec.rollback),
    resources: exportResources(task),
    restart_policy:
      restart &&
      compact({ condition: restart.condition, delay: duration(restart.delayNs), max_attempts: restart.maxAttempts, window: duration(restart.windowNs) }),
    placement:
      placement &&
      nonEmpty(
        compact({
          constraints: nonEmpty(placement.constraints),
          preferences: nonEmpty(placement.preferences),
          max_replicas_per_node: placement.maxReplicas,
        }),
      ),
    endpoint_mode: endpoint?.mode === 'dnsrr' ? 'dnsrr' : undefined,
  });
}

function exportUpdate(config: UpdateConfig | undefined): UpdateSettings | undefined {
  return (
    config &&
    compact<UpdateSettings>({
      parallelism: config.parallelism,
      delay: duration(config.delayNs),
      failure_action: config.failureAction,
      monitor: duration(config.monitorNs),
      max_failure_ratio: config.maxFailureRatio,
      order: config.order,
    })
  );
}

function exportResources({ resources }: TaskSpec): Deploy['resources'] {
  const { limits, reservations } = resources ?? {};
  const cpus = (nanoCpus: number | undefined) => (nanoCpus === undefined ? undefined : decimalCpus(nanoCpus));
  return nonEmpty(
    compact<NonNullable<Deploy['resources']>>({
      limits: limits && compact({ cpus: cpus(limits.nanoCpus), memory: limits.memoryBytes?.toString(), pids: limits.pids }),
      reservations:
        reservations &&
        compact({
          cpus: cpus(reservations.nanoCpus),
          memory: reservations.memoryBytes?.toString(),
          generic_resources: nonEmpty(
            reservations.generic?.flatMap((one) => (one.kind === 'discrete' ? [{ discrete_resource_spec: { kind: one.name, value: one.value } }] : [])),
          ),
        }),
    }),
  );
}

function decimalCpus(nanoCpus: number): string {
  const fraction = String(nanoCpus % 1e9)
    .padStart(9, '0')
    .replace(/0+$/, '');
  return `${Math.floor(nanoCpus / 1e9)}${fraction === '' ? '' : `.${fraction}`}`;
}

/** Keys outside of `deploy` that a task's spec needs: platform and swap. */
function exportResourceKeys({ resources, placement }: TaskSpec): Service {
  const { swapBytes, memorySwappiness, limits } = resources ?? {};
  const memory = limits?.memoryBytes;
  const [platform, ...others] = placement?.platforms ?? [];
  return compact<Service>({
    mem_swappiness: memorySwappiness,
    memswap_limit: swapBytes === undefined ? undefined : swapBytes === -1 ? '-1' : memory === undefined ? undefined : String(memory + swapBytes),
    platform: platform && others.length === 0 && platform.os !== '' && platform.architecture !== '' ? `${platform.os}/${platform.architecture}` : undefined,
  });
}
