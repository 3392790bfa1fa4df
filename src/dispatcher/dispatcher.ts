// The managers' end of every agent's session: who is there, what each is told, and what they report.
// It decides nothing about tasks; a session is only a view of the store through one node's eyes.
import { DEFAULT_HEARTBEAT_PERIOD_NS, heartbeatPeriodNsOf } from '#domain/defaults.ts';
import type { Node, NodeDescription, NodeStatus } from '#domain/objects.ts';
import type { View } from '#domain/view.ts';
import type { Clock, Random } from '#lib/clock.ts';
import { AppError, errorMessage } from '#lib/errors.ts';
import { newId } from '#lib/id.ts';
import type { Logger } from '#lib/log.ts';
import type { ManagerConnection, SessionMessage, TunnelTarget } from '#protocol/messages.ts';
import type { Store } from '#store/store.ts';
import { Absences, type Begun, type Machines } from './absences.ts';
import { AssignmentTracker, type SealedReader } from './assignments.ts';
import { deriveNetworkState, type SharedNetworkState, stateForNode, touchesNetworkState } from './network-state.ts';
import { Session } from './session.ts';
import { createStatusWriter } from './status-writer.ts';

export interface DispatcherOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly sealed: SealedReader;
  readonly log: Logger;
  /** When this manager started, if it was long before it dispatches: other machines may have started together with it. */
  readonly startedAt?: number;
  /** What can be known of machines whose nodes are not heard of. */
  readonly machines?: Machines;
  /** Where agents find managers, themselves included. */
  readonly managers: () => readonly { readonly nodeId: string; readonly address: string }[];
}

export interface Dispatcher {
  /** The connection of a node that proved who it is. `address` is where it was seen to come from; `hasClosed` says, when a session is over, that the node's process is, too. */
  connect(nodeId: string, address: string, hasClosed?: () => boolean): ManagerConnection;
  /** The node said that it leaves: it is down from now on. */
  leave(nodeId: string): Promise<void>;
  /** Asks a node for a tunnel (transport/tunnel.ts) to the manager at that address, or else to this one. False when it has no session. */
  requestTunnel(nodeId: string, id: string, to: TunnelTarget, at?: string): boolean;
  /** Watches the store and the heartbeats until the signal aborts; then ends all sessions. */
  run(signal: AbortSignal): Promise<void>;
}

/** A node is down when it missed this many heartbeats; SwarmKit's number (dispatcher.go, gracePeriodMultiplier). */
const GRACE_PERIODS = 3;

/** How often silence is looked for. */
const TICK_MS = 200;
/** News of one burst travel together; it adds this much to the time that a change needs to reach the load balancers. */
const NETWORK_DEBOUNCE_MS = 10;
/** A tick that comes this late means that this process did not run: agents are not to blame for the silence. */
const STALL_MS = 1_000;

export function createDispatcher(options: DispatcherOptions): Dispatcher {
  return new SessionDispatcher(options);
}

class SessionDispatcher implements Dispatcher {
  private readonly options: DispatcherOptions;
  private readonly sessions = new Map<string, Session>();
  private readonly statusWriter: ReturnType<typeof createStatusWriter>;
  /** Nodes that are ready in the store and have no session. */
  private readonly absences: Absences;
  private shared: SharedNetworkState | undefined;
  private networkDirty = true;
  private refreshPending = false;
  private cancelRefresh = () => {};
  private running = false;

  constructor(options: DispatcherOptions) {
    this.options = options;
    this.statusWriter = createStatusWriter(options);
    this.absences = new Absences(options);
  }

  connect(nodeId: string, address: string, hasClosed = () => true): ManagerConnection {
    return {
      openSession: (description, signal) => this.openSession({ nodeId, address, hasClosed }, description, signal),
      reportStatus: async (sessionId, updates) => {
        this.touch(nodeId, sessionId);
        await this.statusWriter.write(nodeId, updates);
      },
      reportDescription: async (sessionId, description) => {
        this.touch(nodeId, sessionId);
        await this.writeNode(nodeId, (node) => ({ ...node, description }));
      },
      reportNetworkApplied: async (sessionId, version) => {
        const session = this.touch(nodeId, sessionId);
        session.noteApplied(version);
        this.settleNetwork();
      },
      heartbeat: async (sessionId) => {
        this.touch(nodeId, sessionId);
      },
    };
  }

  async leave(nodeId: string): Promise<void> {
    this.sessions.get(nodeId)?.end('the node leaves the swarm');
    this.sessions.delete(nodeId);
    this.absences.end(nodeId);
    const now = this.options.clock.now();
    await this.writeNode(nodeId, (node) => ({
      ...node,
      status: nodeStatus(node, { state: 'down', message: 'the node left the swarm', address: node.status.address }, now),
    }));
    this.settleNetwork();
  }

  requestTunnel(nodeId: string, id: string, to: TunnelTarget, at?: string): boolean {
    const session = this.sessions.get(nodeId);
    session?.requestTunnel(id, to, at);
    return session !== undefined;
  }

  async run(signal: AbortSignal): Promise<void> {
    const { store, clock, log } = this.options;
    this.running = true;
    this.missNodes();
    const unwatch = store.watch((_revision, events) => {
      for (const event of events) {
        for (const session of this.sessions.values()) session.note(event);
        if (event.action === 'remove' && event.object.kind === 'node') this.sessions.get(event.object.id)?.end('the node was removed from the swarm');
        this.networkDirty ||= touchesNetworkState(event);
      }
      this.scheduleRefresh();
    });
    this.scheduleRefresh();
    try {
      for (let last = clock.elapsed(); !signal.aborted; last = clock.elapsed()) {
        await clock.sleep(TICK_MS, signal).catch(() => {});
        const lateMs = clock.elapsed() - last - TICK_MS;
        if (lateMs > STALL_MS) this.forgive(lateMs);
        if (signal.aborted) break;
        this.absences.knock();
        await this.expire().catch((error: unknown) => log.warn({ error: errorMessage(error) }, 'could not record that a node is down; it will be tried again'));
      }
    } finally {
      this.running = false;
      this.cancelRefresh();
      unwatch();
      for (const session of this.sessions.values()) session.end('this manager stops');
    }
  }

  /** Whoever had their sessions before, this manager does not have them. */
  private missNodes(): void {
    const { store, clock, startedAt = clock.elapsed() } = this.options;
    const begun: Begun = { cause: 'taken over', graceUntil: clock.elapsed() + this.graceMs(), startingUntil: startedAt + this.graceMs() };
    for (const node of store.view.list('node')) if (isUp(node)) this.absences.begin(node.id, begun);
  }

  private async *openSession({ nodeId, address, hasClosed }: Calling, description: NodeDescription, signal: AbortSignal): AsyncGenerator<SessionMessage> {
    const { store, clock, random, sealed, managers } = this.options;
    if (!this.running) throw new AppError('unavailable', 'this manager does not dispatch now');
    if (store.view.get('node', nodeId) === undefined) throw new AppError('permissionDenied', `node ${nodeId} is not part of this swarm`);
    this.sessions.get(nodeId)?.end('the node opened a newer session');
    const session = new Session({
      header: { sessionId: newId(random), nodeId, heartbeatPeriodMs: this.periodMs(), managers: managers() },
      tracker: new AssignmentTracker(nodeId, sealed),
      expiresAt: clock.elapsed() + this.graceMs(),
    });
    this.sessions.set(nodeId, session);
    this.absences.end(nodeId);
    try {
      await this.writeNode(nodeId, (node) => ({ ...node, description, status: nodeStatus(node, { state: 'ready', address }, clock.now()) }));
      this.refreshNetwork();
      yield* session.messages(() => store.view, signal);
    } finally {
      if (this.sessions.get(nodeId) === session) {
        this.sessions.delete(nodeId);
        // An ended connection is news; silence on an open one has to be waited for.
        this.absences.begin(nodeId, { cause: hasClosed() ? 'closed' : 'silent', graceUntil: session.expiresAt });
        this.settleNetwork();
      }
    }
  }

  /** The live session of that id; hearing of it keeps it alive. */
  private touch(nodeId: string, sessionId: string): Session {
    const session = this.sessions.get(nodeId);
    if (session === undefined || session.id !== sessionId) throw new AppError('notFound', `node ${nodeId} has no session ${sessionId}`);
    session.expiresAt = this.options.clock.elapsed() + this.graceMs();
    return session;
  }

  private async writeNode(nodeId: string, change: (node: Node) => Node): Promise<void> {
    await this.options.store.update('dispatcher', (view) => {
      const node = view.get('node', nodeId);
      if (node === undefined) return { changes: [], result: undefined };
      const object = change(node);
      return { changes: JSON.stringify(object) === JSON.stringify(node) ? [] : [{ action: 'update', object }], result: undefined };
    });
  }

  /** Takes down the nodes that were not heard of in time. */
  private async expire(): Promise<void> {
    const now = this.options.clock.elapsed();
    for (const session of this.sessions.values()) {
      if (session.expiresAt > now) continue;
      session.end('heartbeat failure');
      this.sessions.delete(session.nodeId);
      this.absences.begin(session.nodeId, { cause: 'silent', graceUntil: session.expiresAt });
    }
    for (const nodeId of this.absences.due()) {
      if (this.options.store.view.get('node', nodeId) === undefined) {
        this.absences.end(nodeId);
        continue;
      }
      await this.writeNode(nodeId, (node) => ({
        ...node,
        status: nodeStatus(node, { state: 'down', message: 'heartbeat failure', address: node.status.address }, this.options.clock.now()),
      }));
      this.options.log.warn({ node: nodeId }, 'node is down: heartbeat failure');
      this.absences.end(nodeId);
      // It opened a session while this was being written, and found itself ready as before: without this it would stay down.
      if (this.sessions.has(nodeId)) {
        await this.writeNode(nodeId, (node) => ({
          ...node,
          status: nodeStatus(node, { state: 'ready', address: node.status.address }, this.options.clock.now()),
        }));
      }
    }
  }

  private forgive(lateMs: number): void {
    for (const session of this.sessions.values()) session.expiresAt += lateMs;
    this.absences.forgive(lateMs);
  }

  private scheduleRefresh(): void {
    if (this.refreshPending || !this.running) return;
    this.refreshPending = true;
    this.cancelRefresh = this.options.clock.schedule(NETWORK_DEBOUNCE_MS, () => this.refreshNetwork());
  }

  private refreshNetwork(): void {
    this.cancelRefresh();
    this.refreshPending = false;
    if (this.networkDirty || this.shared === undefined) {
      this.networkDirty = false;
      this.shared = deriveNetworkState(this.options.store.view);
    } else {
      this.shared = { ...this.shared, version: this.options.store.view.revision };
    }
    for (const session of this.sessions.values()) session.offerNetwork(stateForNode(this.shared, session.nodeId));
    this.settleNetwork();
  }

  /** What every node that is up has applied may be relied on by those who want to stop a task. */
  private settleNetwork(): void {
    if (this.shared === undefined || this.sessions.size === 0) return;
    let floor = this.shared.version;
    for (const session of this.sessions.values()) {
      session.skipNetwork(this.shared.version);
      floor = Math.min(floor, session.networkVersion);
    }
    for (const session of this.sessions.values()) session.offerApplied(floor);
  }

  private periodMs(): number {
    return heartbeatPeriodMs(this.options.store.view);
  }

  private graceMs(): number {
    return this.periodMs() * GRACE_PERIODS;
  }
}

interface Calling {
  readonly nodeId: string;
  readonly address: string;
  readonly hasClosed: () => boolean;
}

function heartbeatPeriodMs(view: View): number {
  const [cluster] = view.list('cluster');
  return (cluster === undefined ? DEFAULT_HEARTBEAT_PERIOD_NS : heartbeatPeriodNsOf(cluster.spec)) / 1e6;
}

function isUp(node: Node): boolean {
  return node.status.state === 'ready' || node.status.state === 'disconnected';
}

function nodeStatus(node: Node, next: Omit<NodeStatus, 'since'>, now: number): NodeStatus {
  const since = node.status.state === next.state ? node.status.since : now;
  return { ...next, ...(since === undefined ? {} : { since }) };
}
