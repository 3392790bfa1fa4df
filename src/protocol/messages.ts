// What managers and agents say to each other. Plain data: the same messages go through memory on one node and through gRPC
// between nodes. An agent opens a session; the manager sends the full set first and differences afterwards.
import type { Driver, Labels, NodeRole } from '#domain/spec.ts';
import type { NodeDescription, Task, TaskStatus } from '#domain/objects.ts';
import type { ClusterNetworkState } from './network-state.ts';

/** What an agent is told about a task: the stored task as it is; secrets and configs come as objects of their own. */
export interface AssignedTask {
  readonly task: Task;
  /** Labels of the service for templates. */
  readonly serviceLabels: Labels;
  /** One per attachment of the task, in the same order. */
  readonly networks: readonly AssignedNetwork[];
}

/** What a node must know of a network to attach a container to it. */
export interface AssignedNetwork {
  readonly id: string;
  readonly name: string;
  readonly driver: Driver;
  /** Absent for networks that the engine brings itself (bridge, host, none …): they are used by name. */
  readonly vxlanId?: number;
  readonly subnets: readonly { readonly subnet: string; readonly gateway: string }[];
  readonly internal: boolean;
  readonly attachable: boolean;
  readonly labels: Labels;
  readonly mtu?: number;
}

export interface AssignedSecret {
  readonly id: string;
  readonly version: number;
  readonly name: string;
  /** Plain bytes: never logged, never on disk. */
  readonly data: Uint8Array;
  readonly templating?: Driver;
}

export interface AssignedConfig {
  readonly id: string;
  readonly version: number;
  readonly name: string;
  readonly data: Uint8Array;
  readonly templating?: Driver;
}

export interface AssignmentSet {
  readonly tasks: readonly AssignedTask[];
  readonly secrets: readonly AssignedSecret[];
  readonly configs: readonly AssignedConfig[];
}

export interface AssignmentChange {
  /** Tasks that are new or changed; an unchanged task is not repeated. */
  readonly tasks: readonly AssignedTask[];
  readonly removedTaskIds: readonly string[];
  readonly secrets: readonly AssignedSecret[];
  readonly removedSecretIds: readonly string[];
  readonly configs: readonly AssignedConfig[];
  readonly removedConfigIds: readonly string[];
}

/** What a node's tunnel leads to: its container engine, or what it kept of the logs of tasks that are gone. */
export const tunnelTargets = ['engine', 'kept-logs'] as const;
export type TunnelTarget = (typeof tunnelTargets)[number];

export type SessionMessage =
  | {
      readonly kind: 'session';
      readonly sessionId: string;
      readonly nodeId: string;
      readonly heartbeatPeriodMs: number;
      readonly managers: readonly { readonly nodeId: string; readonly address: string }[];
    }
  | { readonly kind: 'complete'; readonly assignments: AssignmentSet }
  | { readonly kind: 'change'; readonly change: AssignmentChange }
  /** The network's state as of store revision `version`; always whole, for the networks this node has tasks on. */
  | { readonly kind: 'network'; readonly state: ClusterNetworkState }
  /**
   * Every node of the swarm that is up has applied network state of at least this version (or the wait for it is over):
   * tasks taken out of the load balancers by then may be stopped.
   */
  | { readonly kind: 'network-applied'; readonly version: number }
  /**
   * A manager wants to speak with the node's engine, or with what else `to` says: the node opens a tunnel of this id, to
   * the manager at the address `at`, or else to the one that has its session. Only over the network.
   */
  | { readonly kind: 'tunnel'; readonly id: string; readonly to?: TunnelTarget; readonly at?: string }
  /** What the managers want the node to be, when that is not what its certificate says. Only over the network. */
  | { readonly kind: 'role'; readonly role: NodeRole }
  /** Where the managers are since one came or went. Only over the network. */
  | { readonly kind: 'managers'; readonly managers: readonly { readonly nodeId: string; readonly address: string }[] }
  | { readonly kind: 'bye'; readonly reason: string };

export interface TaskStatusUpdate {
  readonly taskId: string;
  readonly status: TaskStatus;
}

/** The manager's side as an agent sees it. In memory on the manager's own node; gRPC elsewhere. */
export interface ManagerConnection {
  /** Opens a session; the iteration ends when the session is over (then open another). */
  openSession(description: NodeDescription, signal: AbortSignal): AsyncIterable<SessionMessage>;
  /** Resolves once stored. Statuses that would go backwards are dropped by the manager. */
  reportStatus(sessionId: string, updates: readonly TaskStatusUpdate[]): Promise<void>;
  reportDescription(sessionId: string, description: NodeDescription): Promise<void>;
  reportNetworkApplied(sessionId: string, version: number): Promise<void>;
  heartbeat(sessionId: string): Promise<void>;
}
