// One agent's session. It keeps no queue of messages but what the agent has not been told yet; each message is made from the newest view when the
// agent is ready for it, so a slow agent costs no memory and never gets old news.
import type { Task } from '#domain/objects.ts';
import { isTerminal, taskStateRank } from '#domain/task-state.ts';
import type { StoreEvent, View } from '#domain/view.ts';
import type { AssignmentChange, SessionMessage, TunnelTarget } from '#protocol/messages.ts';
import type { ClusterNetworkState } from '#protocol/network-state.ts';
import type { AssignmentTracker } from './assignments.ts';
import { sameContent } from './network-state.ts';

export type SessionHeader = Omit<Extract<SessionMessage, { kind: 'session' }>, 'kind'>;

export class Session {
  readonly id: string;
  readonly nodeId: string;
  /** When it is over unless the agent is heard of. */
  expiresAt: number;
  private readonly header: SessionHeader;
  private readonly tracker: AssignmentTracker;
  private stage: 'opening' | 'assigning' | 'open' | 'over' = 'opening';
  private dirty = { tasks: new Set<string>(), secrets: new Set<string>(), configs: new Set<string>() };
  private network: { readonly state: ClusterNetworkState; sent: boolean } | undefined;
  /** Store revision up to which the node is known to have nothing left to apply. */
  private appliedVersion = -1;
  private applied = { known: -1, told: -1, wanted: -1 };
  private readonly tunnels: Extract<SessionMessage, { kind: 'tunnel' }>[] = [];
  private byeReason: string | undefined;
  private wake: () => void = () => {};

  constructor({ header, tracker, expiresAt }: { readonly header: SessionHeader; readonly tracker: AssignmentTracker; readonly expiresAt: number }) {
    this.id = header.sessionId;
    this.nodeId = header.nodeId;
    this.header = header;
    this.tracker = tracker;
    this.expiresAt = expiresAt;
  }

  /** Notes what the agent may have to be told. */
  note(event: StoreEvent): void {
    const { object } = event;
    if (object.kind === 'secret') this.dirty.secrets.add(object.id);
    else if (object.kind === 'config') this.dirty.configs.add(object.id);
    else if (object.kind === 'task' && (object.nodeId === this.nodeId || this.hadTask(event))) this.dirty.tasks.add(object.id);
    else return;
    this.wake();
  }

  /** Offers the network state of a newer version; only a change of content is sent. */
  offerNetwork(state: ClusterNetworkState): void {
    if (this.network !== undefined && sameContent(this.network.state, state)) {
      if (this.upToDate()) this.appliedVersion = state.version;
      return;
    }
    this.network = { state, sent: false };
    this.wake();
  }

  /** Nothing that concerns networks has changed up to this revision. */
  skipNetwork(revision: number): void {
    if (this.upToDate()) this.appliedVersion = Math.max(this.appliedVersion, revision);
  }

  noteApplied(version: number): void {
    this.appliedVersion = Math.max(this.appliedVersion, version);
  }

  /** The revision that this node has applied. */
  get networkVersion(): number {
    return this.appliedVersion;
  }

  /** Tells the agent that every node has applied `version`, if a task of its waits to be stopped. */
  offerApplied(version: number): void {
    if (version <= this.applied.known) return;
    this.applied.known = version;
    if (this.owesApplied()) this.wake();
  }

  /** Asks the node for a tunnel, to the manager at that address or else to this one. */
  requestTunnel(id: string, to: TunnelTarget, at?: string): void {
    this.tunnels.push({ kind: 'tunnel', id, ...(to === 'engine' ? {} : { to }), ...(at === undefined ? {} : { at }) });
    this.wake();
  }

  end(reason: string): void {
    if (this.stage === 'over' || this.byeReason !== undefined) return;
    this.byeReason = reason;
    this.wake();
  }

  /** The messages, until the session is ended or the signal aborts. */
  async *messages(view: () => View, signal: AbortSignal): AsyncGenerator<SessionMessage> {
    const stop = () => this.end('aborted');
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop();
    try {
      for (;;) {
        const message = this.next(view());
        if (message === undefined) {
          await new Promise<void>((resolve) => {
            this.wake = resolve;
          });
          continue;
        }
        if (message.kind !== 'bye' || !signal.aborted) yield message;
        if (message.kind === 'bye') return;
      }
    } finally {
      this.stage = 'over';
      signal.removeEventListener('abort', stop);
    }
  }

  private next(view: View): SessionMessage | undefined {
    if (this.byeReason !== undefined) return { kind: 'bye', reason: this.byeReason };
    if (this.stage === 'opening') {
      this.stage = 'assigning';
      return { kind: 'session', ...this.header };
    }
    const tunnel = this.tunnels.shift();
    if (tunnel !== undefined) return tunnel;
    // The network comes first: a task that is started finds its neighbours.
    if (this.network !== undefined && !this.network.sent) {
      this.network.sent = true;
      return { kind: 'network', state: this.network.state };
    }
    if (this.stage === 'assigning') {
      this.stage = 'open';
      this.clearDirty();
      const assignments = this.tracker.complete(view);
      this.noteStops(assignments.tasks.map(({ task }) => task));
      return { kind: 'complete', assignments };
    }
    const change = this.nextChange(view);
    if (change !== undefined) return { kind: 'change', change };
    if (!this.owesApplied()) return undefined;
    this.applied.told = this.applied.known;
    return { kind: 'network-applied', version: this.applied.known };
  }

  private nextChange(view: View): AssignmentChange | undefined {
    const { dirty } = this;
    if (dirty.tasks.size + dirty.secrets.size + dirty.configs.size === 0) return undefined;
    this.clearDirty();
    const change = this.tracker.change(view, dirty);
    if (change !== undefined) this.noteStops(change.tasks.map(({ task }) => task));
    return change;
  }

  /** A running task that must stop waits for the version at which every load balancer has let go of it. */
  private noteStops(tasks: readonly Task[]): void {
    for (const { desiredState, status, version } of tasks) {
      if (taskStateRank[desiredState] > taskStateRank.complete && !isTerminal(status.state)) this.applied.wanted = Math.max(this.applied.wanted, version);
    }
  }

  private owesApplied(): boolean {
    return this.applied.wanted > this.applied.told && this.applied.known >= this.applied.wanted;
  }

  private upToDate(): boolean {
    return this.network !== undefined && this.network.sent && this.appliedVersion >= this.network.state.version;
  }

  private hadTask(event: StoreEvent): boolean {
    return event.action === 'update' && event.previous.kind === 'task' && event.previous.nodeId === this.nodeId;
  }

  private clearDirty(): void {
    this.dirty = { tasks: new Set(), secrets: new Set(), configs: new Set() };
  }
}
