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
import { type NodeAddresses, resolveNodeAddresses, splitHostPort, type SystemInterfaces } from './addresses.ts';
import { readDataKey, type StoredDataKey } from './data-key.ts';
import { checkInitRequest } from './found-swarm.ts';
import { writeIdentity } from './identity.ts';
import type { NodeEngines } from './node-engines.ts';
import { type NodeFactory, type NodeRuntime, WORKER_TEXT } from './node-runtime.ts';
import { checkJoinRequest, requestFromAny } from './join.ts';
import { writeManagers } from './remote-managers.ts';
import { ALREADY_IN_SWARM, LEAVE_LAST_MANAGER, LEAVE_LOCKED, LOCKED, NOT_IN_SWARM, PREPARING } from './membership-texts.ts';
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

type State =
  | { readonly kind: 'inactive' }
  | { readonly kind: 'locked'; readonly swarm: SwarmFile; readonly dataKey: Extract<StoredDataKey, { kind: 'locked' }> }
  | { readonly kind: 'starting'; readonly swarm: SwarmFile }
  | { readonly kind: 'active'; readonly swarm: SwarmFile; readonly node: NodeRuntime }
  | { readonly kind: 'error'; readonly swarm: SwarmFile; readonly message: string };

/** What the CLI sends when the user names no address to listen on. */
const CLI_LISTEN_ADDR = '0.0.0.0:2377';

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
    const { state } = this;
    const base = { nodeId: '', nodeAddress: '', controlAvailable: false, error: '', remoteManagers: [], warnings: [] };
    if (state.kind === 'inactive') return { ...base, state: 'inactive' };
    const { nodeId, advertiseAddr } = state.swarm;
    const known = { ...base, nodeId, nodeAddress: splitHostPort(advertiseAddr).host };
    if (state.kind === 'locked') return { ...base, state: 'locked' };
    if (state.kind === 'starting') return { ...known, state: 'pending' };
    if (state.kind === 'error') return { ...known, state: 'error', error: state.message };
    const problem = state.node.problem?.();
    if (problem !== undefined) return { ...known, state: 'error', error: problem, remoteManagers: state.node.managers() };
    const active = { ...known, state: 'active', remoteManagers: state.node.managers() } as const;
    if (state.node.manager === undefined) return active;
    const { control } = state.node.manager;
    return {
      ...active,
      controlAvailable: true,
      nodes: control.nodes.list({}).length,
      managers: control.nodes.list({ role: ['manager'] }).length,
      cluster: control.swarm.get(),
    };
  }

  dnsAddress(): string | undefined {
    return this.state.kind === 'active' ? this.state.node.dnsAddress : undefined;
  }

  nodeId(): string {
    return this.state.kind === 'inactive' ? '' : this.state.swarm.nodeId;
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
      const { directory } = this.options;
      await this.options.engineAnswers();
      const identity = await requestFromAny(request);
      const swarm: SwarmFile = { nodeId: identity.nodeId, role: identity.role, ...addresses, dataPathPort: identity.dataPathPort };
      writeIdentity(directory.certificateFolder, { roots: identity.root, certificate: identity.certificate, key: identity.key });
      writeManagers(directory.path, [{ nodeId: '', address: identity.manager }]);
      directory.writeSwarm(swarm);
      await this.startWorker(swarm);
    });
  }

  leave(force: boolean): Promise<void> {
    return this.inTurn(async () => {
      const { state } = this;
      if (state.kind === 'inactive') throw new AppError('unavailable', 'This node is not part of a swarm');
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
      await this.start(state.swarm, unwrap(state.dataKey, parseUnlockKey(key)));
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

  private addresses(request: { readonly listenAddr: string; readonly advertiseAddr: string; readonly dataPathAddr: string }): NodeAddresses {
    const { defaults, interfaces } = this.options;
    return resolveNodeAddresses(
      {
        listenAddr: request.listenAddr === CLI_LISTEN_ADDR && defaults.listenAddr !== '' ? defaults.listenAddr : request.listenAddr,
        advertiseAddr: request.advertiseAddr || defaults.advertiseAddr,
        dataPathAddr: request.dataPathAddr || defaults.dataPathAddr,
      },
      interfaces(),
    );
  }
}

function unwrap(dataKey: Extract<StoredDataKey, { kind: 'locked' }>, unlockKey: Uint8Array): Uint8Array {
  try {
    return dataKey.unlock(unlockKey);
  } catch (error) {
    throw new AppError('unauthenticated', 'swarm could not be unlocked: invalid key provided', { cause: error });
  }
}
