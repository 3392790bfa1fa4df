// What runs here as a member of a swarm, and how that begins and changes by itself: a start that waits for other managers, a new role, the end. What users
// ask for is in membership.ts.
import type { NodeRole } from '#domain/spec.ts';
import type { StoreEvent } from '#domain/view.ts';
import { present } from '#lib/assert.ts';
import { type Attempts, createAttempts } from '#lib/attempts.ts';
import type { Clock } from '#lib/clock.ts';
import { AppError, errorMessage } from '#lib/errors.ts';
import type { Logger } from '#lib/log.ts';
import { createSealer, parseUnlockKey } from '#store/seal.ts';
import { becomeWorker, prepareManager, prepareWorker } from './change-role.ts';
import { unlockDataKey } from './data-key.ts';
import { healManager } from './heal-manager.ts';
import { readIdentity } from './identity.ts';
import type { State } from './membership-state.ts';
import { NO_LEADER, NOT_IN_SWARM, REMOVED, REPLACED_HERE, SUPERSEDED, WANTED_AS_MANAGER } from './membership-texts.ts';
import type { ManagerStart, NodeFactory, NodeRuntime } from './node-runtime.ts';
import { type KnownManager, knownManagersOf, writeManagers } from './remote-managers.ts';
import type { StateDirectory, SwarmFile } from './state-directory.ts';
import { successors } from './superseded.ts';

export interface NodePlaceOptions {
  readonly directory: StateDirectory;
  readonly nodes: NodeFactory;
  readonly clock: Clock;
  readonly log: Logger;
}

/** How long a manager that starts is `pending` until it says that too few others are there. */
const QUORUM_PATIENCE_MS = 10_000;
/** Between what the others are asked for by a manager that cannot go on with what it has. */
const RECOVERY_PAUSE_MS = 1_000;
/** Between the tries to take a role that could not be taken. */
const ROLE_RETRY_MS = 5_000;
const WRONG_KEYS = { burst: 10, refillMs: 2_000 };

export class NodePlace {
  state: State = { kind: 'inactive' };
  /** Why this node does not have the role that the managers want it to have; empty if it has. */
  roleProblem = '';
  private readonly options: NodePlaceOptions;
  private readonly listeners = new Set<(events: readonly StoreEvent[]) => void>();
  private turn: Promise<unknown> = Promise.resolve();
  private resuming: { readonly stop: AbortController; readonly done: Promise<void> } | undefined;

  private readonly wrongKeys: Attempts;

  constructor(options: NodePlaceOptions) {
    this.options = options;
    this.wrongKeys = createAttempts(WRONG_KEYS, () => options.clock.elapsed());
  }

  /** What runs here; undefined while nothing does. */
  node(): NodeRuntime | undefined {
    return this.state.kind === 'active' ? this.state.node : undefined;
  }

  onEvents(listener: (events: readonly StoreEvent[]) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** True while the join that the controller ends goes on. */
  isJoining(stop: AbortController): boolean {
    return this.state.kind === 'joining' && this.state.stop === stop;
  }

  giveUpJoining(stop: AbortController): void {
    this.state = { kind: 'inactive' };
    stop.abort();
  }

  /** One change at a time. */
  inTurn<T>(action: () => Promise<T>): Promise<T> {
    const result = this.turn.then(action);
    this.turn = result.catch(() => {});
    return result;
  }

  /** The same for what nobody waits for. */
  private inBackground(action: () => Promise<void>): void {
    this.inTurn(action).catch((error: unknown) => this.options.log.error({ error: errorMessage(error) }, 'a change of what this node is failed'));
  }

  async start(swarm: SwarmFile, dataKey: Uint8Array, more: Partial<ManagerStart> = {}): Promise<void> {
    if (swarm.superseded !== undefined) throw new AppError('permissionDenied', SUPERSEDED);
    this.beginStart(swarm);
    const emit = (events: readonly StoreEvent[]) => {
      for (const listener of this.listeners) listener(events);
    };
    const onRole = (role: NodeRole) => this.onRole(swarm.nodeId, role);
    const onDamage = () => this.onDamage(swarm.nodeId);
    const onSuperseded = (candidates: readonly KnownManager[]) => this.onSuperseded(swarm.nodeId, candidates);
    const node = await this.options.nodes.startManager({ swarm, dataKey, emit, onRole, onDamage, onSuperseded, ...more });
    this.state = { kind: 'active', swarm, node };
    await node.ready();
  }

  private beginStart(swarm: SwarmFile): void {
    const { state } = this;
    const isMember = state.kind === 'active' || (state.kind === 'starting' && state.isMember === true);
    this.state = { kind: 'starting', swarm, isMember };
  }

  async startWorker(swarm: SwarmFile, mustBeReady = true): Promise<void> {
    this.beginStart(swarm);
    const node = await this.options.nodes.startWorker({ swarm, onRole: (role) => this.onRole(swarm.nodeId, role) });
    this.state = { kind: 'active', swarm, node };
    // A worker that comes back works without managers, too: only a join waits for them.
    if (mustBeReady) await node.ready();
  }

  async unlock(key: string): Promise<void> {
    const { state } = this;
    if (state.kind === 'inactive') throw new AppError('unavailable', NOT_IN_SWARM);
    if (state.kind !== 'locked') throw new AppError('conflict', 'swarm is not locked');
    this.wrongKeys.assertMayTry('', 'unlock keys');
    const unlockKey = parseUnlockKey(key);
    this.wrongKeys.wrong('');
    const dataKey = unlockDataKey(state.dataKey, unlockKey);
    this.wrongKeys.right('');
    await this.resumeManager(state.swarm, dataKey);
  }

  /** Waits for enough other managers for as long as it takes; `docker info` says so after a while, and leaving or `--force-new-cluster` ends it. */
  async resumeManager(swarm: SwarmFile, dataKey: Uint8Array): Promise<void> {
    const { clock } = this.options;
    const stop = new AbortController();
    // What is said while it waits for the others. A manager that only takes long to start waits for nobody.
    let waiting: { readonly trouble: string | undefined } | undefined;
    let isLate = false;
    const sayWaiting = () => {
      if (waiting !== undefined) this.state = { kind: 'error', swarm, message: waiting.trouble ?? NO_LEADER, dataKey };
    };
    const onWait = (trouble: string | undefined) => {
      waiting = { trouble };
      if (isLate && (this.state.kind === 'starting' || this.state.kind === 'error')) sayWaiting();
    };
    const start = () => this.start(swarm, dataKey, { signal: stop.signal, onWait }).catch((error: unknown) => this.recover(swarm, dataKey, error, stop.signal));
    const done = this.orError(swarm, start, dataKey);
    this.resuming = { stop, done };
    const patience = new AbortController();
    const late = clock.sleep(QUORUM_PATIENCE_MS, patience.signal).catch(() => {});
    await Promise.race([done, late]);
    patience.abort();
    isLate = true;
    if (this.state.kind === 'starting') sayWaiting();
  }

  /** What becomes of a manager that cannot go on with what it has: it gets everything from the others, or is the worker that they want it to be. */
  private async recover(swarm: SwarmFile, dataKey: Uint8Array, failure: unknown, signal: AbortSignal): Promise<void> {
    for (let error = failure; ; await this.options.clock.sleep(RECOVERY_PAUSE_MS, signal)) {
      if (!(error instanceof AppError)) throw error;
      const isDamaged = error.code === 'dataLoss';
      const wasRemoved = !isDamaged && (error.message === REMOVED || error.code === 'permissionDenied');
      if (!wasRemoved && !isDamaged) throw error;
      try {
        await (wasRemoved ? this.returnAsWorker(swarm, dataKey) : this.heal(swarm, dataKey, error, signal));
        return;
      } catch (next) {
        // It was demoted and promoted while it was away.
        if (errorMessage(next) === WANTED_AS_MANAGER) error = new AppError('dataLoss', REMOVED, { cause: next });
        // Nobody can be asked now, or it was removed altogether: it may be let in again.
        else if (wasRemoved && next instanceof AppError && (next.code === 'unavailable' || next.code === 'permissionDenied'))
          this.state = { kind: 'error', swarm, message: `${error.message}: ${next.message}` };
        else error = next;
      }
    }
  }

  /** What is damaged here, the other managers have. */
  private async heal(swarm: SwarmFile, ownKey: Uint8Array, damage: AppError, signal: AbortSignal): Promise<void> {
    const { directory, nodes, clock, log } = this.options;
    const onTrouble = (message: string) => {
      this.state = { kind: 'error', swarm, message };
    };
    const { dataKey, etcd } = await healManager({ directory, nodes, swarm, dataKey: ownKey, damage, onTrouble, signal, clock, log });
    await this.start(swarm, dataKey, { joined: etcd, signal });
    log.info({}, 'this manager has the state of the swarm again');
  }

  /** The data of this manager's member of etcd is damaged: it begins anew, and finds that out again. */
  private onDamage(nodeId: string): void {
    this.inBackground(async () => {
      const { state } = this;
      if (state.kind !== 'active' || state.swarm.nodeId !== nodeId || state.node.manager === undefined) return;
      const { dataKey } = state.node.manager;
      // What cannot be stopped in order, because its data is damaged, is no reason not to begin anew.
      await state.node.stop().catch((error: unknown) => this.options.log.warn({ error: errorMessage(error) }, 'a damaged manager did not stop in order'));
      await this.resumeManager(state.swarm, dataKey);
    });
  }

  /** Somebody belongs to a later epoch of the swarm than this manager: it is one of before. */
  private onSuperseded(nodeId: string, superseded: readonly KnownManager[]): void {
    this.inBackground(async () => {
      const { state } = this;
      if (state.kind !== 'active' || state.swarm.nodeId !== nodeId || state.node.manager === undefined) return;
      const swarm = { ...state.swarm, superseded };
      try {
        this.options.directory.writeSwarm(swarm);
      } catch (error) {
        // A full disk: it will find that out again after its next start.
        this.options.log.warn({ error: errorMessage(error) }, 'that this manager is one of before could not be written down');
      }
      await state.node.stop().catch((error: unknown) => this.options.log.warn({ error: errorMessage(error) }, 'a manager of before did not stop in order'));
      await this.resumeManager(swarm, state.node.manager.dataKey);
    });
  }

  /** A manager that the others removed while it was away is a worker, if it is anything. */
  private async returnAsWorker(old: SwarmFile, dataKey: Uint8Array): Promise<void> {
    const { directory, nodes, clock } = this.options;
    const { superseded, ...before } = old;
    const identity = () => readIdentity(directory.certificateFolder, createSealer(dataKey));
    const managers = superseded === undefined ? knownManagersOf(directory.path) : await successors(superseded, identity(), clock);
    const isSelf = superseded !== undefined && managers.some(({ nodeId }) => nodeId === old.nodeId);
    if (isSelf) throw new AppError('failedPrecondition', REPLACED_HERE);
    if (superseded !== undefined && managers.length > 0) writeManagers(directory.path, managers);
    const worker = await prepareWorker({ directory, nodes, swarm: before, managers, dataKey });
    await this.startWorker(becomeWorker(directory, worker), false);
  }

  /**
   * Ends a start that waits for other managers, if there is one: nothing goes on by itself then. Resolves with what this node is after that; it may have become
   * active at the last moment.
   */
  async giveUpResuming(): Promise<State> {
    if (this.state.kind !== 'active') {
      this.resuming?.stop.abort();
      await this.resuming?.done;
    }
    return this.state;
  }

  /** What keeps a member from taking its part is shown by `docker info`; the daemon goes on, so that the node can leave. */
  async orError(swarm: SwarmFile, start: () => Promise<void>, dataKey?: Uint8Array): Promise<void> {
    try {
      await start();
    } catch (error) {
      this.fail(swarm, error, dataKey);
    }
  }

  fail(swarm: SwarmFile, error: unknown, dataKey?: Uint8Array): void {
    this.state = { kind: 'error', swarm, message: errorMessage(error), ...(dataKey === undefined ? {} : { dataKey }) };
    this.options.log.error({ node: swarm.nodeId, error: errorMessage(error) }, 'this node cannot take its part in the swarm');
  }

  /** The managers want this node to have another role than it has: they were asked to by a user. */
  private onRole(nodeId: string, role: NodeRole): void {
    const { clock, log } = this.options;
    this.inBackground(async () => {
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
      await this.orError(swarm, () => this.start(swarm, dataKey, { joined: etcd }));
    } else {
      const { dataKey } = present(node.manager, 'the manager');
      const worker = await prepareWorker({ ...change, dataKey }).catch((error: unknown) => {
        if (errorMessage(error) !== WANTED_AS_MANAGER) throw error;
        return undefined;
      });
      await node.stop();
      // It was demoted and promoted within a moment: it is a manager, whose member of etcd is gone.
      if (worker === undefined) return this.resumeManager(old, dataKey);
      const swarm = becomeWorker(directory, worker);
      await this.orError(swarm, () => this.startWorker(swarm, false));
    }
  }

  /** Stops what runs here; the node stays a member. */
  stop(): Promise<void> {
    this.resuming?.stop.abort();
    return this.inTurn(async () => {
      const state = await this.giveUpResuming();
      if (state.kind === 'active') await state.node.stop();
      if (state.kind === 'joining') state.stop.abort();
      this.state = { kind: 'inactive' };
    });
  }
}
