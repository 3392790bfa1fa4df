// A resolved stack: what a Compose project means to a swarm. Names are complete ("app_web"), references are by name: whoever deploys it fills in ids.
import type { Driver, Labels, NetworkSpec, ServiceSpec } from '#domain/spec.ts';

export interface ResolvedStack {
  readonly name: string;
  /** All lists are in order of their names. */
  readonly services: readonly ResolvedService[];
  readonly networks: readonly ResolvedNetwork[];
  readonly secrets: readonly ResolvedFile[];
  readonly configs: readonly ResolvedFile[];
  /** Named volumes; the engine of a node makes them when a task first needs them. */
  readonly volumes: readonly ResolvedVolume[];
  readonly warnings: readonly ComposeWarning[];
}

export interface ResolvedService {
  /** Its name in the Compose file; "web" of "app_web". */
  readonly key: string;
  /** Networks, secrets and configs are named, not identified: `target`, `secretName` and `configName` hold names, `secretId` and `configId` are empty. */
  readonly spec: ServiceSpec;
  /** What an engine can do and the spec has no field for. Absent when there is nothing. */
  readonly extras?: ContainerExtras;
  readonly dependsOn: readonly Dependency[];
  readonly pullPolicy?: string;
}

export interface Dependency {
  /** The other service's key. */
  readonly key: string;
  readonly condition: 'service_started' | 'service_healthy' | 'service_completed_successfully';
  readonly required: boolean;
  /** Restart this service when the other one is updated. */
  readonly restart: boolean;
}

export interface ResolvedNetwork {
  readonly key: string;
  /** The user has it already: it is looked up by `spec.name` and not made. */
  readonly external: boolean;
  readonly spec: NetworkSpec;
}

/** A secret or a config. */
export interface ResolvedFile {
  readonly key: string;
  readonly name: string;
  readonly labels: Labels;
  readonly source: FileSource;
  readonly templating?: Driver;
  /** base64 of the content, once `readContents` has read it. Never printed. */
  readonly data?: string;
}

export type FileSource =
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'environment'; readonly variable: string }
  | { readonly kind: 'content'; readonly content: string }
  | { readonly kind: 'driver'; readonly driver: Driver }
  | { readonly kind: 'external' };

export interface ResolvedVolume {
  readonly key: string;
  readonly name: string;
  readonly external: boolean;
  readonly driver?: Driver;
  readonly labels: Labels;
}

/** Names are those of the Engine API's HostConfig and Config, in our spelling. Sizes are bytes, times microseconds where the engine counts so. */
export interface ContainerExtras {
  readonly privileged?: boolean;
  readonly devices?: readonly { readonly pathOnHost: string; readonly pathInContainer: string; readonly permissions: string }[];
  readonly deviceCgroupRules?: readonly string[];
  readonly deviceRequests?: readonly DeviceRequest[];
  /** What is not said in `privileges` of the spec already. */
  readonly securityOptions?: readonly string[];
  readonly shmSizeBytes?: number;
  readonly ipcMode?: string;
  readonly pidMode?: string;
  readonly utsMode?: string;
  readonly usernsMode?: string;
  readonly cgroupnsMode?: string;
  readonly cgroupParent?: string;
  readonly networkMode?: string;
  readonly runtime?: string;
  readonly domainname?: string;
  readonly macAddress?: string;
  readonly annotations?: Labels;
  readonly storageOptions?: Labels;
  readonly oomKillDisable?: boolean;
  readonly cpuShares?: number;
  readonly cpuPeriodUs?: number;
  readonly cpuQuotaUs?: number;
  readonly cpuRealtimePeriodUs?: number;
  readonly cpuRealtimeRuntimeUs?: number;
  readonly cpusetCpus?: string;
  readonly cpuCount?: number;
  readonly cpuPercent?: number;
  readonly blkio?: BlkioOptions;
}

export interface DeviceRequest {
  readonly driver?: string;
  /** -1: all there are. */
  readonly count?: number;
  readonly deviceIds?: readonly string[];
  readonly capabilities: readonly string[];
  readonly options?: Labels;
}

export interface BlkioOptions {
  readonly weight?: number;
  readonly weightDevices?: readonly { readonly path: string; readonly weight: number }[];
  readonly readBps?: readonly { readonly path: string; readonly rate: number }[];
  readonly readIops?: readonly { readonly path: string; readonly rate: number }[];
  readonly writeBps?: readonly { readonly path: string; readonly rate: number }[];
  readonly writeIops?: readonly { readonly path: string; readonly rate: number }[];
}

/**
 * Something that is not done as written. `unsupported` and `deprecated` are Docker's two lists of options; a `notice` is a sentence of its own.
 * `formatWarnings` makes Docker's text of them.
 */
export interface ComposeWarning {
  readonly kind: 'unsupported' | 'deprecated' | 'notice';
  /** The Compose key, or what the notice is about. */
  readonly name: string;
  /** Key of the service, where it is about one. */
  readonly service?: string;
  readonly message: string;
}
