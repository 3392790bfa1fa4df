// A task's container as the Engine API's create request. Pure: every field of a container spec is carried over or refused with a reason.
import type { Task } from '#domain/objects.ts';
import type { ContainerSpec, GenericResource, PortConfig, Privileges, TaskSpec } from '#domain/spec.ts';
import { extrasOfLabels } from '#domain/extras.ts';
import { AppError } from '#lib/errors.ts';
import { familiarImage } from '#lib/image-reference.ts';
import type { AssignedNetwork } from '#agent/executor.ts';
import type { SandboxPlace } from '#protocol/sandbox.ts';
import { extrasHostConfig, type ExtrasInput, extrasSecurityOptions, refuseExtras } from './extras.ts';
import { taskLabels } from './labels.ts';
import { convertBinds, convertMounts, defined } from './mounts.ts';

/** The engine's own gateway network: tasks that only have published ports live there. */
export const GATEWAY_BRIDGE = 'docker_gwbridge';

/** A file of ours that appears in the container. */
export interface FileMount {
  readonly source: string;
  readonly target: string;
}

/** One network of the engine that the container is attached to. */
export interface ContainerNetwork {
  readonly name: string;
  readonly endpoint: object;
}

export interface ContainerConfigInput {
  readonly task: Task;
  /** Templates expanded. */
  readonly spec: ContainerSpec;
  readonly instance: string;
  /** In order of attachment; the first one is the container's network mode. */
  readonly networks: readonly ContainerNetwork[];
  /** Whether one of them is an overlay: then names are resolved by `dnsAddress`. */
  readonly overlay: boolean;
  readonly dnsAddress: string;
  readonly files: readonly FileMount[];
  readonly minorVersion: number;
  /** The namespace made for the container; `networks` is empty then. */
  readonly sandbox?: SandboxPlace;
  /** The engine is Podman: it is not to check the container's health (`labels` say how we do), and has other defaults. */
  readonly isPodman?: boolean;
  readonly labels?: Readonly<Record<string, string>>;
}

const NANOSECONDS_PER_SECOND = 1e9;
/** Docker's. */
const DEFAULT_STOP_TIMEOUT = 10;

/** The body of POST /containers/create, and the networks that must be connected afterwards. */
export function containerConfig(input: ContainerConfigInput): { readonly body: object; readonly connectLater: readonly ContainerNetwork[] } {
  const { task, spec, instance, minorVersion } = input;
  refuse(spec);
  const extras = extrasInput(input);
  refuseExtras(extras);
  const [first, ...others] = input.networks;
  // Engines before API 1.44 take one network only; the others are connected before the start.
  const atOnce = first === undefined ? [] : minorVersion >= 44 ? input.networks : [first];
  const body = defined({
    // Podman looks short names up in its own way, and finds what it was given.
    Image: input.isPodman ? spec.image : familiarImage(spec.image),
    Labels: { ...spec.labels, ...taskLabels(task, instance), ...input.labels },
    Entrypoint: spec.command?.length ? spec.command : undefined,
    Cmd: spec.args?.length ? spec.args : undefined,
    // In the node's namespace of names a task has none of its own; a name that the user gave is refused with the spec.
    Hostname: extras.extras.utsMode === 'host' ? undefined : spec.hostname || undefined,
    Domainname: extras.extras.domainname,
    Env: [...(spec.env ?? []), ...genericResourceVariables(task.genericResources ?? [])],
    WorkingDir: spec.dir || undefined,
    User: spec.user || undefined,
    Tty: spec.tty,
    OpenStdin: spec.openStdin,
    StopSignal: spec.stopSignal || undefined,
    // Podman would kill at once when nothing is said.
    StopTimeout: stopTimeoutSeconds(spec) ?? (input.isPodman ? DEFAULT_STOP_TIMEOUT : undefined),
    Healthcheck: input.isPodman ? { Test: ['NONE'] } : healthcheck(spec, minorVersion),
    ExposedPorts: input.sandbox === undefined ? exposedPorts(task) : undefined,
    HostConfig: hostConfig(input, extras, input.sandbox === undefined ? first?.name : `ns:${input.sandbox.namespace}`),
    NetworkingConfig: {
      EndpointsConfig: Object.fromEntries(atOnce.flatMap(({ name, endpoint }) => (input.isPodman && isNoNetwork(name) ? [] : [[name, endpoint]]))),
    },
  });
  return { body, connectLater: atOnce.length === 1 ? others : [] };
}

function extrasInput({ task, spec, minorVersion, isPodman = false }: ContainerConfigInput): ExtrasInput {
  return { extras: extrasOfLabels(spec.labels), minorVersion, isPodman, genericResources: task.genericResources ?? [] };
}

/** Podman refuses endpoints where there is nothing to attach. */
function isNoNetwork(name: string): boolean {
  return name === 'host' || name === 'none';
}

function refuse({ privileges, oomScoreAdj }: ContainerSpec): void {
  if (privileges?.credentialSpec) throw new AppError('invalidArgument', 'credential specs are only supported on Windows');
  if (oomScoreAdj !== undefined && (oomScoreAdj < -1000 || oomScoreAdj > 1000))
    throw new AppError('invalidArgument', `Invalid value ${oomScoreAdj}, range for oom score adj is [-1000, 1000]`);
}

/** Whole seconds are all that the engine knows; rounded up, so that a grace period is never shorter than asked for. */
export function stopTimeoutSeconds({ stopGracePeriodNs }: ContainerSpec): number | undefined {
  return stopGracePeriodNs === undefined ? undefined : Math.ceil(stopGracePeriodNs / NANOSECONDS_PER_SECOND);
}

function healthcheck({ healthcheck: health }: ContainerSpec, minorVersion: number): object | undefined {
  return (
    health &&
    defined({
      Test: health.test,
      Interval: health.intervalNs,
      Timeout: health.timeoutNs,
      StartPeriod: health.startPeriodNs,
      // An engine that does not know it checks as often from the start as later: the task is found healthy later, and nothing else changes.
      StartInterval: minorVersion >= 44 ? health.startIntervalNs : undefined,
      Retries: health.retries,
    })
  );
}

/** Docker's own convention: DOCKER_RESOURCE_GPU=UUID1,UUID2; a count for discrete ones. */
function genericResourceVariables(resources: readonly GenericResource[]): string[] {
  const values = new Map<string, string[]>();
  for (const { name, value } of resources) values.set(name, [...(values.get(name) ?? []), String(value)]);
  return [...values].map(([name, list]) => `DOCKER_RESOURCE_${name.toUpperCase()}=${list.join(',')}`);
}

function hostPorts(task: Task): readonly PortConfig[] {
  return (task.endpoint?.ports ?? []).filter(({ publishMode }) => publishMode === 'host');
}

/** Only host-mode ports concern the engine; the others are the ingress network's. */
function exposedPorts(task: Task): object {
  return Object.fromEntries(hostPorts(task).map(({ targetPort, protocol }) => [`${targetPort}/${protocol}`, {}]));
}

function portBindings(task: Task): object {
  const bindings: Record<string, { HostPort: string }[]> = {};
  for (const { targetPort, protocol, publishedPort } of hostPorts(task))
    (bindings[`${targetPort}/${protocol}`] ??= []).push({ HostPort: publishedPort ? String(publishedPort) : '' });
  return bindings;
}

function hostConfig(input: ContainerConfigInput, extras: ExtrasInput, networkMode: string | undefined): object {
  const { task, spec, files, minorVersion } = input;
  const logDriver = task.spec.logDriver ?? task.logDriver;
  const ownFiles = files.map(({ source, target }) => ({ Type: 'bind', Source: source, Target: target, ReadOnly: true }));
  return defined({
    NetworkMode: extras.extras.networkMode ?? networkMode,
    RestartPolicy: { Name: 'no' },
    Mounts: [...convertMounts(spec.mounts ?? [], minorVersion), ...ownFiles],
    Binds: convertBinds(spec.mounts ?? [], minorVersion),
    // The engine does not know of ports of a namespace that it has not made.
    PortBindings: input.sandbox === undefined ? portBindings(task) : undefined,
    GroupAdd: spec.groups,
    Init: spec.init,
    ReadonlyRootfs: spec.readOnly,
    Isolation: spec.isolation,
    Sysctls: spec.sysctls,
    CapAdd: spec.capabilityAdd,
    CapDrop: spec.capabilityDrop,
    OomScoreAdj: spec.oomScoreAdj,
    Ulimits: spec.ulimits?.map(({ name, hard, soft }) => ({ Name: name, Hard: hard, Soft: soft })),
    SecurityOpt: securityOptions(spec.privileges, extrasSecurityOptions(extras)),
    // In a sandbox the file is ours as a whole.
    ExtraHosts: input.sandbox !== undefined ? undefined : (spec.hosts ?? []).flatMap(extraHosts),
    LogConfig: logDriver && { Type: logDriver.name, Config: logDriver.options ?? {} },
    ...dnsConfig(input),
    ...resources(task.spec),
    ...extrasHostConfig(extras),
  });
}

/** "address name alias" of a hosts file → "name:address", "alias:address". */
function extraHosts(line: string): string[] {
  const [address = '', ...names] = line.split(/\s+/).filter((part) => part !== '');
  return names.map((name) => `${name}:${address}`);
}

/** On overlays our name server comes first, because it alone knows the services; those that the user named follow it. */
function dnsConfig({ spec, overlay, dnsAddress, sandbox }: ContainerConfigInput): object {
  const nameservers = [...(overlay || sandbox !== undefined ? [dnsAddress] : []), ...(spec.dns?.nameservers ?? [])];
  return defined({ Dns: nameservers.length === 0 ? undefined : nameservers, DnsSearch: spec.dns?.search, DnsOptions: spec.dns?.options });
}

function resources({ resources: asked }: TaskSpec): object {
  const { limits, reservations, swapBytes, memorySwappiness } = asked ?? {};
  return defined({
    NanoCpus: limits?.nanoCpus || undefined,
    Memory: limits?.memoryBytes || undefined,
    PidsLimit: limits?.pids || undefined,
    MemoryReservation: reservations?.memoryBytes || undefined,
    // The engine counts memory and swap together; -1 stays "unlimited".
    MemorySwap: swapBytes === undefined ? undefined : swapBytes < 0 ? swapBytes : (limits?.memoryBytes ?? 0) + swapBytes,
    MemorySwappiness: memorySwappiness,
  });
}

function securityOptions(privileges: Privileges | undefined, others: readonly string[]): readonly string[] | undefined {
  if (privileges === undefined) return others.length === 0 ? undefined : others;
  const { selinux, seccomp, apparmor, noNewPrivileges } = privileges;
  const labels = selinux === undefined ? [] : selinuxOptions(selinux);
  return [
    ...labels,
    ...(seccomp?.mode === 'unconfined' ? ['seccomp=unconfined'] : []),
    ...(seccomp?.mode === 'custom' ? [`seccomp=${Buffer.from(seccomp.profile ?? '', 'base64').toString()}`] : []),
    ...(apparmor?.mode === 'disabled' ? ['apparmor=unconfined'] : []),
    ...(noNewPrivileges ? ['no-new-privileges=true'] : []),
    ...others,
  ];
}

function selinuxOptions({ disable, user, role, type, level }: NonNullable<Privileges['selinux']>): string[] {
  const part = (name: string, value: string) => (value === '' ? [] : [`label=${name}:${value}`]);
  return [...(disable ? ['label=disable'] : []), ...part('user', user), ...part('role', role), ...part('type', type), ...part('level', level)];
}

/** The file that replaces the engine's /etc/resolv.conf, when it must. Undefined: the engine's own does. */
export function ownResolvConf(spec: ContainerSpec, overlay: boolean, dnsAddress: string): string | undefined {
  const options = spec.dns?.options ?? [];
  // With ndots > 0 the engine's embedded resolver keeps single-label names to itself, and services could not be found.
  if (!overlay || !options.some((option) => /^ndots:0*[1-9]/.test(option))) return undefined;
  const lines = [
    ...[dnsAddress, ...(spec.dns?.nameservers ?? [])].map((address) => `nameserver ${address}`),
    ...(spec.dns?.search?.length ? [`search ${spec.dns.search.join(' ')}`] : []),
    `options ${options.join(' ')}`,
  ];
  return `${lines.join('\n')}\n`;
}

/** Whether a network is one of the swarm's overlays; the others are the engine's own and used by name. */
export function isOverlay({ vxlanId }: AssignedNetwork): boolean {
  return vxlanId !== undefined;
}
