// The text of `info`, in docker's order.
import type { ClusterInfo } from '#docker-api/swarm.ts';
import { humanDuration } from '../format/duration.ts';
import { bytesSize } from '../format/size.ts';

export interface Info {
  readonly [name: string]: unknown;
  readonly Warnings?: readonly string[] | null;
  readonly DriverStatus?: readonly (readonly [string, string])[] | null;
  readonly Plugins?: Readonly<Record<string, readonly string[] | null>>;
  readonly Runtimes?: Readonly<Record<string, unknown>> | null;
  readonly SecurityOptions?: readonly string[] | null;
  readonly Labels?: readonly string[] | null;
  readonly MemTotal?: number;
  readonly Debug?: boolean;
  readonly Swarm: SwarmInfo;
  readonly RegistryConfig?: {
    readonly InsecureRegistryCIDRs?: readonly string[] | null;
    readonly IndexConfigs?: Readonly<Record<string, { readonly Name: string; readonly Secure: boolean }>>;
    readonly Mirrors?: readonly string[] | null;
  } | null;
  readonly DefaultAddressPools?: readonly { readonly Base: string; readonly Size: number }[];
}

interface SwarmInfo {
  readonly LocalNodeState: string;
  readonly NodeID: string;
  readonly NodeAddr: string;
  readonly ControlAvailable: boolean;
  readonly Error: string;
  readonly Managers?: number;
  readonly Nodes?: number;
  readonly Cluster?: ClusterInfo | null;
  readonly Warnings?: readonly string[] | null;
  readonly RemoteManagers?: readonly { readonly Addr: string }[] | null;
}

function textOf(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? String(value) : '';
}

export function infoText(info: Info): string {
  const text = (name: string) => textOf(info[name]);
  const nested = (name: string) => textOf((info[name] as { ID?: unknown } | undefined)?.ID);
  const present = (label: string, name: string) => (text(name) === '' ? [] : [` ${label}: ${text(name)}`]);
  const plugins = (kind: string) => (info.Plugins?.[kind] ?? []).join(' ');
  const lines = [
    ` Containers: ${text('Containers')}`,
    `  Running: ${text('ContainersRunning')}`,
    `  Paused: ${text('ContainersPaused')}`,
    `  Stopped: ${text('ContainersStopped')}`,
    ` Images: ${text('Images')}`,
    ...present('Server Version', 'ServerVersion'),
    ...present('Storage Driver', 'Driver'),
    ...(info.DriverStatus ?? []).map(([name, value]) => `  ${name}: ${value}`),
    ...present('Logging Driver', 'LoggingDriver'),
    ...present('Cgroup Driver', 'CgroupDriver'),
    ...present('Cgroup Version', 'CgroupVersion'),
    ' Plugins:',
    `  Volume: ${plugins('Volume')}`,
    `  Network: ${plugins('Network')}`,
    ...(plugins('Authorization') === '' ? [] : [`  Authorization: ${plugins('Authorization')}`]),
    `  Log: ${plugins('Log')}`,
    ` Swarm: ${info.Swarm.LocalNodeState}`,
    ...swarmLines(info.Swarm),
    ...(info.Runtimes ? [` Runtimes: ${Object.keys(info.Runtimes).join(' ')}`, ` Default Runtime: ${text('DefaultRuntime')}`] : []),
    ` Init Binary: ${text('InitBinary')}`,
    ` containerd version: ${nested('ContainerdCommit')}`,
    ` runc version: ${nested('RuncCommit')}`,
    ` init version: ${nested('InitCommit')}`,
    ...securityLines(info.SecurityOptions ?? []),
    ...present('Kernel Version', 'KernelVersion'),
    ...present('Operating System', 'OperatingSystem'),
    ...present('OSType', 'OSType'),
    ...present('Architecture', 'Architecture'),
    ` CPUs: ${text('NCPU')}`,
    ` Total Memory: ${bytesSize(info.MemTotal ?? 0)}`,
    ...present('Name', 'Name'),
    ...present('ID', 'ID'),
    ` Docker Root Dir: ${text('DockerRootDir')}`,
    ` Debug Mode: ${text('Debug')}`,
    ...(info.Debug
      ? [
          `  File Descriptors: ${text('NFd')}`,
          `  Goroutines: ${text('NGoroutines')}`,
          `  System Time: ${text('SystemTime')}`,
          `  EventsListeners: ${text('NEventsListener')}`,
        ]
      : []),
    ...present('HTTP Proxy', 'HttpProxy'),
    ...present('HTTPS Proxy', 'HttpsProxy'),
    ...present('No Proxy', 'NoProxy'),
    ...((info.Labels ?? []).length > 0 ? [' Labels:', ...(info.Labels ?? []).map((label) => `  ${label}`)] : []),
    ` Experimental: ${text('ExperimentalBuild')}`,
    ...registryLines(info),
    ` Live Restore Enabled: ${text('LiveRestoreEnabled')}`,
    ...present('Product License', 'ProductLicense'),
    ...((info.DefaultAddressPools ?? []).length > 0
      ? [' Default Address Pools:', ...(info.DefaultAddressPools ?? []).map(({ Base, Size }) => `   Base: ${Base}, Size: ${Size}`)]
      : []),
  ];
  return `${lines.join('\n')}\n\n`;
}

function swarmLines(swarm: SwarmInfo): readonly string[] {
  if (swarm.LocalNodeState === 'inactive' || swarm.LocalNodeState === 'locked') return [];
  const managers = (swarm.RemoteManagers ?? []).map(({ Addr }) => Addr).sort();
  const isShown = swarm.Cluster && swarm.ControlAvailable && !swarm.Error && swarm.LocalNodeState !== 'error';
  return [
    `  NodeID: ${swarm.NodeID}`,
    ...(swarm.Error ? [`  Error: ${swarm.Error}`] : []),
    `  Is Manager: ${swarm.ControlAvailable}`,
    ...(isShown && swarm.Cluster ? clusterLines(swarm, swarm.Cluster) : []),
    `  Node Address: ${swarm.NodeAddr}`,
    ...(managers.length > 0 ? ['  Manager Addresses:', ...managers.map((address) => `   ${address}`)] : []),
  ];
}

function clusterLines(
  { Managers, Nodes }: SwarmInfo,
  { ID, DefaultAddrPool, SubnetSize, DataPathPort, Spec, RootRotationInProgress }: ClusterInfo,
): readonly string[] {
  const { Orchestration, Raft, Dispatcher, CAConfig, EncryptionConfig } = Spec;
  const certificate = (CAConfig?.SigningCACert ?? '').trim();
  const external = CAConfig?.ExternalCAs ?? [];
  return [
    `  ClusterID: ${ID}`,
    `  Managers: ${Managers ?? 0}`,
    `  Nodes: ${Nodes ?? 0}`,
    ...(DefaultAddrPool ? [`  Default Address Pool: ${DefaultAddrPool.map((pool) => `${pool}  `).join('')}`, `  SubnetSize: ${SubnetSize}`] : []),
    ...(DataPathPort > 0 ? [`  Data Path Port: ${DataPathPort}`] : []),
    '  Orchestration:',
    `   Task History Retention Limit: ${Orchestration?.TaskHistoryRetentionLimit ?? 0}`,
    '  Raft:',
    `   Snapshot Interval: ${Raft?.SnapshotInterval ?? 0}`,
    ...(Raft?.KeepOldSnapshots === undefined ? [] : [`   Number of Old Snapshots to Retain: ${Raft.KeepOldSnapshots}`]),
    `   Heartbeat Tick: ${Raft?.HeartbeatTick ?? 0}`,
    `   Election Tick: ${Raft?.ElectionTick ?? 0}`,
    '  Dispatcher:',
    `   Heartbeat Period: ${humanDuration((Dispatcher?.HeartbeatPeriod ?? 0) / 1e6)}`,
    '  CA Configuration:',
    `   Expiry Duration: ${humanDuration((CAConfig?.NodeCertExpiry ?? 0) / 1e6)}`,
    `   Force Rotate: ${CAConfig?.ForceRotate ?? 0}`,
    ...(certificate === '' ? [] : ['   Signing CA Certificate: ', certificate, '']),
    ...(external.length > 0 ? ['   External CAs:', ...external.map(({ Protocol, URL }) => `     ${Protocol}: ${URL}`)] : []),
    `  Autolock Managers: ${EncryptionConfig?.AutoLockManagers ?? false}`,
    `  Root Rotation In Progress: ${RootRotationInProgress}`,
  ];
}

/** `name=seccomp,profile=default` → two lines. */
function securityLines(options: readonly string[]): readonly string[] {
  if (options.length === 0) return [];
  const lines = options.flatMap((option) => {
    const pairs = option.includes('=') ? option.split(',').map((pair) => pair.split('=')) : [['name', option]];
    const name = pairs.find(([key]) => key === 'name')?.[1] ?? '';
    return [`  ${name}`, ...pairs.filter(([key]) => key === 'profile').map(([, value]) => `   Profile: ${value}`)];
  });
  return [' Security Options:', ...lines];
}

function registryLines({ RegistryConfig: config }: Info): readonly string[] {
  const insecure = [
    ...Object.values(config?.IndexConfigs ?? {})
      .filter(({ Secure }) => !Secure)
      .map(({ Name }) => Name),
    ...(config?.InsecureRegistryCIDRs ?? []),
  ];
  const hasIndex = Object.keys(config?.IndexConfigs ?? {}).length > 0 || insecure.length > 0;
  const mirrors = config?.Mirrors ?? [];
  return [
    ...(hasIndex ? [' Insecure Registries:', ...insecure.map((name) => `  ${name}`)] : []),
    ...(mirrors.length > 0 ? [' Registry Mirrors:', ...mirrors.map((mirror) => `  ${mirror}`)] : []),
  ];
}
