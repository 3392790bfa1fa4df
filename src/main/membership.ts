// This daemon's place in a swarm: none, locked, or active; and the ways from one to the other. Texts and status codes are the Docker daemon's
// (daemon/cluster). What runs while the node is active is node-runtime.ts.
import type { Control, InitRequest, JoinRequest, LogChunk, LogOptions, SwarmInfo, SwarmMembership } from '#control/control.ts';
import { DEFAULT_DATA_PATH_PORT } from '#domain/defaults.ts';
import type { StoreEvent } from '#domain/view.ts';
import type { Clock, Random } from '#lib/clock.ts';
import { AppError, errorMessage } from '#lib/errors.ts';
import { newId } from '#lib/id.ts';
import type { Logger } from '#lib/log.ts';
import { createDataKey, parseUnlockKey } from '#store/seal.ts';
import { type AddressRequest, type NodeAddresses, nodeAddresses, type SystemInterfaces } from './addresses.ts';
import { readDataKey, unlockDataKey } from './data-key.ts';
import { checkInitRequest } from './found-swarm.ts';
import { writeIdentity } from './identity.ts';
import type { NodeEngines } from './node-engines.ts';
import { type NodeFactory, type NodeRuntime, WORKER_TEXT } from './node-runtime.ts';
import { checkJoinRequest, type Joined, requestUntilAnswered, withinJoinTimeout } from './join.ts';
import { writeManagers } from './remote-managers.ts';
import { ALREADY_IN_SWARM, JOIN_TIMEOUT, LEAVE_LAST_MANAGER, LEAVE_LOCKED, LOCKED, NOT_IN_SWARM, PREPARING } from './membership-texts.ts';
import { type State, swarmInfoOf } from './membership-state.ts';
import type { StateDirectory, SwarmFile } from './state-directory.ts';

export interface MembershipOptions {
  readonly directory: StateDirectory;
  readonly nodes: NodeFactory;
  readonly interfaces: () => SystemInterfaces;
  /** Rejects with AppError `unavailable` when the container engine cannot be reached: a node without one is of no use to a swarm. */
  readonly engineAnswers: () => Promise<unknown>;
  /** Of the daemon's options; they fill in what a client leaves out. */
  readonly defaults: {
    readonly listenAddr: string;
    readonly advertiseAddr: string;
    readonly dataPathAddr: string;
    readonly dataPathPort: number;
    readonly defaultAddrPools: readonly string[];
  };
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

export interface DaemonMembership extends SwarmMembership {
  /** Takes up where the daemon was when it stopped. */
  resume(): Promise<void>;
  /** Stops what runs here; containers go on, and the node stays a member. */
  stop(): Promise<void>;
  /** The resolver of this node's swarm networks; undefined while the node is not active. */
  dnsAddress(): string | undefined;
  /** The engines of all nodes, on a manager. */
  engines(): NodeEngines | undefined;
}

export function createMembership(options: MembershipOptions): DaemonMembership {
  return new Membership(options);
}

class Membership implements DaemonMembership {
  private readonly options: MembershipOptions;
  private readonly listeners = new Set<(events: readonly StoreEvent[]) => void>();
  private state: State = { kind: 'inactive' };
  private turn: Promise<unknown> = Promise.resolve();

  constructor(options: MembershipOptions) {
    this.options = options;
  }

  info(): SwarmInfo {
    return swarmInfoOf(this.state);
  }

  dnsAddress(): string | undefined {
    return this.state.kind === 'active' ? this.state.node.dnsAddress : undefined;
  }

  nodeId(): string {
    return 'swarm' in this.state ? this.state.swarm.nodeId : '';
  }

  engines(): NodeEngines | undefined {
    return this.state.kind === 'active' ? this.state.node.engines : undefined;
  }

  control(): Control {
    switch (this.state.kind) {
      case 'active':
        if (this.state.node.manager === undefined) throw new AppError('unavailable', WORKER_TEXT);
        return this.state.node.manager.control;
      case 'inactive':
        throw new AppError('unavailable', NOT_IN_SWARM);
      case 'locked':
        throw new AppError('unavailable', LOCKED);
      case 'joining':
      case 'starting':
      case 'error':
        throw new AppError('unavailable', PREPARING);
    }
  }

  init(request: InitRequest): Promise<string> {
    return this.inTurn(async () => {
      const { state } = this;
      if (state.kind === 'active' && state.node.manager !== undefined && request.forceNewCluster)
        return this.keepAlone(state.swarm, state.node, state.node.manager.dataKey, request);
      if (state.kind !== 'inactive') throw new AppError('unavailable', ALREADY_IN_SWARM);
      const { defaults } = this.options;
      const complete: InitRequest = {
        ...request,
        dataPathPort: request.dataPathPort || defaults.dataPathPort,
        defaultAddrPool: request.defaultAddrPool.length > 0 ? request.defaultAddrPool : defaults.defaultAddrPools,
      };
      const addresses = this.addresses(complete);
      checkInitRequest(complete);
      await this.options.engineAnswers();
      const swarm: SwarmFile = {
        nodeId: newId(this.options.random),
        role: 'manager',
        ...addresses,
        dataPathPort: complete.dataPathPort || DEFAULT_DATA_PATH_PORT,
      };
      try {
        await this.start(swarm, createDataKey(), complete);
      } catch (error) {
        this.state = { kind: 'inactive' };
        this.options.directory.erase();
        throw error;
      }
      return swarm.nodeId;
    });
  }

  join(request: JoinRequest): Promise<void> {
    return this.inTurn(async () => {
      if (this.state.kind !== 'inactive') throw new AppError('unavailable', ALREADY_IN_SWARM);
      const addresses = this.addresses(request);
      checkJoinRequest(request);
      const { clock, engineAnswers } = this.options;
      await engineAnswers();
      const stop = new AbortController();
      this.state = { kind: 'joining', stop };
      const attempt = requestUntilAnswered(request, clock, stop.signal);
      const identity = await withinJoinTimeout(attempt, clock).catch((error: unknown) => {
        this.state = { kind: 'inactive' };
        throw error;
      });
      if (identity === undefined) {
        void this.joinLater(attempt, addresses, stop);
        throw new AppError('deadlineExceeded', JOIN_TIMEOUT);
      }
      await this.become(identity, addresses);
    });
  }

  /** Goes on with a join whose user was told that it takes long; leaving ends it. */
  private async joinLater(attempt: Promise<Joined>, addresses: NodeAddresses, stop: AbortController): Promise<void> {
    const isStillWanted = () => this.state.kind === 'joining' && this.state.stop === stop;
    try {
      const identity = await attempt;
      await this.inTurn(async () => {
        if (isStillWanted()) await this.become(identity, addresses);
      });
    } catch (error) {
      if (!stop.signal.aborted) this.options.log.error({ error: errorMessage(error) }, 'this node could not join the swarm');
      if (isStillWanted()) this.state = { kind: 'inactive' };
    }
  }

  private giveUpJoining(stop: AbortController): void {
    this.state = { kind: 'inactive' };
    stop.abort();
  }

  private async become(identity: Joined, addresses: NodeAddresses): Promise<void> {
    const { directory } = this.options;
    const swarm: SwarmFile = { nodeId: identity.nodeId, role: identity.role, ...addresses, dataPathPort: identity.dataPathPort };
    writeIdentity(directory.certificateFolder, { roots: identity.root, certificate: identity.certificate, key: identity.key });
    writeManagers(directory.path, [{ nodeId: '', address: identity.manager }]);
    directory.writeSwarm(swarm);
    await this.startWorker(swarm);
  }

  leave(force: boolean): Promise<void> {
    return this.inTurn(async () => {
      const { state } = this;
      if (state.kind === 'inactive') throw new AppError('unavailable', 'This node is not part of a swarm');
      if (state.kind === 'joining') return this.giveUpJoining(state.stop);
      const isWorker = state.swarm.role === 'worker';
      if (!force && !isWorker) throw new AppError('unavailable', state.kind === 'locked' ? LEAVE_LOCKED : LEAVE_LAST_MANAGER);
      await this.remove(state.swarm);
    });
  }

  unlock(key: string): Promise<void> {
    return this.inTurn(async () => {
      const { state } = this;
      if (state.kind === 'inactive') throw new AppError('unavailable', NOT_IN_SWARM);
      if (state.kind !== 'locked') throw new AppError('conflict', 'swarm is not locked');
      await this.start(state.swarm, unlockDataKey(state.dataKey, parseUnlockKey(key)));
    });
  }

  onEvents(listener: (events: readonly StoreEvent[]) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  logs(taskIds: () => readonly string[], options: LogOptions, signal: AbortSignal): AsyncIterable<LogChunk> {
    if (this.state.kind !== 'active') this.control();
    return (this.state as Extract<State, { kind: 'active' }>).node.logs(taskIds, options, signal);
  }

  resume(): Promise<void> {
    return this.inTurn(async () => {
      const { directory, log } = this.options;
      const swarm = directory.readSwarm();
      if (swarm === undefined) return directory.erase();
      if (swarm.leaving) return this.remove(swarm);
      if (swarm.role === 'worker') return this.orError(swarm, () => this.startWorker(swarm, false));
      const dataKey = readDataKey(directory.dataKeyFile);
      if (dataKey === undefined) throw new AppError('internal', `${directory.dataKeyFile} is missing: without it the swarm's secrets cannot be read`);
      if (dataKey.kind === 'locked') {
        this.state = { kind: 'locked', swarm, dataKey };
        log.warn({ node: swarm.nodeId }, 'the swarm is locked; containers go on, nothing is managed until it is unlocked');
        return;
      }
      await this.orError(swarm, () => this.start(swarm, dataKey.key));
    });
  }

  stop(): Promise<void> {
    return this.inTurn(async () => {
      if (this.state.kind === 'active') await this.state.node.stop();
      if (this.state.kind === 'joining') this.state.stop.abort();
      this.state = { kind: 'inactive' };
    });
  }

  /** One change of membership at a time. */
  private inTurn<T>(action: () => Promise<T>): Promise<T> {
    const result = this.turn.then(action);
    this.turn = result.catch(() => {});
    return result;
  }

  private async start(swarm: SwarmFile, dataKey: Uint8Array, founding?: InitRequest): Promise<void> {
    this.state = { kind: 'starting', swarm };
    const emit = (events: readonly StoreEvent[]) => {
      for (const listener of this.listeners) listener(events);
    };
    const node = await this.options.nodes.startManager({ swarm, dataKey, emit, ...(founding === undefined ? {} : { founding }) });
    this.state = { kind: 'active', swarm, node };
    await node.ready();
  }

  private async startWorker(swarm: SwarmFile, mustBeReady = true): Promise<void> {
    this.state = { kind: 'starting', swarm };
    const node = await this.options.nodes.startWorker(swarm);
    this.state = { kind: 'active', swarm, node };
    // A worker that comes back works without managers, too: only a join waits for them.
    if (mustBeReady) await node.ready();
  }

  /** What keeps a member from taking its part is shown by `docker info`; the daemon goes on, so that the node can leave. */
  private async orError(swarm: SwarmFile, start: () => Promise<void>): Promise<void> {
    try {
      await start();
    } catch (error) {
      this.state = { kind: 'error', swarm, message: errorMessage(error) };
      this.options.log.error({ node: swarm.nodeId, error: errorMessage(error) }, 'this node cannot take its part in the swarm');
    }
  }

  /** `swarm init --force-new-cluster` on the only manager: the swarm stays, its addresses may change. */
  private async keepAlone(old: SwarmFile, node: NodeRuntime, dataKey: Uint8Array, request: InitRequest): Promise<string> {
    const swarm: SwarmFile = { ...old, ...this.addresses(request) };
    await node.stop();
    this.options.directory.writeSwarm(swarm);
    await this.start(swarm, dataKey);
    return swarm.nodeId;
  }

  private async remove(swarm: SwarmFile): Promise<void> {
    const { directory, nodes } = this.options;
    directory.writeSwarm({ ...swarm, leaving: true });
    if (this.state.kind === 'active') {
      const { node } = this.state;
      await node.stop();
      await node.sayLeaving?.();
    }
    await nodes.removeAll(swarm);
    directory.erase();
    this.state = { kind: 'inactive' };
  }

  private addresses(request: AddressRequest): NodeAddresses {
    return nodeAddresses(request, this.options.defaults, this.options.interfaces());
  }
}
