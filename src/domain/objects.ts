// The objects of a swarm as the store keeps them: readonly plain data, tagged by `kind`.
// Who writes which field is in ARCHITECTURE.md and is asserted by the store.
import type {
  ClusterSpec,
  ConfigSpec,
  Driver,
  EndpointSpec,
  GenericResource,
  Labels,
  NetworkSpec,
  NodeRole,
  NodeSpec,
  Platform,
  PortConfig,
  Resources,
  SecretSpec,
  ServiceSpec,
  TaskSpec,
} from './spec.ts';
import type { DesiredState, TaskState } from './task-state.ts';

export interface ObjectMeta {
  readonly id: string;
  /** Revision of the store at the object's last write; 0 for an object that was never stored. */
  readonly version: number;
  /** Milliseconds since the epoch, as are all times here. */
  readonly createdAt: number;
  readonly updatedAt: number;
}

export type StoreObject = Cluster | Node | Service | Task | Network | Secret | Config;
export type ObjectKind = StoreObject['kind'];
export type ObjectOf<K extends ObjectKind> = Extract<StoreObject, { kind: K }>;
export const objectKinds = ['cluster', 'node', 'service', 'task', 'network', 'secret', 'config'] as const satisfies readonly ObjectKind[];

/** There is exactly one cluster object. */
export interface Cluster extends ObjectMeta {
  readonly kind: 'cluster';
  readonly spec: ClusterSpec;
  /** PEM of the root certificate, and its key sealed with the cluster data key; without a key only external authorities sign. */
  readonly rootCa: {
    readonly certificate: string;
    readonly sealedKey?: string;
    /** The root that takes its place as soon as all nodes have certificates of it; `crossSigned` is its certificate as the old root signed it. */
    readonly rotation?: { readonly certificate: string; readonly sealedKey?: string; readonly crossSigned: string };
  };
  /** Join secrets, sealed (store/seal.ts). The token that users see is derived with the root's digest. */
  readonly sealedJoinTokens: { readonly worker: string; readonly manager: string };
  readonly sealedUnlockKey?: string;
  /** Of the managers' etcd: nobody else has or trusts a certificate of it. Absent while there is no etcd. */
  readonly etcdAuthority?: { readonly certificate: string; readonly sealedKey: string };
  readonly defaultAddressPools: readonly string[];
  readonly subnetSize: number;
  readonly dataPathPort: number;
  readonly rootRotationInProgress: boolean;
  /** Which of its lives the swarm is in (ca/epoch.ts); absent: its first. */
  readonly epoch?: number;
  /** Where managers of an earlier epoch may still run: they must hear of this one. */
  readonly formerManagers?: readonly { readonly nodeId: string; readonly address: string }[];
  /** What every manager must understand (protocol/level.ts); absent: the oldest level. */
  readonly level?: number;
}

export interface Node extends ObjectMeta {
  readonly kind: 'node';
  readonly spec: NodeSpec;
  readonly description?: NodeDescription;
  readonly status: NodeStatus;
  readonly manager?: ManagerStatus;
  /** 1 … 65535, held by no other node of the swarm: mesh addresses, marks and conntrack zones follow from it. */
  readonly index: number;
  /** The role that the node's certificate says; `spec.role` is what was asked for. */
  readonly role: NodeRole;
  /** Digests of the keys of its newest certificates, newest first: with one of these keys it gets in again when its certificate has expired. */
  readonly keyDigests?: readonly string[];
}

/** A node's end of the WireGuard mesh. */
export interface NodeEncryption {
  /** In base64, as WireGuard writes it. */
  readonly publicKey: string;
  /** UDP, at the data path address. */
  readonly port: number;
}

export interface NodeDescription {
  readonly hostname: string;
  /** The address that this node's VXLAN packets come from and go to. */
  readonly dataPathAddress: string;
  /** How other nodes speak with it on encrypted networks; absent while it cannot encrypt. */
  readonly encryption?: NodeEncryption;
  /** Its containers have addresses of IPv6 on the gateway bridge: ports are published over it, too. */
  readonly publishes6?: true;
  readonly platform: Platform;
  readonly resources: Resources;
  readonly engine: { readonly version: string; readonly labels: Labels; readonly plugins: readonly { readonly type: string; readonly name: string }[] };
  /** Of skepd; absent from one that is older than this. */
  readonly daemon?: { readonly version: string; readonly level: number };
  /** Published ports (`tcp/8080`) that another program there has: the node does not serve them. */
  readonly portsInUse?: readonly string[];
  readonly tls?: { readonly trustRoot: string; readonly issuerSubject: string; readonly issuerPublicKey: string };
}

export interface NodeStatus {
  readonly state: 'unknown' | 'down' | 'ready' | 'disconnected';
  readonly message?: string;
  /** When `state` became what it is. */
  readonly since?: number;
  /** The address other nodes see; no port. */
  readonly address: string;
}

export interface ManagerStatus {
  readonly leader: boolean;
  readonly reachability: 'unknown' | 'unreachable' | 'reachable';
  /** host:port */
  readonly address: string;
}

export interface Service extends ObjectMeta {
  readonly kind: 'service';
  readonly spec: ServiceSpec;
  readonly previousSpec?: ServiceSpec;
  /** The store revision at which `spec` was written; tasks made from it carry the same number. */
  readonly specVersion: number;
  readonly previousSpecVersion?: number;
  readonly endpoint?: Endpoint;
  readonly updateStatus?: UpdateStatus;
  /** The roll-out's own memory: everything that the updater must know after a change of leader. */
  readonly rollout?: Rollout;
  readonly job?: { readonly iteration: number; readonly lastExecutionAt: number };
  /** The time of the last update of a service with `restart` that this one was restarted after. */
  readonly restartedFor?: number;
  /** The spec version that this restart made: it fails without a spec to go back to, because the previous one is older than what failed. */
  readonly restartSpecVersion?: number;
}

export interface Endpoint {
  /** The endpoint spec that `ports` and `virtualIps` were allocated for. */
  readonly spec: EndpointSpec;
  readonly ports: readonly PortConfig[];
  readonly virtualIps: readonly VirtualIp[];
}

export interface VirtualIp {
  readonly networkId: string;
  /** CIDR form, "10.0.1.5/24". */
  readonly address: string;
  /** Likewise, on networks with IPv6. */
  readonly address6?: string;
}

export interface UpdateStatus {
  readonly state: 'updating' | 'paused' | 'completed' | 'rollback_started' | 'rollback_paused' | 'rollback_completed';
  readonly startedAt?: number;
  readonly completedAt?: number;
  readonly message: string;
}

export interface Rollout {
  /** The specVersion that this roll-out brings. */
  readonly specVersion: number;
  readonly startedAt: number;
  /** How many slots were dirty when it began: the denominator of the failure ratio. */
  readonly totalSlots: number;
  /** Tasks of this roll-out that failed while it watched them, by id. */
  readonly failedTaskIds: readonly string[];
  /** When the newest batch of slots was finished; the next may start `delay` later. */
  readonly lastStepAt?: number;
}

export interface Task extends ObjectMeta {
  readonly kind: 'task';
  readonly serviceId?: string;
  /** Replicated services count from 1, replicated jobs from 0; absent for global tasks. */
  readonly slot?: number;
  readonly nodeId?: string;
  readonly spec: TaskSpec;
  readonly specVersion?: number;
  /** Name and labels of the service when the task was made. */
  readonly serviceName: string;
  readonly serviceLabels: Labels;
  readonly status: TaskStatus;
  readonly desiredState: DesiredState;
  readonly networks: readonly NetworkAttachment[];
  /** The service's endpoint spec when the task was made: host-mode ports and the updater's comparison. */
  readonly endpoint?: EndpointSpec;
  readonly logDriver?: Driver;
  /** What the scheduler claimed for the task on its node. */
  readonly genericResources?: readonly GenericResource[];
  readonly jobIteration?: number;
  readonly restart?: RestartRecord;
  /** Why the constraint enforcer wants the task off its node, in words for a user. Once it has stopped it is rejected with these words. */
  readonly rejection?: string;
}

/** A task's place in the history of restarts of its slot; carried from each task to its replacement. */
export interface RestartRecord {
  /** True for a task that the updater made: it occupies one of the parallel updates until it is ready. Not carried on. */
  readonly ofUpdate?: boolean;
  /** Restarts so far under this spec version. */
  readonly attempts: number;
  /** When they happened, newest last; bounded by the policy's maxAttempts. */
  readonly restartedAt: readonly number[];
  /** The task stays at desired state `ready` until then … */
  readonly notBefore: number;
  /** … and until this task has stopped, or `waitUntil` has passed. */
  readonly waitForTaskId?: string;
  readonly waitUntil?: number;
}

export interface TaskStatus {
  readonly state: TaskState;
  /** When the state was observed. */
  readonly timestamp: number;
  readonly message: string;
  readonly error?: string;
  readonly container?: { readonly containerId: string; readonly pid: number; readonly exitCode: number };
  /** Host-mode ports as the engine published them. */
  readonly hostPorts?: readonly PortConfig[];
  /** False while a running task may not get traffic yet (its published ports do not listen); absent means true. */
  readonly serving?: boolean;
  /** When the task was first seen running: monitor windows start here. */
  readonly startedAt?: number;
  /** The node that applied the status. */
  readonly appliedBy?: string;
}

export interface NetworkAttachment {
  readonly networkId: string;
  /** CIDR form; one per address family. Empty for node-local predefined networks (bridge, host). */
  readonly addresses: readonly string[];
  readonly aliases: readonly string[];
  readonly driverOptions?: Readonly<Record<string, string>>;
}

export interface Network extends ObjectMeta {
  readonly kind: 'network';
  readonly spec: NetworkSpec;
  /** Absent until allocated. */
  readonly state?: NetworkState;
  /** Why it could not be allocated, in words for a user. */
  readonly allocationError?: string;
}

export interface NetworkState {
  readonly driver: Driver;
  /** Absent for predefined node-local networks. */
  readonly vxlanId?: number;
  /** Those of IPv4 first. */
  readonly pools: readonly { readonly subnet: string; readonly gateway: string; readonly range?: string }[];
  /** Where the next-fit search for an address goes on, so that freed addresses are reused late. */
  readonly cursor?: string;
  readonly cursor6?: string;
}

export interface Secret extends ObjectMeta {
  readonly kind: 'secret';
  /** `data` is sealed text here (store/seal.ts), never the plain secret. */
  readonly spec: SecretSpec;
}

export interface Config extends ObjectMeta {
  readonly kind: 'config';
  readonly spec: ConfigSpec;
}
