// The use cases behind the API, one interface per noun. One file per noun implements them; `createControl` composes.
// References (`ref`) are what a user typed: an exact id, an exact name, or an id prefix. Everything rejects or throws with an AppError in Docker's
// words. Everything here works on domain objects; JSON is the api's business.
import type { Cluster, Config, Network, Node, Secret, Service, Task } from '#domain/objects.ts';
import type { ClusterSpec, ConfigSpec, Labels, NetworkSpec, NodeAvailability, NodeSpec, SecretSpec, ServiceSpec } from '#domain/spec.ts';
import type { StoreEvent } from '#domain/view.ts';

/** A parsed `filters` query: key → values, already checked against the endpoint's keys by the caller. */
export type Filters = Readonly<Record<string, readonly string[]>>;

export interface ServiceStatus {
  readonly runningTasks: number;
  readonly desiredTasks: number;
  readonly completedTasks: number;
}

export interface ServiceControl {
  /** Ordered by id. */
  list(filters: Filters): readonly Service[];
  get(ref: string): Service;
  /** With durations, policies and update settings that the user left out filled in (`insertDefaults=true`). */
  withDefaults(service: Service): Service;
  status(service: Service): ServiceStatus;
  create(spec: ServiceSpec): Promise<{ readonly id: string; readonly warnings: readonly string[] }>;
  update(
    ref: string,
    version: number,
    spec: ServiceSpec,
    options: { readonly registryAuthFrom: 'spec' | 'previous-spec'; readonly rollback: boolean },
  ): Promise<{ readonly warnings: readonly string[] }>;
  remove(ref: string): Promise<void>;
}

export interface TaskControl {
  list(filters: Filters): readonly Task[];
  get(ref: string): Task;
}

export interface NodeControl {
  list(filters: Filters): readonly Node[];
  get(ref: string): Node;
  update(ref: string, version: number, spec: NodeSpec): Promise<void>;
  remove(ref: string, force: boolean): Promise<void>;
}

/** Secrets never leave with their data: `spec.data` is absent in everything that is returned. */
export interface SecretControl {
  list(filters: Filters): readonly Secret[];
  get(ref: string): Secret;
  create(spec: SecretSpec): Promise<string>;
  update(ref: string, version: number, spec: SecretSpec): Promise<void>;
  remove(ref: string): Promise<void>;
}

export interface ConfigControl {
  list(filters: Filters): readonly Config[];
  get(ref: string): Config;
  create(spec: ConfigSpec): Promise<string>;
  update(ref: string, version: number, spec: ConfigSpec): Promise<void>;
  remove(ref: string): Promise<void>;
}

/** Networks of the swarm only; the api merges the engine's own. */
export interface NetworkControl {
  list(): readonly Network[];
  /** Undefined when there is none of that id, name or id prefix: the engine may have one. */
  find(ref: string): Network | undefined;
  create(spec: NetworkSpec): Promise<string>;
  remove(ref: string): Promise<void>;
  /** Makes an attachment task for a plain container (on `nodeId`; default: this manager's) and resolves once its addresses are allocated. */
  attach(
    networkRef: string,
    containerId: string,
    addresses: readonly string[],
    options?: { readonly nodeId?: string; readonly signal?: AbortSignal },
  ): Promise<Task>;
  /** Gives the addresses of an attachment back. Detaching what is gone is no error. */
  detach(taskId: string): Promise<void>;
}

export interface JoinTokens {
  readonly worker: string;
  readonly manager: string;
}

export interface SwarmControl {
  get(): Cluster;
  joinTokens(): JoinTokens;
  /** Empty when autolock is off. */
  unlockKey(): string;
  update(
    version: number,
    spec: ClusterSpec & { readonly signingCaKey?: string },
    rotate: { readonly workerToken: boolean; readonly managerToken: boolean; readonly unlockKey: boolean },
  ): Promise<void>;
}

export interface Control {
  readonly services: ServiceControl;
  readonly tasks: TaskControl;
  readonly nodes: NodeControl;
  readonly secrets: SecretControl;
  readonly configs: ConfigControl;
  readonly networks: NetworkControl;
  readonly swarm: SwarmControl;
}

export interface InitRequest {
  readonly listenAddr: string;
  readonly advertiseAddr: string;
  readonly dataPathAddr: string;
  readonly dataPathPort: number;
  readonly defaultAddrPool: readonly string[];
  readonly subnetSize: number;
  readonly forceNewCluster: boolean;
  readonly autoLockManagers: boolean;
  readonly availability: NodeAvailability;
  readonly spec: ClusterSpec;
}

export interface JoinRequest {
  readonly listenAddr: string;
  readonly advertiseAddr: string;
  readonly dataPathAddr: string;
  readonly remoteAddrs: readonly string[];
  readonly joinToken: string;
  readonly availability: NodeAvailability;
}

export type LocalNodeState = 'inactive' | 'pending' | 'active' | 'error' | 'locked';

export interface SwarmInfo {
  readonly nodeId: string;
  readonly nodeAddress: string;
  readonly state: LocalNodeState;
  readonly controlAvailable: boolean;
  readonly error: string;
  readonly remoteManagers: readonly { readonly nodeId: string; readonly address: string }[];
  readonly nodes?: number;
  readonly managers?: number;
  readonly cluster?: Cluster;
  readonly warnings: readonly string[];
}

/** This daemon's membership of a swarm: what `docker swarm init|join|leave|unlock` and `docker info` talk to. main/ implements it. */
export interface SwarmMembership {
  info(): SwarmInfo;
  /** This node's id; empty outside a swarm. */
  nodeId(): string;
  /** The manager's use cases; throws AppError `unavailable` with Docker's text for the reason when this node is no (ready) manager. */
  control(): Control;
  /** Resolves with the node's id. */
  init(request: InitRequest): Promise<string>;
  join(request: JoinRequest): Promise<void>;
  leave(force: boolean): Promise<void>;
  unlock(key: string): Promise<void>;
  /** The swarm's state as one file; with autolock it is protected by the unlock key, else by the passphrase unless that is empty. */
  backup(passphrase: string): Promise<Backup>;
  /** Makes this node the only manager of the swarm that the file is a backup of. Rejects, and changes nothing, when that cannot be. */
  restore(file: Uint8Array, request: RestoreRequest): Promise<{ readonly nodeId: string; readonly warnings: readonly string[] }>;
  /** Calls back for every committed change of a swarm object while this node is a manager. For `/events`. */
  onEvents(listener: (events: readonly StoreEvent[]) => void): () => void;
  /**
   * Logs of tasks as the engines give them, in order of time. Ends when every task's log ended, or goes on when `follow`; throws at its end when some
   * could not be read.
   * A chunk is whole lines of one stream of one task.
   */
  logs(wanted: LogsWanted, options: LogOptions, signal: AbortSignal): AsyncIterable<LogChunk>;
  /** What a task was that is in no store any more, but whose log has just been read. */
  goneTask(id: string): Task | undefined;
  /** The task whose container is gone, named as containers are, when some node kept the end of its log. Undefined also where nobody can say. */
  goneContainer(ref: string, signal: AbortSignal): Promise<Task | undefined>;
}

export interface LogsWanted {
  /** The tasks to read now; asked again whenever tasks change. */
  readonly taskIds: () => readonly string[];
  /** Given when logs of tasks that are gone are wanted, too: those of a service, or that of one task. */
  readonly kept?: { readonly service: string } | { readonly task: string };
}

export interface Backup {
  readonly file: Buffer;
  /** What is wrong with it, or must be known about it; empty: nothing. */
  readonly warning: string;
}

export interface RestoreRequest {
  /** The unlock key or the passphrase that opens the file; empty: none is needed. */
  readonly secret: string;
  /** Replaces what this node has of the same swarm. */
  readonly force: boolean;
  /** Empty: as in the backup, or what this machine has. */
  readonly listenAddr: string;
  readonly advertiseAddr: string;
  readonly dataPathAddr: string;
}

export interface LogOptions {
  readonly follow: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  /** Undefined: all. */
  readonly tail?: number;
  /** Milliseconds since the epoch, with fractions. */
  readonly since?: number;
}

export interface LogChunk {
  readonly taskId: string;
  readonly nodeId: string;
  readonly serviceId: string;
  readonly stream: 'stdout' | 'stderr';
  /** RFC 3339 with nanoseconds, as the engine wrote it. */
  readonly timestamp: string;
  /** Attributes that the log driver added (`--log-opt labels=…`). */
  readonly attributes: Labels;
  /** One line with its newline. */
  readonly line: Uint8Array;
}
