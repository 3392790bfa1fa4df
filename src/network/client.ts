// skepd's side of the data plane: starts skep-netd when it does not run, replaces one of other code or settings, hands it the newest states, and does
// so again whenever it was away. netd is not our child in any sense that matters: it goes on when we end.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, openSync } from 'node:fs';
import http from 'node:http';
import { join } from 'node:path';
import { createBackoff } from '#lib/backoff.ts';
import type { Clock } from '#lib/clock.ts';
import { AppError, errorMessage } from '#lib/errors.ts';
import type { Logger } from '#lib/log.ts';
import type { ClusterNetworkState, LocalNetworkState } from '#protocol/network-state.ts';
import type { DataPlane } from './data-plane.ts';
import { LOG_FILE, netdVersion, type NetdSettings, type NetdStatus, SOCKET_FILE } from './netd/protocol.ts';

export interface DataPlaneOptions {
  readonly stateDirectory: string;
  /** The command line of skep-netd without options: node and main/skep-netd.ts. */
  readonly netdCommand: readonly string[];
  readonly settings: NetdSettings;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface ManagedDataPlane extends DataPlane {
  /** Ends our connection; netd and the network go on. */
  close(): Promise<void>;
}

const START_TIMEOUT_MS = 30_000;
const POLL_MS = 25;
const ANSWER_TIMEOUT_MS = 5_000;
/** A netd that was started and ended at once (another one held the lock just then) is started again no sooner. */
const SPAWN_PAUSE_MS = 2_000;

/** Resolves when netd runs, with this code and these settings. Rejects with AppError `unavailable` when it cannot be started. */
export async function createDataPlane(options: DataPlaneOptions): Promise<ManagedDataPlane> {
  const { clock, log } = options;
  const socketPath = join(options.stateDirectory, SOCKET_FILE);
  const closing = new AbortController();
  const status = await ensureNetd(options, socketPath, closing.signal);
  const cluster = createSender<ClusterNetworkState>((state, signal) => put(socketPath, '/cluster', state, clock, signal), closing.signal);
  const local = createSender<LocalNetworkState>((state, signal) => put(socketPath, '/local', state, clock, signal), closing.signal);
  const supervision = supervise({ options, socketPath, signal: closing.signal, resend: () => Promise.all([cluster.resend(), local.resend()]) });
  const close = async () => {
    closing.abort(new AppError('unavailable', 'the data plane is being closed'));
    await supervision;
  };
  return {
    driverName: status.driverName,
    dnsAddress: status.dnsAddress,
    applyCluster: (state, signal) => cluster.send(state, signal),
    applyLocal: (state, signal) => local.send(state, signal),
    close,
    async destroy(signal) {
      await close();
      const { pid } = await ensureNetd(options, socketPath, signal);
      await call(socketPath, 'POST', '/destroy', undefined, signal);
      await untilGone(socketPath, pid, clock, signal);
      log.info({}, 'the data plane is removed from this node');
    },
  };
}

/** Waits for netd's end and starts it again, until the signal aborts. */
async function supervise(context: {
  readonly options: DataPlaneOptions;
  readonly socketPath: string;
  readonly signal: AbortSignal;
  readonly resend: () => Promise<unknown>;
}): Promise<void> {
  const { options, socketPath, signal } = context;
  const { clock, log } = options;
  const backoff = createBackoff({ initialMs: 50, maximumMs: 5_000 });
  let isFirst = true;
  while (!signal.aborted) {
    try {
      await ensureNetd(options, socketPath, signal);
      // What it has kept may be older than what we have handed over last.
      if (!isFirst) context.resend().catch((error: unknown) => log.warn({ error: errorMessage(error) }, 'skep-netd does not follow yet'));
      isFirst = false;
      const since = clock.now();
      await untilEnd(socketPath, signal);
      if (clock.now() - since > 10_000) backoff.reset();
      if (!signal.aborted) log.warn({}, 'skep-netd has ended; it is started again');
    } catch (error) {
      if (!signal.aborted) log.error({ error: errorMessage(error) }, 'skep-netd cannot be started');
    }
    await clock.sleep(backoff.nextMs(), signal).catch(() => {});
  }
}

/** Makes a netd of our version run, whatever runs now. */
async function ensureNetd(options: DataPlaneOptions, socketPath: string, signal: AbortSignal): Promise<NetdStatus> {
  const { clock, log, settings } = options;
  const version = netdVersion();
  const deadline = clock.now() + START_TIMEOUT_MS;
  let spawnedAt = -Infinity;
  while (clock.now() < deadline) {
    const status = await call<NetdStatus>(socketPath, 'GET', '/status', undefined, signal).catch(() => undefined);
    // An aborted look says nothing about netd.
    signal.throwIfAborted();
    if (status?.version === version && JSON.stringify(status.settings) === JSON.stringify(settings)) return status;
    if (status !== undefined) {
      log.info({ running: status.version, wanted: version }, 'skep-netd has other code or settings; it is replaced');
      await call(socketPath, 'POST', '/stop', undefined, signal).catch(() => {});
      await untilGone(socketPath, status.pid, clock, signal);
    } else if (clock.now() - spawnedAt >= SPAWN_PAUSE_MS) {
      spawnedAt = clock.now();
      await startNetd(options);
    }
    await clock.sleep(POLL_MS, signal);
  }
  throw new AppError('unavailable', `skep-netd does not answer; see ${join(options.stateDirectory, LOG_FILE)}`);
}

/** Starts netd in a session of its own. What it says before its log is open goes to the log, too. */
async function startNetd({ stateDirectory, netdCommand, settings }: DataPlaneOptions): Promise<void> {
  const [command = '', ...rest] = netdCommand;
  mkdirSync(stateDirectory, { recursive: true, mode: 0o700 });
  const output = openSync(join(stateDirectory, LOG_FILE), 'a', 0o600);
  try {
    const flags = ['--state-dir', stateDirectory, '--plugin-dir', settings.pluginDirectory, '--data-path-port', String(settings.dataPathPort)];
    const child = spawn(command, [...rest, ...flags], { detached: true, cwd: '/', stdio: ['ignore', output, output] });
    await Promise.race([once(child, 'spawn'), once(child, 'error').then(([error]) => Promise.reject(error as Error))]);
    child.unref();
  } catch (cause) {
    throw new AppError('unavailable', `skep-netd cannot be started: ${errorMessage(cause)}`, { cause });
  } finally {
    closeSync(output);
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

/** Puts until netd has answered; while it is away, it is somebody else's business to bring it back. */
async function put(socketPath: string, path: string, state: object, clock: Clock, signal: AbortSignal): Promise<void> {
  const body = JSON.stringify(state);
  for (;;) {
    try {
      await call(socketPath, 'PUT', path, body, signal);
      return;
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof AppError) throw error;
      await clock.sleep(POLL_MS, signal);
    }
  }
}

/** One request. Rejects with AppError when netd says no, with the system's error when it cannot be reached. */
async function call<T>(socketPath: string, method: string, path: string, body: string | undefined, signal: AbortSignal): Promise<T> {
  // Only a look may be given up: a change takes as long as the kernel does.
  const request = http.request({ socketPath, method, path, signal, agent: false, ...(method === 'GET' ? { timeout: ANSWER_TIMEOUT_MS } : {}) });
  request.on('timeout', () => request.destroy(new Error('skep-netd does not answer')));
  request.end(body);
  const [response] = (await once(request, 'response')) as [http.IncomingMessage];
  const chunks: Buffer[] = [];
  for await (const chunk of response as AsyncIterable<Buffer>) chunks.push(chunk);
  const text = Buffer.concat(chunks).toString();
  if (response.statusCode !== 200) throw new AppError('internal', (JSON.parse(text) as { readonly message: string }).message);
  return JSON.parse(text) as T;
}

/** Resolves when netd's end of a request that it never answers closes. */
async function untilEnd(socketPath: string, signal: AbortSignal): Promise<void> {
  const request = http.request({ socketPath, path: '/alive', signal, agent: false });
  request.end();
  try {
    const [response] = (await once(request, 'response')) as [http.IncomingMessage];
    response.resume();
    await once(response, 'close');
  } catch {
    // Reset or aborted: the same end.
  }
}

/** Resolves when nobody listens any more and the process is gone, where it can be seen. */
async function untilGone(socketPath: string, pid: number, clock: Clock, signal: AbortSignal): Promise<void> {
  const deadline = clock.now() + START_TIMEOUT_MS;
  while (clock.now() < deadline) {
    const answer = await call<NetdStatus>(socketPath, 'GET', '/status', undefined, signal).catch(() => undefined);
    if (answer?.pid !== pid) return;
    await clock.sleep(POLL_MS, signal);
  }
  throw new AppError('unavailable', `skep-netd (process ${pid}) does not end`);
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
