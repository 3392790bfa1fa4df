// This daemon's place in a swarm: none, locked, or active; and the ways from one to the other. Texts and status codes are the Docker daemon's
// (daemon/cluster). What runs while the node is active is node-runtime.ts.
import type {
  Backup,
  Control,
  InitRequest,
  JoinRequest,
  LogChunk,
  LogOptions,
  LogsWanted,
  RestoreRequest,
  SwarmInfo,
  SwarmMembership,
} from '#control/control.ts';
import { DEFAULT_DATA_PATH_PORT } from '#domain/defaults.ts';
import type { StoreEvent } from '#domain/view.ts';
import type { Clock, Random } from '#lib/clock.ts';
import { present } from '#lib/assert.ts';
import { AppError, errorMessage } from '#lib/errors.ts';
import { newId } from '#lib/id.ts';
import type { Logger } from '#lib/log.ts';
import { createDataKey } from '#store/seal.ts';
import { type AddressRequest, type NodeAddresses, nodeAddresses, type SystemInterfaces } from './addresses.ts';
import { checkInitRequest } from './found-swarm.ts';
import { writeIdentity } from './identity.ts';
import type { NodeEngines } from './node-engines.ts';
import { type NodeFactory, type NodeRuntime, WORKER_TEXT } from './node-runtime.ts';
import { isKeptAlone, keepAlone } from './keep-alone.ts';
import { checkJoinRequest, type Joined, sayGivenUp, requestUntilAnswered, withinJoinTimeout } from './join.ts';
import { NodePlace } from './node-place.ts';
import { type KnownManager, writeManagers } from './remote-managers.ts';
import { ALREADY_IN_SWARM, joinTimeoutText, LEAVE_LOCKED, leaveManagerText, LOCKED, NOT_IN_SWARM, PREPARING } from './membership-texts.ts';
import type { RestoreResult } from './membership-restore.ts';
import { swarmInfoOf } from './membership-state.ts';
import { resumeMembership } from './resume.ts';
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
  private readonly place: NodePlace;
  readonly goneTask: DaemonMembership['goneTask'] = (id) => this.place.node()?.goneTask?.(id);
  readonly goneContainer: DaemonMembership['goneContainer'] = async (ref, signal) => this.place.node()?.goneContainer?.(ref, signal);

  constructor(options: MembershipOptions) {
    this.options = options;
    this.place = new NodePlace(options);
  }

  info(): SwarmInfo {
    return swarmInfoOf(this.place.state, this.place.roleProblem);
  }

  dnsAddress(): string | undefined {
    return this.place.node()?.dnsAddress;
  }

  nodeId(): string {
    return 'swarm' in this.place.state ? this.place.state.swarm.nodeId : '';
  }

  engines(): NodeEngines | undefined {
    return this.place.node()?.engines;
  }

  control(): Control {
    switch (this.place.state.kind) {
      case 'active':
        if (this.place.state.node.manager === undefined) throw new AppError('unavailable', WORKER_TEXT);
        return this.place.state.node.manager.control;
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
    return this.place.inTurn(async () => {
      const { state } = this.place;
      if (isKeptAlone(state, request)) return keepAlone(this.place, this.options.directory, this.addresses(request), request);
      if (state.kind === 'locked' && request.forceNewCluster) throw new AppError('unavailable', LOCKED);
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
        await this.place.start(swarm, createDataKey(), { founding: complete });
      } catch (error) {
        this.place.state = { kind: 'inactive' };
        this.options.directory.erase();
        throw error;
      }
      return swarm.nodeId;
    });
  }

  join(request: JoinRequest): Promise<void> {
    return this.place.inTurn(async () => {
      if (this.place.state.kind !== 'inactive') throw new AppError('unavailable', ALREADY_IN_SWARM);
      const addresses = this.addresses(request);
      checkJoinRequest(request);
      const { clock, engineAnswers } = this.options;
      await engineAnswers();
      const stop = new AbortController();
      this.place.state = { kind: 'joining', stop };
      let reason = '';
      const attempt = requestUntilAnswered({ ...request, advertise: addresses.advertiseAddr, level: this.options.nodes.level }, clock, stop.signal, (text) => {
        reason = text;
        if (this.place.isJoining(stop)) this.place.state = { kind: 'joining', stop, reason };
      });
      const identity = await withinJoinTimeout(attempt, clock).catch((error: unknown) => {
        this.place.state = { kind: 'inactive' };
        throw error;
      });
      if (identity === undefined) {
        void this.joinLater(attempt, addresses, stop);
        throw new AppError('deadlineExceeded', joinTimeoutText(reason));
      }
      await this.become(identity, addresses);
    });
  }

  /** Goes on with a join whose user was told that it takes long; leaving ends it. */
  private async joinLater(attempt: Promise<Joined>, addresses: NodeAddresses, stop: AbortController): Promise<void> {
    try {
      const identity = await attempt;
      await this.place.inTurn(async () => {
        if (this.place.isJoining(stop)) await this.become(identity, addresses);
      });
    } catch (error) {
      if (!stop.signal.aborted) this.options.log.error({ error: errorMessage(error) }, 'this node could not join the swarm');
      if (this.place.isJoining(stop)) this.place.state = { kind: 'inactive' };
    }
  }

  private async become(identity: Joined, addresses: NodeAddresses): Promise<void> {
    const { directory } = this.options;
    const swarm: SwarmFile = { nodeId: identity.nodeId, role: identity.role, ...addresses, dataPathPort: identity.dataPathPort };
    writeIdentity(directory.certificateFolder, { roots: identity.root, certificate: identity.certificate, key: identity.key });
    const asked = { nodeId: '', address: identity.manager };
    // The one that was asked may not lead; but that it can be reached is sure.
    writeManagers(directory.path, [...(identity.managers ?? []).filter(({ address }) => address !== asked.address), asked]);
    if (identity.role === 'manager') return this.joinManagers(swarm, [asked]);
    directory.writeSwarm(swarm);
    await this.place.startWorker(swarm);
  }

  leave(force: boolean): Promise<void> {
    return this.place.inTurn(async () => {
      let { state } = this.place;
      if (state.kind === 'inactive') throw new AppError('unavailable', 'This node is not part of a swarm');
      if (state.kind === 'joining') return this.place.giveUpJoining(state.stop);
      const isWorker = state.swarm.role === 'worker';
      if (!force && !isWorker) throw new AppError('unavailable', state.kind === 'locked' ? LEAVE_LOCKED : this.leaveManagerText());
      const { swarm } = state;
      state = await this.place.giveUpResuming();
      if (state.kind === 'active') await this.resign(state.node);
      await this.remove('swarm' in state ? state.swarm : swarm);
    });
  }

  unlock(key: string): Promise<void> {
    return this.place.inTurn(() => this.place.unlock(key));
  }

  async backup(passphrase: string): Promise<Backup> {
    this.control();
    const { state } = this.place;
    const manager = state.kind === 'active' ? state.node.manager : undefined;
    if (manager === undefined) throw new AppError('unavailable', PREPARING);
    const trouble = manager.trouble();
    const file = await manager.backups.make(passphrase);
    return { file, warning: trouble === undefined ? '' : `what this manager has may not be the newest: ${trouble}` };
  }

  async restore(file: Uint8Array, request: RestoreRequest): Promise<RestoreResult> {
    // Nobody else needs its code.
    const { restoreSwarm } = await import('./membership-restore.ts');
    return restoreSwarm(this.place, this.options, Buffer.from(file.buffer, file.byteOffset, file.byteLength), request);
  }

  onEvents(listener: (events: readonly StoreEvent[]) => void): () => void {
    return this.place.onEvents(listener);
  }

  logs(wanted: LogsWanted, options: LogOptions, signal: AbortSignal): AsyncIterable<LogChunk> {
    const node = this.place.node();
    // Says why there is none.
    if (node === undefined) this.control();
    return present(node, 'node').logs(wanted, options, signal);
  }

  resume(): Promise<void> {
    return this.place.inTurn(() => resumeMembership(this.place, this.options, (swarm) => this.remove(swarm)));
  }

  stop(): Promise<void> {
    return this.place.stop();
  }

  private async joinManagers(swarm: SwarmFile, managers: readonly KnownManager[]): Promise<void> {
    const { directory, nodes } = this.options;
    this.place.state = { kind: 'starting', swarm };
    try {
      const { dataKey, etcd } = await nodes.joinManagers(swarm, managers);
      directory.writeSwarm(swarm);
      await this.place.start(swarm, dataKey, { joined: etcd });
    } catch (error) {
      await sayGivenUp(directory, managers, this.options);
      this.place.state = { kind: 'inactive' };
      directory.erase();
      throw error;
    }
  }

  /** Gives its part as a manager back, so that the others go on without waiting for it. */
  private async resign({ manager }: NodeRuntime): Promise<void> {
    await manager?.resign().catch((error: unknown) => this.options.log.warn({ error: errorMessage(error) }, 'the other managers could not be told'));
  }

  private leaveManagerText(): string {
    const control = this.place.state.kind === 'active' ? this.place.state.node.manager?.control : undefined;
    const managers = (control?.nodes.list({}) ?? []).flatMap(({ manager }) => manager ?? []);
    const reachable = managers.filter(({ reachability }) => reachability === 'reachable').length;
    return leaveManagerText(reachable, managers.length - reachable);
  }

  private async remove(swarm: SwarmFile): Promise<void> {
    const { directory, nodes } = this.options;
    directory.writeSwarm({ ...swarm, leaving: true });
    if (this.place.state.kind === 'active') {
      const { node } = this.place.state;
      await node.stop();
      await node.sayLeaving?.();
    }
    await nodes.removeAll(swarm);
    directory.erase();
    this.place.state = { kind: 'inactive' };
  }

  private addresses(request: AddressRequest): NodeAddresses {
    return nodeAddresses(request, this.options.defaults, this.options.interfaces());
  }
}
