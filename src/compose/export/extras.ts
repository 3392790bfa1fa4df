// Engine options in labels → the keys of a Compose file that they came from.
import { type BlkioOptions, type ContainerExtras, type DeviceRequest, extrasOfLabels, withoutExtras } from '#domain/extras.ts';
import type { Labels } from '#domain/spec.ts';
import { compact } from '../convert/common.ts';
import type { DeviceReservation, Plain, Service } from '../project.ts';

export interface ExportedExtras {
  readonly keys: Service;
  /** Beside those of `security_opt` that the spec has words for. */
  readonly securityOptions: readonly string[];
  /** The labels that are none of ours. */
  readonly labels: Labels;
}

export function exportExtras(labels: Labels = {}): ExportedExtras {
  let extras: ContainerExtras;
  try {
    extras = extrasOfLabels(labels);
  } catch {
    // Labels of a swarm that knows more options than we do stay labels.
    return { keys: {}, securityOptions: [], labels };
  }
  return { keys: keysOf(extras), securityOptions: extras.securityOptions ?? [], labels: withoutExtras(labels) };
}

function keysOf(extras: ContainerExtras): Service {
  return compact<Service>({
    privileged: extras.privileged || undefined,
    devices: extras.devices?.map(({ pathOnHost, pathInContainer, permissions }) =>
      pathOnHost.startsWith('/') ? { source: pathOnHost, target: pathInContainer, permissions } : pathOnHost,
    ),
    device_cgroup_rules: extras.deviceCgroupRules,
    gpus: extras.deviceRequests && exportRequests(extras.deviceRequests),
    shm_size: extras.shmSizeBytes?.toString(),
    ipc: extras.ipcMode,
    pid: extras.pidMode,
    uts: extras.utsMode,
    userns_mode: extras.usernsMode,
    cgroup: extras.cgroupnsMode,
    cgroup_parent: extras.cgroupParent,
    network_mode: extras.networkMode,
    runtime: extras.runtime,
    domainname: extras.domainname,
    annotations: extras.annotations,
    storage_opt: extras.storageOptions,
    oom_kill_disable: extras.oomKillDisable || undefined,
    cpu_shares: extras.cpuShares,
    cpu_period: extras.cpuPeriodUs?.toString(),
    cpu_quota: extras.cpuQuotaUs?.toString(),
    cpu_rt_period: extras.cpuRealtimePeriodUs?.toString(),
    cpu_rt_runtime: extras.cpuRealtimeRuntimeUs?.toString(),
    cpuset: extras.cpusetCpus,
    blkio_config: extras.blkio && exportBlkio(extras.blkio),
  });
}

function exportRequests(requests: readonly DeviceRequest[]): Service['gpus'] {
  const [first] = requests;
  if (requests.length === 1 && first?.count === -1 && Object.keys(first).length === 2 && first.capabilities.join() === 'gpu') return 'all';
  return requests.map(({ driver, count, deviceIds, capabilities, options }) =>
    compact<DeviceReservation>({ driver, count: count === -1 ? 'all' : count, device_ids: deviceIds, capabilities, options }),
  );
}

function exportBlkio({ weight, weightDevices, readBps, readIops, writeBps, writeIops }: BlkioOptions): Plain {
  const rates = (list: BlkioOptions['readBps']) => list?.map(({ path, rate }) => ({ path, rate: String(rate) }));
  const config: { readonly [key: string]: object | number | undefined } = {
    weight,
    weight_device: weightDevices,
    device_read_bps: rates(readBps),
    device_read_iops: rates(readIops),
    device_write_bps: rates(writeBps),
    device_write_iops: rates(writeIops),
  };
  return Object.fromEntries(Object.entries(config).filter(([, value]) => value !== undefined)) as Plain;
}
