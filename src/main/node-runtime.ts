// What runs in this process while the node is an active member, and how it is started: a manager (manager-node.ts) or a worker (worker-node.ts).
import type { Control, InitRequest, LogChunk, LogOptions, LogsWanted } from '#control/control.ts';
import type { Task } from '#domain/objects.ts';
import type { NodeRole } from '#domain/spec.ts';
import type { StoreEvent } from '#domain/view.ts';
import type { EtcdProcess } from '#etcd/process.ts';
import { ownLevel } from '#protocol/level.ts';
import type { Clock, Random } from '#lib/clock.ts';
import { errorMessage } from '#lib/errors.ts';
import type { Logger } from '#lib/log.ts';
import type { Backups } from './backups.ts';
import { createSealer } from '#store/seal.ts';
import { readIdentity } from './identity.ts';
import type { NodeEngines } from './node-engines.ts';
import type { KnownManager } from './remote-managers.ts';
import type { SnapshotOptions } from './snapshots.ts';
import type { StateDirectory, SwarmFile } from './state-directory.ts';
import type { WorkerFactory } from './worker.ts';
import { startWorkerNode } from './worker-node.ts';

export interface ManagerStart {
  readonly swarm: SwarmFile;
  readonly dataKey: Uint8Array;
  /** Gets the events of every commit. */
  readonly emit: (events: readonly StoreEvent[]) => void;
  /** Called when the managers want this node to have the role. */
  readonly onRole: (role: NodeRole) => void;
  /** Called when the data of this node's member of etcd turns out to be damaged while it runs. */
  readonly onDamage: () => void;
  /** Called when this manager turns out to be one of before the swarm was restored; one of these may know what it is now. */
  readonly onSuperseded: (candidates: readonly KnownManager[]) => void;
  /** Given when the swarm is new. */
  readonly founding?: InitRequest;
  /** The member of etcd of a node that has just become a manager. */
  readonly joined?: EtcdProcess;
  /** The other managers are gone for good: go on with what this one has. */
  readonly forceNewCluster?: boolean;
  /** Ends the wait for enough other managers. */
  readonly signal?: AbortSignal;
  /** Told during that wait why this node's own member of etcd does not run; undefined when it does. */
  readonly onWait?: (trouble: string | undefined) => void;
}

export interface WorkerStart {
  readonly swarm: SwarmFile;
  readonly onRole: (role: NodeRole) => void;
}

export interface NodeRuntime {
  /** Absent on a worker. */
  readonly manager?: {
    readonly control: Control;
    readonly dataKey: Uint8Array;
    /** Backups of what is stored, now. */
    readonly backups: Backups;
    /** Why nothing can be written now; undefined when all is well. */
    trouble(): string | undefined;
    /** Gives up being a manager, if there is another one; resolves when the others go on without this one, or after a while. */
    resign(): Promise<void>;
  };
  readonly dnsAddress: string;
  /** Engines of all nodes; on a manager only. */
  readonly engines?: NodeEngines;
  /** Where the swarm's managers are. */
  managers(): readonly KnownManager[];
  /** Resolves when the node takes tasks. A manager stops waiting for that after a while; a worker rejects then, and goes on trying. */
  ready(): Promise<void>;
  logs(wanted: LogsWanted, options: LogOptions, signal: AbortSignal): AsyncIterable<LogChunk>;
  /** A task that is in no store any more, and whose log was read here; on a manager only. */
  goneTask?(id: string): Task | undefined;
  goneContainer?(ref: string, signal: AbortSignal): Promise<Task | undefined>;
  /** Why this node takes no part although it is a member as far as it knows: it was removed. */
  problem?(): string | undefined;
  /** Why a worker has no session with a manager, when a user must do something about it. */
  trouble?(): string | undefined;
  /** Tells the managers that this node leaves; to be called when it has stopped. */
  sayLeaving?(): Promise<void>;
  /** Stops what runs in this process. Containers and the node's network go on. */
  stop(): Promise<void>;
}

/** What is shown to external authorities in place of the manager's own certificate; undefined when nothing else was given. */
export type ExternalIdentity = () => { readonly certificate: string; readonly key: string } | undefined;

export interface NodeFactory {
  /** What this daemon understands (protocol/level.ts). */
  readonly level: number;
  readonly externalIdentity?: ExternalIdentity;
  startManager(start: ManagerStart): Promise<NodeRuntime>;
  /** Of a node whose identity is in the state directory. */
  startWorker(start: WorkerStart): Promise<NodeRuntime>;
  /** Makes this node one of the managers, with the identity that is in the state directory; one that was a manager needs the data key for it. Leaves nothing behind when it rejects. */
  joinManagers(
    swarm: SwarmFile,
    managers: readonly KnownManager[],
    more?: { readonly signal?: AbortSignal; readonly dataKey?: Uint8Array },
  ): Promise<{ readonly dataKey: Uint8Array; readonly etcd: EtcdProcess }>;
  /** Removes every container, network and rule of the swarm from this node. */
  removeAll(swarm: SwarmFile): Promise<void>;
}

export interface NodeFactoryOptions {
  readonly externalIdentity?: ExternalIdentity;
  readonly directory: StateDirectory;
  /** What this daemon understands (protocol/level.ts), when that is not what its code says. */
  readonly level?: number;
  readonly createWorker: WorkerFactory;
  readonly snapshots: SnapshotOptions;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

export const WORKER_TEXT =
  "This node is not a swarm manager. Worker nodes can't be used to view or modify cluster state. Please run this command on a manager node or promote the current node to a manager.";

export function createNodeFactory(options: NodeFactoryOptions): NodeFactory {
  return {
    level: options.level ?? ownLevel(),
    ...(options.externalIdentity === undefined ? {} : { externalIdentity: options.externalIdentity }),
    // A worker does without a manager's code (10 MB).
    startManager: async (start) => (await import('./manager-node.ts')).startManagerNode(options, start),
    startWorker: (start) => startWorkerNode(options, start),
    joinManagers: async (swarm, managers, { signal, dataKey } = {}) =>
      (await import('./manager-join.ts')).joinManagers({
        directory: options.directory,
        swarm,
        tls: readIdentity(options.directory.certificateFolder, dataKey && createSealer(dataKey)),
        managers,
        ...(signal === undefined ? {} : { signal }),
        level: options.level ?? ownLevel(),
        clock: options.clock,
        log: options.log,
      }),
    async removeAll(swarm) {
      const worker = await options.createWorker({ swarm });
      await worker.removeAll(new AbortController().signal);
    },
  };
}

/** A part that ends with an error is a defect that must be seen; the other parts go on. */
export function superviseParts(parts: readonly Promise<void>[], log: Logger): readonly Promise<void>[] {
  for (const part of parts)
    part.catch((error: unknown) =>
      log.error({ error: errorMessage(error), stack: error instanceof Error ? error.stack : undefined }, 'a part of the node ended'),
    );
  return parts;
}
