// What users ask for: the specs of services and tasks. Names are SwarmKit's; field order follows the Engine API.
// Optional means "the user did not say"; defaults are in defaults.ts. Durations are integer nanoseconds, because the API
// echoes them exactly. Nothing here knows JSON names: api/convert does.

export type Labels = Readonly<Record<string, string>>;

export interface Annotations {
  readonly name: string;
  readonly labels: Labels;
}

export interface ServiceSpec extends Annotations {
  readonly task: TaskSpec;
  readonly mode: ServiceMode;
  readonly update?: UpdateConfig;
  readonly rollback?: UpdateConfig;
  /** Deprecated place of `task.networks`, kept because clients before API 1.29 use it. */
  readonly networks?: readonly NetworkAttachmentConfig[];
  readonly endpoint?: EndpointSpec;
}

export type ServiceMode =
  | { readonly kind: 'replicated'; readonly replicas: number }
  | { readonly kind: 'global' }
  | { readonly kind: 'replicated-job'; readonly maxConcurrent: number; readonly totalCompletions: number }
  | { readonly kind: 'global-job' };

export interface TaskSpec {
  readonly runtime: TaskRuntime;
  readonly resources?: ResourceRequirements;
  readonly restart?: RestartPolicy;
  readonly placement?: Placement;
  readonly networks?: readonly NetworkAttachmentConfig[];
  readonly logDriver?: Driver;
  readonly forceUpdate: number;
}

export type TaskRuntime =
  | { readonly kind: 'container'; readonly container: ContainerSpec }
  /** A plain container's attachment to an attachable network; it has no service and needs no scheduling. */
  | { readonly kind: 'attachment'; readonly containerId: string };

export interface Driver {
  readonly name: string;
  readonly options?: Readonly<Record<string, string>>;
}

export interface ContainerSpec {
  readonly image: string;
  readonly labels?: Labels;
  /** The entrypoint (the API's `Command`). */
  readonly command?: readonly string[];
  readonly args?: readonly string[];
  readonly hostname?: string;
  readonly env?: readonly string[];
  readonly dir?: string;
  readonly user?: string;
  readonly groups?: readonly string[];
  readonly privileges?: Privileges;
  readonly init?: boolean;
  readonly stopSignal?: string;
  readonly tty?: boolean;
  readonly openStdin?: boolean;
  readonly readOnly?: boolean;
  readonly mounts?: readonly Mount[];
  readonly stopGracePeriodNs?: number;
  readonly healthcheck?: HealthConfig;
  /** Lines of /etc/hosts: "address name [alias…]". */
  readonly hosts?: readonly string[];
  readonly dns?: DnsConfig;
  readonly secrets?: readonly SecretReference[];
  readonly configs?: readonly ConfigReference[];
  readonly isolation?: 'default' | 'process' | 'hyperv';
  readonly sysctls?: Readonly<Record<string, string>>;
  readonly capabilityAdd?: readonly string[];
  readonly capabilityDrop?: readonly string[];
  readonly ulimits?: readonly Ulimit[];
  readonly oomScoreAdj?: number;
  /** The registry credentials given with the request (a base64url X-Registry-Auth value). Never shown; sealed at rest. */
  readonly registryAuth?: string;
}

export interface Privileges {
  readonly credentialSpec?: { readonly config: string; readonly file: string; readonly registry: string };
  readonly selinux?: { readonly disable: boolean; readonly user: string; readonly role: string; readonly type: string; readonly level: string };
  readonly seccomp?: { readonly mode: 'default' | 'unconfined' | 'custom' /** base64 */; readonly profile?: string };
  readonly apparmor?: { readonly mode: 'default' | 'disabled' };
  readonly noNewPrivileges?: boolean;
}

export interface Mount {
  readonly type: 'bind' | 'volume' | 'tmpfs' | 'npipe' | 'cluster' | 'image';
  readonly source?: string;
  readonly target: string;
  readonly readOnly?: boolean;
  readonly consistency?: string;
  readonly bind?: {
    readonly propagation?: string;
    readonly nonRecursive?: boolean;
    readonly createMountpoint?: boolean;
    readonly readOnlyNonRecursive?: boolean;
    readonly readOnlyForceRecursive?: boolean;
  };
  readonly volume?: {
    readonly noCopy?: boolean;
    readonly labels?: Labels;
    readonly subpath?: string;
    readonly driver?: { readonly name?: string; readonly options?: Readonly<Record<string, string>> };
  };
  readonly image?: { readonly subpath?: string };
  readonly tmpfs?: { readonly sizeBytes?: number; readonly mode?: number; readonly options?: readonly (readonly string[])[] };
}

export interface HealthConfig {
  readonly test?: readonly string[];
  readonly intervalNs?: number;
  readonly timeoutNs?: number;
  readonly startPeriodNs?: number;
  readonly startIntervalNs?: number;
  readonly retries?: number;
}

export interface DnsConfig {
  readonly nameservers?: readonly string[];
  readonly search?: readonly string[];
  readonly options?: readonly string[];
}

export interface FileTarget {
  readonly name: string;
  readonly uid: string;
  readonly gid: string;
  /** Permission bits as a number, 0o444 = 292. */
  readonly mode: number;
}

export interface SecretReference {
  readonly secretId: string;
  readonly secretName: string;
  readonly file: FileTarget;
}

export interface ConfigReference {
  readonly configId: string;
  readonly configName: string;
  readonly target: { readonly kind: 'file'; readonly file: FileTarget } | { readonly kind: 'runtime' };
}

export interface Ulimit {
  readonly name: string;
  readonly hard: number;
  readonly soft: number;
}

export interface ResourceRequirements {
  readonly limits?: { readonly nanoCpus?: number; readonly memoryBytes?: number; readonly pids?: number };
  readonly reservations?: Resources;
  readonly swapBytes?: number;
  readonly memorySwappiness?: number;
}

export interface Resources {
  readonly nanoCpus?: number;
  readonly memoryBytes?: number;
  readonly generic?: readonly GenericResource[];
}

/** `named`: one row per unit (a GPU's id). `discrete`: a count. */
export type GenericResource =
  | { readonly kind: 'named'; readonly name: string; readonly value: string }
  | { readonly kind: 'discrete'; readonly name: string; readonly value: number };

export interface RestartPolicy {
  readonly condition?: 'none' | 'on-failure' | 'any';
  readonly delayNs?: number;
  readonly maxAttempts?: number;
  readonly windowNs?: number;
}

export interface Placement {
  readonly constraints?: readonly string[];
  readonly preferences?: readonly { readonly spread: string }[];
  /** 0 or absent: no limit. */
  readonly maxReplicas?: number;
  readonly platforms?: readonly Platform[];
}

export interface Platform {
  readonly architecture: string;
  readonly os: string;
}

export interface NetworkAttachmentConfig {
  /** A network's id once the spec is stored; a name or id before. */
  readonly target: string;
  readonly aliases?: readonly string[];
  readonly driverOptions?: Readonly<Record<string, string>>;
}

export interface UpdateConfig {
  /** 0: all slots at once. */
  readonly parallelism: number;
  readonly delayNs?: number;
  readonly failureAction?: 'pause' | 'continue' | 'rollback';
  readonly monitorNs?: number;
  readonly maxFailureRatio?: number;
  readonly order?: 'stop-first' | 'start-first';
}

export interface EndpointSpec {
  readonly mode?: 'vip' | 'dnsrr';
  readonly ports?: readonly PortConfig[];
}

export interface PortConfig {
  readonly name?: string;
  readonly protocol: 'tcp' | 'udp' | 'sctp';
  readonly targetPort: number;
  /** 0 or absent: chosen by the allocator (ingress) or the engine (host). */
  readonly publishedPort?: number;
  readonly publishMode: 'ingress' | 'host';
}

export interface NetworkSpec extends Annotations {
  readonly driver?: { readonly name: string; readonly options?: Readonly<Record<string, string>> };
  readonly ipv6: boolean;
  readonly internal: boolean;
  readonly attachable: boolean;
  readonly ingress: boolean;
  readonly ipam?: IpamConfig;
  readonly configFrom?: string;
  readonly scope: string;
}

export interface IpamConfig {
  readonly driver?: { readonly name: string; readonly options?: Readonly<Record<string, string>> };
  readonly configs: readonly IpamPool[];
}

export interface IpamPool {
  readonly subnet?: string;
  readonly range?: string;
  readonly gateway?: string;
  readonly reserved?: Readonly<Record<string, string>>;
}

export interface SecretSpec extends Annotations {
  /** base64 of the data; sealed at rest and absent when a driver provides it. */
  readonly data?: string;
  readonly driver?: Driver;
  readonly templating?: Driver;
}

export interface ConfigSpec extends Annotations {
  /** base64 */
  readonly data: string;
  readonly templating?: Driver;
}

export interface NodeSpec {
  readonly name?: string;
  readonly labels: Labels;
  readonly role: NodeRole;
  readonly availability: NodeAvailability;
}

export type NodeRole = 'worker' | 'manager';
export type NodeAvailability = 'active' | 'pause' | 'drain';

export interface ClusterSpec extends Annotations {
  readonly orchestration: { readonly taskHistoryRetentionLimit?: number };
  readonly raft: {
    readonly snapshotInterval?: number;
    readonly keepOldSnapshots?: number;
    readonly logEntriesForSlowFollowers?: number;
    readonly electionTick: number;
    readonly heartbeatTick: number;
  };
  readonly dispatcher: { readonly heartbeatPeriodNs?: number };
  readonly ca: {
    readonly nodeCertExpiryNs?: number;
    readonly externalCas?: readonly ExternalCa[];
    readonly signingCaCert?: string;
    readonly forceRotate?: number;
  };
  readonly taskDefaults: { readonly logDriver?: Driver };
  readonly encryption: { readonly autoLockManagers: boolean };
}

export interface ExternalCa {
  readonly protocol: string;
  readonly url: string;
  readonly options?: Readonly<Record<string, string>>;
  readonly caCert: string;
}
