// What an engine can do and a spec has no field for → labels of the container spec, which nodes read (domain/extras.ts).
import { blkioOf, deviceOf } from '#domain/extra-values.ts';
import { type ContainerExtras, type Device, type DeviceRequest, EXTRAS_PREFIX, extrasOfLabels, labelsOfExtras } from '#domain/extras.ts';
import type { Labels } from '#domain/spec.ts';
import { AppError } from '#lib/errors.ts';
import { parseDuration } from '#lib/duration.ts';
import type { DeviceReservation, Service } from '../project.ts';
import { compact, type ConvertContext, mistakeAt, nonEmpty, unsupported } from './common.ts';
import { privilegesOfSecurityOptions } from './security.ts';

/** Modes that join another container: it may be on another node, or replaced at any time. */
const OF_ANOTHER_CONTAINER = /^(service|container):/;
/** `network_mode: host` and `bridge` are networks that a service can be on: they are no extras. */
const NETWORK_MODES = new Set(['host', 'bridge', 'default', 'none']);

/** Throws AppError with the place of a value that no engine could take. */
export function extraLabels(context: ConvertContext, key: string, service: Service): Labels {
  warnAboutModes(context, key, service);
  const labels = labelsOfExtras(extrasOf(context, key, service));
  for (const [label, value] of Object.entries(labels)) {
    try {
      extrasOfLabels({ [label]: value });
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      const option = label.slice(EXTRAS_PREFIX.length);
      throw mistakeAt(context, `services.${key}.${option}`, `service ${key}: ${option}: ${error.message.slice(`label ${label}: `.length)}`);
    }
  }
  return labels;
}

function warnAboutModes(context: ConvertContext, key: string, service: Service): void {
  for (const name of ['ipc', 'pid'] as const) if (OF_ANOTHER_CONTAINER.test(service[name] ?? '')) unsupported(context, key, name);
  const { network_mode: mode, networks } = service;
  if (mode !== undefined && (!NETWORK_MODES.has(mode) || nonEmpty(networks) !== undefined)) unsupported(context, key, 'network_mode');
}

/** Whether the service says that it is on no network at all. */
export function hasNoNetwork({ network_mode: mode, networks }: Service): boolean {
  return mode === 'none' && nonEmpty(networks) === undefined;
}

function extrasOf(context: ConvertContext, key: string, service: Service): ContainerExtras {
  const own = (mode: string | null | undefined) => (mode === undefined || mode === null || mode === '' || OF_ANOTHER_CONTAINER.test(mode) ? undefined : mode);
  return compact<ContainerExtras>({
    privileged: service.privileged || undefined,
    devices: nonEmpty(service.devices?.map((device, index) => convertDevice(context, `services.${key}.devices.${index}`, device))),
    deviceCgroupRules: nonEmpty(service.device_cgroup_rules),
    deviceRequests: nonEmpty(deviceRequests(service)),
    securityOptions: nonEmpty(privilegesOfSecurityOptions(service.security_opt).rest),
    shmSizeBytes: Number(service.shm_size ?? 0) || undefined,
    ipcMode: own(service.ipc),
    pidMode: own(service.pid),
    utsMode: own(service.uts),
    usernsMode: own(service.userns_mode),
    cgroupnsMode: own(service.cgroup ?? service.cgroupns_mode),
    cgroupParent: own(service.cgroup_parent),
    networkMode: hasNoNetwork(service) ? 'none' : undefined,
    runtime: own(service.runtime),
    domainname: own(service.domainname),
    annotations: nonEmpty(service.annotations),
    storageOptions: nonEmpty(service.storage_opt),
    oomKillDisable: service.oom_kill_disable || undefined,
    cpuShares: service.cpu_shares || undefined,
    cpuPeriodUs: microseconds(service.cpu_period),
    cpuQuotaUs: microseconds(service.cpu_quota),
    cpuRealtimePeriodUs: microseconds(service.cpu_rt_period),
    cpuRealtimeRuntimeUs: microseconds(service.cpu_rt_runtime),
    cpusetCpus: own(service.cpuset),
    blkio: convertBlkio(context, key, service),
  });
}

function convertDevice(context: ConvertContext, path: string, device: NonNullable<Service['devices']>[number]): Device {
  const text = typeof device === 'string' ? device : [device.source, device.target ?? device.source, device.permissions ?? 'rwm'].join(':');
  const converted = deviceOf(text);
  if (converted !== undefined) return converted;
  throw mistakeAt(context, path, `${JSON.stringify(text)} is not a device such as /dev/fuse or /dev/sda:/dev/disk:r`);
}

function deviceRequests({ gpus, deploy }: Service): readonly DeviceRequest[] {
  const reserved = deploy?.resources?.reservations?.devices ?? [];
  const wanted = gpus === 'all' ? [{ count: 'all' as const }] : (gpus ?? []);
  return [...reserved, ...wanted.map((one) => ({ capabilities: ['gpu'], ...one }))].map(requestOf);
}

function requestOf({ capabilities = ['gpu'], count, device_ids: ids, driver, options }: DeviceReservation): DeviceRequest {
  const all = count === 'all' || (count === undefined && nonEmpty(ids) === undefined);
  return compact<DeviceRequest>({
    driver,
    count: all ? -1 : typeof count === 'number' ? count : undefined,
    deviceIds: nonEmpty(ids),
    capabilities,
    options: nonEmpty(options),
  });
}

/** A number of microseconds, or a duration. */
function microseconds(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (/^-?[0-9]+$/.test(text)) return Number(text);
  const ns = parseDuration(text);
  return ns === undefined ? undefined : Math.trunc(ns / 1_000);
}

function convertBlkio(context: ConvertContext, key: string, { blkio_config: config }: Service): ContainerExtras['blkio'] {
  if (typeof config !== 'object' || config === null || Object.keys(config).length === 0) return undefined;
  const converted = blkioOf(config as Readonly<Record<string, unknown>>);
  if (converted !== undefined) return converted;
  throw mistakeAt(context, `services.${key}.blkio_config`, `service ${key}: blkio_config has a device or a number that is none`);
}
