// skepd's side of the data plane: starts skep-netd when it does not run, replaces one of other code or settings, hands it the newest states, and does
// so again whenever it was away. netd is not our child in any sense that matters: it goes on when we end.
import { join } from 'node:path';
import { createBackoff } from '#lib/backoff.ts';
import type { Clock } from '#lib/clock.ts';
import { AppError, errorMessage } from '#lib/errors.ts';
import type { ClusterNetworkState, LocalNetworkState } from '#protocol/network-state.ts';
import type { SandboxPlace, Sandboxes } from '#protocol/sandbox.ts';
import type { DataPlane } from './data-plane.ts';
import { LOG_FILE, type NetdNews } from './netd/protocol.ts';
import { createNetdProcess, type NetdProcess, type NetdProcessOptions, POLL_MS } from './netd-process.ts';

export type DataPlaneOptions = NetdProcessOptions;

/** A netd that has run this long did not end because it cannot run. */
const STABLE_MS = 10_000;

export interface ManagedDataPlane extends DataPlane, Sandboxes {
  /** Tells of each change of `portsInUse`. */
  onPortsInUse(listener: () => void): void;
  /** Ends our connection; netd and the network go on. */
  close(): Promise<void>;
}

/** Resolves when netd runs, with this code and these settings. Rejects with AppError `unavailable` when it cannot be started. */
export async function createDataPlane(options: DataPlaneOptions): Promise<ManagedDataPlane> {
  const { clock, log } = options;
  const netd = createNetdProcess(options);
  const closing = new AbortController();
  const status = await netd.ensure(closing.signal);
  const cluster = createSender<ClusterNetworkState>((state, signal) => put(netd, '/cluster', state, clock, signal), closing.signal);
  const local = createSender<LocalNetworkState>((state, signal) => put(netd, '/local', state, clock, signal), closing.signal);
  const listeners = new Set<() => void>();
  let portsInUse: readonly string[] = [];
  const takeNews = (news: NetdNews) => {
    if (news.portsInUse.join() === portsInUse.join()) return;
    ({ portsInUse } = news);
    if (portsInUse.length > 0) log.warn({ ports: portsInUse }, 'published ports are used by other programs on this node; they are not served here');
    for (const listener of listeners) listener();
  };
  const supervision = supervise({ netd, options, takeNews, resend: () => Promise.all([cluster.resend(), local.resend()]), signal: closing.signal });
  const close = async () => {
    closing.abort(new AppError('unavailable', 'the data plane is being closed'));
    await supervision;
  };
  return {
    driverName: status.driverName,
    dnsAddress: status.dnsAddress,
    encryption: status.encryption,
    portsInUse: () => portsInUse,
    onPortsInUse: (listener) => void listeners.add(listener),
    applyCluster: (state, signal) => cluster.send(state, signal),
    applyLocal: (state, signal) => local.send(state, signal),
    attach: async (sandbox, signal) => (await asked(netd, 'POST', '/attach', sandbox, clock, signal)) as SandboxPlace,
    detach: async (taskId, signal) => void (await asked(netd, 'POST', '/detach', { taskId }, clock, signal)),
    close,
    async destroy(signal) {
      await close();
      const { pid } = await netd.ensure(signal);
      await netd.call('POST', '/destroy', undefined, signal);
      await netd.untilGone(pid, signal);
      log.info({}, 'the data plane is removed from this node');
    },
  };
}

interface Supervision {
  readonly netd: NetdProcess;
  readonly options: DataPlaneOptions;
  readonly takeNews: (news: NetdNews) => void;
  readonly resend: () => Promise<unknown>;
  readonly signal: AbortSignal;
}

/** Waits for netd's end and starts it again, until the signal aborts. */
async function supervise({ netd, options: { clock, log, stateDirectory }, takeNews, resend, signal }: Supervision): Promise<void> {
  const backoff = createBackoff({ initialMs: 50, maximumMs: 5_000 });
  let isFirst = true;
  while (!signal.aborted) {
    try {
      await netd.ensure(signal);
      // What it has kept may be older than what we have handed over last.
      if (!isFirst) resend().catch((error: unknown) => log.warn({ error: errorMessage(error) }, 'skep-netd does not follow yet'));
      isFirst = false;
      const since = clock.elapsed();
      await netd.untilEnd(takeNews, signal);
      if (clock.elapsed() - since > STABLE_MS) backoff.reset();
      if (!signal.aborted) log.warn({ why: join(stateDirectory, LOG_FILE) }, 'skep-netd has ended; it is started again');
    } catch (error) {
      if (!signal.aborted) log.error({ error: errorMessage(error) }, 'skep-netd cannot be started');
    }
    await clock.sleep(backoff.nextMs(), signal).catch(() => {});
  }
}

interface Sender<T> {
  send(state: T, signal: AbortSignal): Promise<void>;
  /** Hands over the newest state once more. */
  resend(): Promise<void>;
}

/** Hands over the newest state, one at a time: what was overtaken while waiting is not sent. */
function createSender<T extends { readonly version: number }>(deliver: (state: T, signal: AbortSignal) => Promise<void>, closing: AbortSignal): Sender<T> {
  let newest: T | undefined;
  let last: Promise<void> = Promise.resolve();
  let waiting: Promise<void> | undefined;
  function next(): Promise<void> {
    if (waiting === undefined) {
      waiting = last.then(async () => {
        waiting = undefined;
        if (newest !== undefined) await deliver(newest, closing);
      });
      last = waiting.catch(() => {});
    }
    return waiting;
  }
  return {
    async send(state, signal) {
      if (newest !== undefined && state.version < newest.version) return;
      newest = state;
      await unlessAborted(next(), signal);
    },
    resend: next,
  };
}

async function put(netd: NetdProcess, path: string, state: object, clock: Clock, signal: AbortSignal): Promise<void> {
  await asked(netd, 'PUT', path, state, clock, signal);
}

/** Asks until netd has answered; while it is away, it is somebody else's business to bring it back. */
async function asked(netd: NetdProcess, method: 'PUT' | 'POST', path: string, content: object, clock: Clock, signal: AbortSignal): Promise<unknown> {
  const body = JSON.stringify(content);
  for (;;) {
    try {
      return await netd.call(method, path, body, signal);
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof AppError) throw error;
      await clock.sleep(POLL_MS, signal);
    }
  }
}

/** What the work resolves with, or a rejection as soon as the signal aborts; the work itself goes on. */
async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const abort = () => reject(signal.reason as Error);
  if (signal.aborted) abort();
  signal.addEventListener('abort', abort, { once: true });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}
