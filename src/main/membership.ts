// This daemon's place in a swarm: none, locked, or active; and the ways from one to the other. Texts and status codes are the Docker daemon's
// (daemon/cluster). What runs while the node is active is node-runtime.ts.
import type { Control, InitRequest, JoinRequest, LogChunk, LogOptions, SwarmInfo, SwarmMembership } from '#control/control.ts';
import { DEFAULT_DATA_PATH_PORT } from '#domain/defaults.ts';
import type { NodeRole } from '#domain/spec.ts';
import type { StoreEvent } from '#domain/view.ts';
import type { Clock, Random } from '#lib/clock.ts';
import { AppError, errorMessage } from '#lib/errors.ts';
import { newId } from '#lib/id.ts';
import type { Logger } from '#lib/log.ts';
import { createDataKey, parseUnlockKey } from '#store/seal.ts';
import { type AddressRequest, type NodeAddresses, nodeAddresses, type SystemInterfaces } from './addresses.ts';
import { prepareManager, prepareWorker } from './change-role.ts';
import { readDataKey, unlockDataKey } from './data-key.ts';
import { checkInitRequest } from './found-swarm.ts';
import { writeIdentity } from './identity.ts';
import type { NodeEngines } from './node-engines.ts';
import { type ManagerStart, type NodeFactory, type NodeRuntime, WORKER_TEXT } from './node-runtime.ts';
import { checkJoinRequest, type Joined, requestUntilAnswered, withinJoinTimeout } from './join.ts';
import { NO_LEADER } from './manager-store.ts';
import { type KnownManager, knownManagersOf, writeManagers } from './remote-managers.ts';
import { ALREADY_IN_SWARM, JOIN_TIMEOUT, LEAVE_LOCKED, leaveManagerText, LOCKED, NOT_IN_SWARM, PREPARING } from './membership-texts.ts';
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

/** How long a manager that starts is `pending` until it says that too few others are there. */
const QUORUM_PATIENCE_MS = 10_000;
/** Between the tries to take a role that could not be taken. */
const ROLE_RETRY_MS = 5_000;

export function createMembership(options: MembershipOptions): DaemonMembership {
  return new Membership(options);
}

class Membership implements DaemonMembership {
  private readonly options: MembershipOptions;
  private readonly listeners = new Set<(events: readonly StoreEvent[]) => void>();
  private state: State = { kind: 'inactive' };
  private turn: Promise<unknown> = Promise.resolve();
  private roleProblem = '';
  private resuming: { readonly stop: AbortController; readonly done: Promise<void> } | undefined;

  constructor(options: MembershipOptions) {
    this.options = options;
  }

  info(): SwarmInfo {
    return swarmInfoOf(this.state, this.roleProblem);
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
      if (this.state.kind === 'error') await this.giveUpResuming();
      const { state } = this;
      if (request.forceNewCluster && (state.kind === 'active' || state.kind === 'error') && state.swarm.role === 'manager')
        return this.keepAlone(state, request);
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
        await this.start(swarm, createDataKey(), { founding: complete });
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
    const managers = [{ nodeId: '', address: identity.manager }];
    writeManagers(directory.path, managers);
    if (identity.role === 'manager') return this.joinManagers(swarm, managers);
    directory.writeSwarm(swarm);
    await this.startWorker(swarm);
  }

  leave(force: boolean): Promise<void> {
    return this.inTurn(async () => {
      const { state } = this;
      if (state.kind === 'inactive') throw new AppError('unavailable', 'This node is not part of a swarm');
      if (state.kind === 'joining') return this.giveUpJoining(state.stop);
      const isWorker = state.swarm.role === 'worker';
      if (!force && !isWorker) throw new AppError('unavailable', state.kind === 'locked' ? LEAVE_LOCKED : this.leaveManagerText());
      if (state.kind === 'error') await this.giveUpResuming();
      if (state.kind === 'active') await this.resign(state.node);
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
      await this.resumeManager(swarm, dataKey.key);
    });
  }

  stop(): Promise<void> {
    this.resuming?.stop.abort();
    return this.inTurn(async () => {
      if (this.state.kind === 'error') await this.giveUpResuming();
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

  private async start(swarm: SwarmFile, dataKey: Uint8Array, more: Partial<ManagerStart> = {}): Promise<void> {
    this.state = { kind: 'starting', swarm };
    const emit = (events: readonly StoreEvent[]) => {
      for (const listener of this.listeners) listener(events);
    };
    const onRole = (role: NodeRole) => this.onRole(swarm.nodeId, role);
    const node = await this.options.nodes.startManager({ swarm, dataKey, emit, onRole, ...more });
    this.state = { kind: 'active', swarm, node };
    await node.ready();
  }

  private async startWorker(swarm: SwarmFile, mustBeReady = true): Promise<void> {
    this.state = { kind: 'starting', swarm };
    const node = await this.options.nodes.startWorker({ swarm, onRole: (role) => this.onRole(swarm.nodeId, role) });
    this.state = { kind: 'active', swarm, node };
    // A worker that comes back works without managers, too: only a join waits for them.
    if (mustBeReady) await node.ready();
  }

  /** Waits for enough other managers for as long as it takes; `docker info` says so after a while, and leaving or `--force-new-cluster` ends it. */
  private async resumeManager(swarm: SwarmFile, dataKey: Uint8Array): Promise<void> {
    const { clock } = this.options;
    const stop = new AbortController();
    const done = this.orError(swarm, () => this.start(swarm, dataKey, { signal: stop.signal }).catch((error: unknown) => this.returnAsWorker(swarm, error)));
    this.resuming = { stop, done };
    const patience = new AbortController();
    const late = clock.sleep(QUORUM_PATIENCE_MS, patience.signal).catch(() => {});
    await Promise.race([done, late]);
    patience.abort();
    if (this.state.kind === 'starting') this.state = { kind: 'error', swarm, message: NO_LEADER };
  }

  /** A manager that the others removed while it was away is a worker, if it is anything. */
  private async returnAsWorker(old: SwarmFile, error: unknown): Promise<void> {
    if (!(error instanceof AppError) || error.code !== 'failedPrecondition') throw error;
    const { directory, nodes } = this.options;
    const swarm = await prepareWorker({ directory, nodes, swarm: old, managers: knownManagersOf(directory.path) });
    directory.eraseManager();
    await this.startWorker(swarm, false);
  }

  private async giveUpResuming(): Promise<void> {
    this.resuming?.stop.abort();
    await this.resuming?.done;
    this.resuming = undefined;
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

  /** `swarm init --force-new-cluster`: the swarm stays, with this node as its only manager; its addresses may change. */
  private async keepAlone(state: Extract<State, { kind: 'active' | 'error' }>, request: InitRequest): Promise<string> {
    const { directory } = this.options;
    const swarm: SwarmFile = { ...state.swarm, ...this.addresses(request) };
    const stored = readDataKey(directory.dataKeyFile);
    const dataKey = state.kind === 'active' ? state.node.manager?.dataKey : stored?.kind === 'plain' ? stored.key : undefined;
    if (dataKey === undefined) throw new AppError('unavailable', LOCKED);
    if (state.kind === 'active') await state.node.stop();
    directory.writeSwarm(swarm);
    await this.start(swarm, dataKey, { forceNewCluster: true });
    return swarm.nodeId;
  }

  private async joinManagers(swarm: SwarmFile, managers: readonly KnownManager[]): Promise<void> {
    const { directory, nodes } = this.options;
    this.state = { kind: 'starting', swarm };
    try {
      const { dataKey, etcd } = await nodes.joinManagers(swarm, managers);
      directory.writeSwarm(swarm);
      await this.start(swarm, dataKey, { joined: etcd });
    } catch (error) {
      this.state = { kind: 'inactive' };
      directory.erase();
      throw error;
    }
  }

  /** The managers want this node to have another role than it has: they were asked to by a user. */
  private onRole(nodeId: string, role: NodeRole): void {
    const { clock, log } = this.options;
    void this.inTurn(async () => {
      const { state } = this;
      if (state.kind !== 'active' || state.swarm.nodeId !== nodeId || state.swarm.role === role) return;
      log.info({ role }, 'this node changes its role');
      try {
        await this.takeRole(state, role);
        this.roleProblem = '';
      } catch (error) {
        this.roleProblem = `this node cannot become a ${role}: ${errorMessage(error)}`;
        log.warn({ error: errorMessage(error) }, `this node cannot become a ${role} now; it will be tried again`);
        clock.schedule(ROLE_RETRY_MS, () => this.onRole(nodeId, role));
      }
    });
  }

  private async takeRole({ swarm: old, node }: Extract<State, { kind: 'active' }>, role: NodeRole): Promise<void> {
    const { directory, nodes } = this.options;
    const change = { directory, nodes, swarm: old, managers: node.managers() };
    if (role === 'manager') {
      const { swarm, dataKey, etcd } = await prepareManager(change);
      await node.stop();
      await this.start(swarm, dataKey, { joined: etcd });
    } else {
      const swarm = await prepareWorker(change);
      await node.stop();
      directory.eraseManager();
      await this.startWorker(swarm, false);
    }
  }

  /** Gives its part as a manager back, so that the others go on without waiting for it. */
  private async resign({ manager }: NodeRuntime): Promise<void> {
    await manager?.resign().catch((error: unknown) => this.options.log.warn({ error: errorMessage(error) }, 'the other managers could not be told'));
  }

  private leaveManagerText(): string {
    const control = this.state.kind === 'active' ? this.state.node.manager?.control : undefined;
    const managers = (control?.nodes.list({}) ?? []).flatMap(({ manager }) => manager ?? []);
    const reachable = managers.filter(({ reachability }) => reachability === 'reachable').length;
    return leaveManagerText(reachable, managers.length - reachable);
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
