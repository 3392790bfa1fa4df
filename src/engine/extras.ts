// Engine options of a container spec's labels (domain/extras.ts) as the create request says them. What this node's engine cannot do refuses the task, with the reason.
import { isCdiName } from '#domain/extra-values.ts';
import { type BlkioOptions, type ContainerExtras, type DeviceRequest, keyOfExtra } from '#domain/extras.ts';
import type { GenericResource } from '#domain/spec.ts';
import { AppError } from '#lib/errors.ts';
import { defined } from './mounts.ts';

export interface ExtrasInput {
  readonly extras: ContainerExtras;
  readonly minorVersion: number;
  readonly isPodman: boolean;
  /** What the scheduler gave the task: GPUs among it are the ones to use. */
  readonly genericResources: readonly GenericResource[];
}

type Since = { readonly [K in keyof ContainerExtras]?: number };

/** The Engine API (1.x) that knows an option; earlier engines would leave it out and say nothing. */
const SINCE: Since = { cgroupnsMode: 41, annotations: 43 };
/** Podman's compatible API leaves these out silently: the first two until some version of it, the others always. */
const SINCE_ON_PODMAN: Since = {
  annotations: 44,
  deviceCgroupRules: 44,
  deviceRequests: Number.POSITIVE_INFINITY,
  cgroupnsMode: Number.POSITIVE_INFINITY,
  runtime: Number.POSITIVE_INFINITY,
  domainname: Number.POSITIVE_INFINITY,
};

/** Throws AppError `invalidArgument` for what the engine would silently not do. */
export function refuseExtras({ extras, minorVersion, isPodman }: ExtrasInput): void {
  for (const name of Object.keys(extras) as (keyof ContainerExtras)[]) {
    const since = (isPodman ? SINCE_ON_PODMAN : SINCE)[name] ?? 0;
    const engine = `the engine of this node${isPodman ? ', Podman,' : ''} speaks 1.${minorVersion}`;
    if (since === Number.POSITIVE_INFINITY) throw new AppError('invalidArgument', `${keyOfExtra(name)}: Podman's Docker-compatible API does not take it`);
    if (minorVersion < since) throw new AppError('invalidArgument', `${keyOfExtra(name)} needs Engine API 1.${since}; ${engine}`);
  }
  if (isPodman && extras.devices?.some(({ pathOnHost }) => isCdiName(pathOnHost)))
    throw new AppError('invalidArgument', "devices: Podman's Docker-compatible API takes no CDI names");
}

/** What the engine calls by other names: `docker run` sends two empty lists for it, Podman takes the option itself. */
const SYSTEM_PATHS = /^systempaths[=:]unconfined$/;

/** For SecurityOpt. */
export function extrasSecurityOptions({ extras: { securityOptions = [] }, isPodman }: ExtrasInput): readonly string[] {
  return isPodman ? securityOptions : securityOptions.filter((option) => !SYSTEM_PATHS.test(option));
}

/** Parts of the request's HostConfig, without those that other parts of it share. */
export function extrasHostConfig({ extras, genericResources, isPodman }: ExtrasInput): object {
  const devices = (extras.devices ?? []).filter(({ pathOnHost }) => !isCdiName(pathOnHost));
  const named = (extras.devices ?? []).filter(({ pathOnHost }) => isCdiName(pathOnHost)).map(({ pathOnHost }) => pathOnHost);
  const requests = [
    ...(extras.deviceRequests ?? []).map((request) => requestOf(request, genericResources)),
    ...(named.length === 0 ? [] : [{ Driver: 'cdi', DeviceIDs: named }]),
  ];
  const isOpen = !isPodman && (extras.securityOptions ?? []).some((option) => SYSTEM_PATHS.test(option));
  return defined({
    ...(isOpen ? { MaskedPaths: [], ReadonlyPaths: [] } : {}),
    Privileged: extras.privileged,
    Devices:
      devices.length === 0
        ? undefined
        : devices.map(({ pathOnHost, pathInContainer, permissions }) => ({
            PathOnHost: pathOnHost,
            PathInContainer: pathInContainer,
            CgroupPermissions: permissions,
          })),
    DeviceCgroupRules: extras.deviceCgroupRules,
    DeviceRequests: requests.length === 0 ? undefined : requests,
    ShmSize: extras.shmSizeBytes,
    IpcMode: extras.ipcMode,
    PidMode: extras.pidMode,
    UTSMode: extras.utsMode,
    UsernsMode: extras.usernsMode,
    CgroupnsMode: extras.cgroupnsMode,
    CgroupParent: extras.cgroupParent,
    Runtime: extras.runtime,
    Annotations: extras.annotations,
    StorageOpt: extras.storageOptions,
    OomKillDisable: extras.oomKillDisable,
    CpuShares: extras.cpuShares,
    CpuPeriod: extras.cpuPeriodUs,
    CpuQuota: extras.cpuQuotaUs,
    CpuRealtimePeriod: extras.cpuRealtimePeriodUs,
    CpuRealtimeRuntime: extras.cpuRealtimeRuntimeUs,
    CpusetCpus: extras.cpusetCpus,
    ...blkioConfig(extras.blkio),
  });
}

/**
 * A number of GPUs is any of the node's. Where the task also reserved GPUs by name (`generic_resources`), the scheduler has chosen which, so that no two tasks
 * have the same: these are asked for by id.
 */
function requestOf({ driver, count, deviceIds, capabilities, options }: DeviceRequest, reserved: readonly GenericResource[]): object {
  const chosen = reserved.flatMap((resource) => (resource.kind === 'named' && /gpu/i.test(resource.name) ? [resource.value] : []));
  const ids = deviceIds ?? (capabilities.includes('gpu') && count !== -1 && count === chosen.length ? chosen : undefined);
  return defined({ Driver: driver, Count: ids === undefined ? count : undefined, DeviceIDs: ids, Capabilities: [capabilities], Options: options });
}

function blkioConfig(blkio: BlkioOptions | undefined): object {
  const rates = (list: BlkioOptions['readBps']) => list?.map(({ path, rate }) => ({ Path: path, Rate: rate }));
  return defined({
    BlkioWeight: blkio?.weight,
    BlkioWeightDevice: blkio?.weightDevices?.map(({ path, weight }) => ({ Path: path, Weight: weight })),
    BlkioDeviceReadBps: rates(blkio?.readBps),
    BlkioDeviceReadIOps: rates(blkio?.readIops),
    BlkioDeviceWriteBps: rates(blkio?.writeBps),
    BlkioDeviceWriteIOps: rates(blkio?.writeIops),
  });
}
