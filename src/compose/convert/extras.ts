// What an engine can do and a spec has no field for. Until an engine is told of it, each is warned about by its Compose name.
import type { BlkioOptions, ContainerExtras, DeviceRequest } from '../stack.ts';
import type { DeviceReservation, Plain, Service } from '../project.ts';
import { parseDuration } from '../values/duration.ts';
import { compact, nonEmpty } from './common.ts';
import { privilegesOfSecurityOptions } from './security.ts';

/** The Compose key that each extra comes from: its name in warnings. */
export const keysOfExtras: Readonly<Record<keyof ContainerExtras, string>> = {
  privileged: 'privileged',
  devices: 'devices',
  deviceCgroupRules: 'device_cgroup_rules',
  deviceRequests: 'gpus',
  securityOptions: 'security_opt',
  shmSizeBytes: 'shm_size',
  ipcMode: 'ipc',
  pidMode: 'pid',
  utsMode: 'uts',
  usernsMode: 'userns_mode',
  cgroupnsMode: 'cgroupns_mode',
  cgroupParent: 'cgroup_parent',
  networkMode: 'network_mode',
  runtime: 'runtime',
  domainname: 'domainname',
  macAddress: 'mac_address',
  annotations: 'annotations',
  storageOptions: 'storage_opt',
  oomKillDisable: 'oom_kill_disable',
  cpuShares: 'cpu_shares',
  cpuPeriodUs: 'cpu_period',
  cpuQuotaUs: 'cpu_quota',
  cpuRealtimePeriodUs: 'cpu_rt_period',
  cpuRealtimeRuntimeUs: 'cpu_rt_runtime',
  cpusetCpus: 'cpuset',
  cpuCount: 'cpu_count',
  cpuPercent: 'cpu_percent',
  blkio: 'blkio_config',
};

/** `network_mode: host` and `bridge` are networks that a service can be on: they are no extras. */
const NETWORK_MODES = new Set(['host', 'bridge', 'default']);

/** Absent when there are none. */
export function convertExtras(service: Service): ContainerExtras | undefined {
  const { network_mode: networkMode } = service;
  return nonEmpty(
    compact<ContainerExtras>({
      privileged: service.privileged || undefined,
      devices: nonEmpty(service.devices?.map(deviceOf)),
      deviceCgroupRules: nonEmpty(service.device_cgroup_rules),
      deviceRequests: nonEmpty(deviceRequests(service)),
      securityOptions: nonEmpty(privilegesOfSecurityOptions(service.security_opt).rest),
      shmSizeBytes: service.shm_size === undefined ? undefined : Number(service.shm_size),
      ipcMode: service.ipc,
      pidMode: service.pid ?? undefined,
      utsMode: service.uts,
      usernsMode: service.userns_mode,
      cgroupnsMode: service.cgroup ?? service.cgroupns_mode,
      cgroupParent: service.cgroup_parent,
      networkMode: networkMode === undefined || (NETWORK_MODES.has(networkMode) && nonEmpty(service.networks) === undefined) ? undefined : networkMode,
      runtime: service.runtime,
      domainname: service.domainname,
      macAddress: service.mac_address,
      annotations: nonEmpty(service.annotations),
      storageOptions: nonEmpty(service.storage_opt),
      oomKillDisable: service.oom_kill_disable || undefined,
      cpuShares: service.cpu_shares,
      cpuPeriodUs: microseconds(service.cpu_period),
      cpuQuotaUs: microseconds(service.cpu_quota),
      cpuRealtimePeriodUs: microseconds(service.cpu_rt_period),
      cpuRealtimeRuntimeUs: microseconds(service.cpu_rt_runtime),
      cpusetCpus: service.cpuset,
      cpuCount: service.cpu_count,
      cpuPercent: service.cpu_percent,
      blkio: blkioOf(service.blkio_config),
    }),
  );
}

function deviceOf(device: NonNullable<Service['devices']>[number]): NonNullable<ContainerExtras['devices']>[number] {
  if (typeof device !== 'string')
    return { pathOnHost: device.source, pathInContainer: device.target ?? device.source, permissions: device.permissions ?? 'rwm' };
  const [source = '', second, third] = device.split(':');
  // "/dev/a:rwm" names permissions in the place of the target.
  if (second !== undefined && third === undefined && /^[rwm]{1,3}$/.test(second)) return { pathOnHost: source, pathInContainer: source, permissions: second };
  return { pathOnHost: source, pathInContainer: second ?? source, permissions: third ?? 'rwm' };
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

/** A rate is a size, and sizes are text. */
type TextRates = readonly { readonly path: string; readonly rate: string }[];

function blkioOf(config: Plain | undefined): BlkioOptions | undefined {
  if (typeof config !== 'object' || config === null) return undefined;
  const given = config as Readonly<Record<string, never>>;
  const rates = (name: string) => (given[name] as TextRates | undefined)?.map(({ path, rate }) => ({ path, rate: Number(rate) }));
  return nonEmpty(
    compact<BlkioOptions>({
      weight: given['weight'],
      weightDevices: given['weight_device'],
      readBps: rates('device_read_bps'),
      readIops: rates('device_read_iops'),
      writeBps: rates('device_write_bps'),
      writeIops: rates('device_write_iops'),
    }),
  );
}
