// Keeps a session with some manager: opens one after the other, passes messages on, sends heartbeats, statuses, descriptions and acknowledgements.
import type { NodeDescription } from '#domain/objects.ts';
import { createBackoff } from '#lib/backoff.ts';
import { type Clock, type Random, randomInteger } from '#lib/clock.ts';
import { errorMessage } from '#lib/errors.ts';
import type { Logger } from '#lib/log.ts';
import type { AssignmentChange, AssignmentSet, ManagerConnection, SessionMessage } from '#protocol/messages.ts';
import type { ClusterNetworkState } from '#protocol/network-state.ts';
import type { Executor } from './executor.ts';
import type { Reporter } from './reporter.ts';

/** Pauses between sessions: SwarmKit's go up to 8 s, but a link that is healed must be noticed within a second. */
const INITIAL_BACKOFF_MS = 100;
const MAXIMUM_BACKOFF_MS = 500;
/** How long a manager may take to open a session; SwarmKit's number (agent/session.go). */
const OPEN_TIMEOUT_MS = 5_000;
/** An attempt that took this long is followed by another one at once. */
const LONG_ATTEMPT_MS = 4_000;
const DESCRIBE_BACKOFF_MS = 1_000;
/** As SwarmKit's agent. */
const DESCRIBE_PERIOD_MS = 20_000;

export interface SessionHandlers {
  complete(assignments: AssignmentSet): void;
  change(change: AssignmentChange): void;
  network(state: ClusterNetworkState): void;
  networkApplied(version: number): void;
  /** Sets who is told that this node follows a version of the network state. */
  onNetworkApplied(listener: (version: number) => void): void;
}

export interface SessionOptions {
  readonly connect: () => ManagerConnection;
  readonly executor: Executor;
  readonly reporter: Reporter;
  readonly handlers: SessionHandlers;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

/** Opens sessions until the signal aborts. */
export async function runSessions(options: SessionOptions): Promise<void> {
  const { clock, random, log, signal } = options;
  const backoff = createBackoff({ initialMs: INITIAL_BACKOFF_MS, maximumMs: MAXIMUM_BACKOFF_MS });
  while (!signal.aborted) {
    const attempt = { opened: false };
    const begunAt = clock.elapsed();
    try {
      await runSession(options, attempt);
      if (attempt.opened) backoff.reset();
    } catch (error) {
      if (signal.aborted) return;
      log.warn({ error: errorMessage(error) }, 'the session with the manager ended; another one will be opened');
    }
    const pauseMs = backoff.nextMs();
    // Whoever has waited in vain for so long has been no burden: after a longer pause a link that heals in it would be found too late.
    const hasWaited = !attempt.opened && clock.elapsed() - begunAt >= LONG_ATTEMPT_MS;
    const sleepMs = hasWaited ? randomInteger(random, INITIAL_BACKOFF_MS) : pauseMs / 2 + randomInteger(random, pauseMs);
    await clock.sleep(sleepMs, signal).catch(() => {});
  }
}

/** One session. Notes in `attempt` that it was opened; rejects with why it ended. */
async function runSession({ connect, executor, reporter, handlers, clock, log, signal }: SessionOptions, attempt: { opened: boolean }): Promise<void> {
  const description = await describe(executor, clock, log, signal);
  const connection = connect();
  const ending = new AbortController();
  const either = AbortSignal.any([signal, ending.signal]);
  const end = (error: unknown) => ending.abort(error);
  const cancelTimeout = clock.schedule(OPEN_TIMEOUT_MS, () => end(new Error('the manager did not open a session in time')));
  const duties = new Set<Promise<void>>();
  const supervise = (duty: Promise<void>) => {
    const supervised = duty.catch((error: unknown) => end(error));
    duties.add(supervised);
  };
  try {
    for await (const message of connection.openSession(description, either)) {
      if (message.kind === 'session') {
        cancelTimeout();
        attempt.opened = true;
        log.info({ session: message.sessionId }, 'session with a manager is open');
        startDuties(message, { connection, executor, reporter, handlers, clock, log, description, supervise, end, signal: either });
      } else if (message.kind === 'bye') {
        log.info({ reason: message.reason }, 'the manager ended the session');
        break;
      } else pass(message, handlers);
    }
    // The reason of an abort is worth more than the quiet end of the iteration that it causes.
    if (ending.signal.aborted) throw ending.signal.reason;
  } finally {
    cancelTimeout();
    handlers.onNetworkApplied(() => {});
    ending.abort(new Error('the session is over'));
    await Promise.allSettled(duties);
  }
}

/** Waits for an engine that is away: without it the node has nothing to say of itself. Looks often, because the whole node waits for it. */
async function describe(executor: Executor, clock: Clock, log: Logger, signal: AbortSignal): Promise<NodeDescription> {
  const backoff = createBackoff({ initialMs: INITIAL_BACKOFF_MS, maximumMs: DESCRIBE_BACKOFF_MS });
  for (;;) {
    try {
      return await executor.describe(signal);
    } catch (error) {
      if (signal.aborted) throw error;
      log.warn({ error: errorMessage(error) }, 'the engine cannot be described now; it will be tried again');
      await clock.sleep(backoff.nextMs(), signal);
    }
  }
}

function pass(message: Exclude<SessionMessage, { kind: 'session' } | { kind: 'bye' }>, handlers: SessionHandlers): void {
  if (message.kind === 'complete') handlers.complete(message.assignments);
  else if (message.kind === 'change') handlers.change(message.change);
  else if (message.kind === 'network') handlers.network(message.state);
  else if (message.kind === 'network-applied') handlers.networkApplied(message.version);
}

interface Duties {
  readonly connection: ManagerConnection;
  readonly executor: Executor;
  readonly reporter: Reporter;
  readonly handlers: SessionHandlers;
  readonly clock: Clock;
  readonly log: Logger;
  readonly description: NodeDescription;
  readonly supervise: (duty: Promise<void>) => void;
  readonly end: (error: unknown) => void;
  readonly signal: AbortSignal;
}

function startDuties(message: Extract<SessionMessage, { kind: 'session' }>, duties: Duties): void {
  const { connection, reporter, handlers, supervise, end, signal } = duties;
  const { sessionId, heartbeatPeriodMs } = message;
  supervise(sendHeartbeats(() => connection.heartbeat(sessionId), heartbeatPeriodMs, duties.clock, signal));
  supervise(reporter.run((updates) => connection.reportStatus(sessionId, updates), signal));
  supervise(followDescription(sessionId, duties));
  handlers.onNetworkApplied((version) => {
    if (!signal.aborted) connection.reportNetworkApplied(sessionId, version).catch(end);
  });
}

async function sendHeartbeats(beat: () => Promise<void>, periodMs: number, clock: Clock, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await clock.sleep(periodMs, signal).catch(() => {});
    if (!signal.aborted) await beat();
  }
}

/** An engine that restarted may have other labels, plugins or another version. Of some plugins it says nothing when they come: it is asked from time to time. */
async function followDescription(sessionId: string, { connection, executor, clock, log, description, signal }: Duties): Promise<void> {
  let reported = JSON.stringify(description);
  let wake = () => {};
  let changed = false;
  const notice = () => {
    changed = true;
    wake();
  };
  const unwatch = executor.watch((taskId) => {
    if (taskId === undefined) notice();
  });
  signal.addEventListener('abort', notice, { once: true });
  try {
    while (!signal.aborted) {
      const cancel = clock.schedule(DESCRIBE_PERIOD_MS, notice);
      if (!changed)
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      cancel();
      changed = false;
      if (signal.aborted) return;
      const current = await executor.describe(signal).catch((error: unknown) => {
        log.warn({ error: errorMessage(error) }, 'the engine cannot be described now');
        return undefined;
      });
      if (current === undefined || JSON.stringify(current) === reported) continue;
      await connection.reportDescription(sessionId, current);
      reported = JSON.stringify(current);
    }
  } finally {
    unwatch();
    signal.removeEventListener('abort', notice);
  }
}
