// Nodes that should have a session and have none: since when, what their machines say when they are knocked at, and when that makes them down. A machine that
// answers is alive, and its daemon gets the time of three heartbeats, for it may only be busy; one that is silent is given up soon.
import type { Clock } from '#lib/clock.ts';

/** Ways to find out about a machine beside the sessions of its node. */
export interface Machines {
  /** It has answered while this manager ran: so its silence means something, and no firewall. */
  usedToAnswer(nodeId: string): boolean;
  /** `alive`: it answers. `no daemon`: it answers that nobody listens where a manager should. Never rejects. */
  knock(nodeId: string): Promise<Knock>;
}

export type Knock = 'alive' | 'no daemon' | 'silent';

/** How a session went missing. `closed`: the process of the node ended. `silent`: it may go on, or was stopped in order to start again. `taken over`: another manager had the session. */
export type Cause = 'closed' | 'silent' | 'taken over';

export interface Absence {
  readonly cause: Cause;
  readonly since: number;
  /** The time of three heartbeats is over. */
  readonly graceUntil: number;
  /** This manager has just started, and so may have the other machines: until then none is given up that has not been seen alive. */
  readonly startingUntil: number;
  readonly usedToAnswer: boolean;
  /** The last answers, and how many knocks in a row have got none. */
  readonly aliveAt?: number;
  readonly noDaemonAt?: number;
  readonly unanswered: number;
}

/** A session that broke may come back this much later before its node is down: an agent that lives opens another within a second. */
const RECONNECT_GRACE_MS = 1_500;
/** Agents notice within about 2.5 s that their manager is gone, often before its successor does, and find that one within another second or two. */
const TAKE_OVER_GRACE_MS = 5_000;
/** Of machines that used to answer and are silent since. */
const SILENT_TAKE_OVER_GRACE_MS = 1_800;
/** Between two knocks at a machine. */
const KNOCK_MS = 200;
/** For how long an answer counts: where every other knock or answer is lost, ten in a row are in one case of a thousand. */
const ANSWER_MS = 2_000;
/** So many knocks must have been in vain, for managers are busy, too. */
const SILENT_KNOCKS = 3;
/** Answers of one machine that are waited for at a time. */
const MAX_KNOCKS = 6;

/** The moment at which the node is down if nothing more is heard. */
export function downAt(absence: Absence, now: number): number {
  const { since, graceUntil, startingUntil, usedToAnswer, aliveAt, noDaemonAt, unanswered } = absence;
  const isRecent = (at: number | undefined) => at !== undefined && now - at < ANSWER_MS;
  const isSilent = unanswered >= SILENT_KNOCKS && !isRecent(aliveAt) && !isRecent(noDaemonAt);
  switch (absence.cause) {
    case 'closed':
      return Math.min(graceUntil, since + RECONNECT_GRACE_MS);
    case 'silent':
      // A manager that is being upgraded has no daemon for a while; the end of one that crashed would have been heard.
      return isRecent(aliveAt) || isRecent(noDaemonAt) ? graceUntil : Math.min(graceUntil, since + RECONNECT_GRACE_MS);
    case 'taken over':
      if (isRecent(aliveAt)) return Math.max(startingUntil, graceUntil);
      if (usedToAnswer && isSilent) return Math.min(graceUntil, since + SILENT_TAKE_OVER_GRACE_MS);
      return Math.max(startingUntil, Math.min(graceUntil, since + TAKE_OVER_GRACE_MS));
  }
}

interface Knocking {
  readonly absence: Absence;
  waiting: number;
  knockedAt: number;
}

export class Absences {
  private readonly clock: Clock;
  private readonly machines: Machines | undefined;
  private readonly absent = new Map<string, Knocking>();

  constructor({ clock, machines }: { readonly clock: Clock; readonly machines?: Machines | undefined }) {
    this.clock = clock;
    this.machines = machines;
  }

  begin(nodeId: string, { cause, graceUntil, startingUntil = -Infinity }: Begun): void {
    const since = this.clock.elapsed();
    const usedToAnswer = this.machines?.usedToAnswer(nodeId) ?? false;
    this.absent.set(nodeId, { absence: { cause, since, graceUntil, startingUntil, usedToAnswer, unanswered: 0 }, waiting: 0, knockedAt: -Infinity });
  }

  end(nodeId: string): void {
    this.absent.delete(nodeId);
  }

  /** Nodes whose time is over. */
  due(): readonly string[] {
    const now = this.clock.elapsed();
    return [...this.absent].filter(([, { absence }]) => downAt(absence, now) <= now).map(([nodeId]) => nodeId);
  }

  /** This process did not run for so long: it heard nothing, and nobody is to blame. */
  forgive(lateMs: number): void {
    for (const [nodeId, { absence }] of this.absent) {
      const { since, graceUntil, startingUntil } = absence;
      const later = { since: since + lateMs, graceUntil: graceUntil + lateMs, startingUntil: startingUntil + lateMs };
      this.change(nodeId, () => ({ ...absence, ...later, unanswered: 0 }));
    }
  }

  /** Knocks where that is due; to be called often. */
  knock(): void {
    const now = this.clock.elapsed();
    for (const [nodeId, knocking] of this.absent) {
      if (this.machines === undefined || knocking.waiting >= MAX_KNOCKS || now - knocking.knockedAt < KNOCK_MS) continue;
      knocking.waiting++;
      knocking.knockedAt = now;
      void this.machines.knock(nodeId).then((answer) => this.hear(nodeId, knocking.absence.since, answer));
    }
  }

  private hear(nodeId: string, since: number, answer: Knock): void {
    const now = this.clock.elapsed();
    this.change(nodeId, (absence) => {
      if (absence.since !== since) return absence;
      if (answer === 'silent') return { ...absence, unanswered: absence.unanswered + 1 };
      return { ...absence, unanswered: 0, ...(answer === 'alive' ? { aliveAt: now } : { noDaemonAt: now }) };
    });
    const knocking = this.absent.get(nodeId);
    if (knocking !== undefined) knocking.waiting = Math.max(0, knocking.waiting - 1);
  }

  private change(nodeId: string, change: (absence: Absence) => Absence): void {
    const knocking = this.absent.get(nodeId);
    if (knocking !== undefined) this.absent.set(nodeId, { ...knocking, absence: change(knocking.absence) });
  }
}

export interface Begun {
  readonly cause: Cause;
  readonly graceUntil: number;
  readonly startingUntil?: number;
}
