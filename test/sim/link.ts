// The way between an agent and the manager: slow, cut, or losing what is sent.
import { AppError } from '#lib/errors.ts';
import type { ManagerConnection, SessionMessage } from '#protocol/messages.ts';
import type { Chance } from './chance.ts';
import type { Timeline } from './clock.ts';
import type { RunningManager } from './manager.ts';
import { INJECTED } from './trace.ts';

export interface LinkFaults {
  isCut: boolean;
  /** Of every call, before it arrives and again before its answer does. */
  lossProbability: number;
  maxLatencyMs: number;
}

export interface LinkOptions {
  readonly nodeId: string;
  readonly address: string;
  readonly timeline: Timeline;
  readonly chance: Chance;
  readonly faults: LinkFaults;
  readonly manager: () => RunningManager | undefined;
}

/** How long a call waits for an answer that does not come. */
const CALL_TIMEOUT_MS = 5_000;

/** A connection to the manager that runs now; it breaks when that one ends. */
export function connectThrough({ nodeId, address, timeline, chance, faults, manager }: LinkOptions): ManagerConnection {
  const target = manager();
  if (target === undefined) throw unreachable();
  const connection = target.dispatcher.connect(nodeId, address, () => !faults.isCut);

  async function pass(): Promise<void> {
    if (faults.maxLatencyMs > 0) await timeline.sleep(chance.integer(0, faults.maxLatencyMs));
    if (faults.isCut) {
      await timeline.sleep(CALL_TIMEOUT_MS);
      throw unreachable();
    }
    if (target?.signal.aborted) throw unreachable();
    if (faults.lossProbability > 0 && chance.happens(faults.lossProbability)) throw unreachable();
  }

  async function call(send: () => Promise<void>): Promise<void> {
    await pass();
    await send();
    await pass();
  }

  return {
    openSession: (description, signal) => deliver(connection.openSession(description, AbortSignal.any([signal, target.signal])), pass),
    reportStatus: (sessionId, updates) => call(() => connection.reportStatus(sessionId, updates)),
    reportDescription: (sessionId, description) => call(() => connection.reportDescription(sessionId, description)),
    reportNetworkApplied: (sessionId, version) => call(() => connection.reportNetworkApplied(sessionId, version)),
    heartbeat: (sessionId) => call(() => connection.heartbeat(sessionId)),
  };
}

/** A message that is lost ends the session: nothing is ever skipped. */
async function* deliver(messages: AsyncIterable<SessionMessage>, pass: () => Promise<void>): AsyncGenerator<SessionMessage> {
  await pass();
  for await (const message of messages) {
    await pass();
    yield message;
  }
}

function unreachable(): AppError {
  return new AppError('unavailable', `${INJECTED}: the manager cannot be reached`);
}
