// netd's process as skepd handles it: starting it, asking it, and ending one that no longer answers. When to do what is in client.ts.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import type http from 'node:http';
import { request as httpRequest } from '#lib/node-http.ts';
import { join } from 'node:path';
import type { Clock } from '#lib/clock.ts';
import { AppError, errorMessage } from '#lib/errors.ts';
import { linesOf } from '#lib/lines.ts';
import type { Logger } from '#lib/log.ts';
import { LOG_FILE, NETD_FOLDER, type NetdNews, netdVersion, type NetdSettings, type NetdStatus, PID_FILE, SOCKET_FILE } from './netd/protocol.ts';

export interface NetdProcessOptions {
  readonly stateDirectory: string;
  /** The command line of skep-netd without options: node and main/skep-netd.ts. */
  readonly netdCommand: readonly string[];
  readonly settings: NetdSettings;
  readonly clock: Clock;
  readonly log: Logger;
  /** How long netd may take to say how it is, and how often it is asked. */
  readonly answerTimeoutMs?: number;
  readonly healthCheckMs?: number;
}

export interface NetdProcess {
  /** Makes a netd of our code and settings run, whatever runs now. Rejects with AppError `unavailable` when that cannot be had. */
  ensure(signal: AbortSignal): Promise<NetdStatus>;
  /** One request. Rejects with AppError when netd says no, with another error when it cannot be reached. */
  call(method: 'GET' | 'PUT' | 'POST', path: string, body: string | undefined, signal: AbortSignal): Promise<unknown>;
  /** Passes on netd's news. Resolves when netd has ended or no longer answers; in the latter case it is ended. */
  untilEnd(onNews: (news: NetdNews) => void, signal: AbortSignal): Promise<void>;
  /** Resolves when the given process no longer answers. */
  untilGone(pid: number, signal: AbortSignal): Promise<void>;
}

const START_TIMEOUT_MS = 30_000;
export const POLL_MS = 25;
/** A netd that was started and ended at once (another one held the lock just then) is started again no sooner. */
const SPAWN_PAUSE_MS = 2_000;
const ANSWER_TIMEOUT_MS = 5_000;
const HEALTH_CHECK_MS = 15_000;
/** A machine may be busy for a while; twice in a row is more than that. */
const MISSED_ANSWERS = 2;

export function createNetdProcess(options: NetdProcessOptions): NetdProcess {
  const { clock, log, settings, stateDirectory, answerTimeoutMs = ANSWER_TIMEOUT_MS, healthCheckMs = HEALTH_CHECK_MS } = options;
  const socketPath = join(stateDirectory, SOCKET_FILE);
  const call: NetdProcess['call'] = (method, path, body, signal) => request({ socketPath, method, path, body, signal, answerTimeoutMs });

  /** netd's status, or why there is none. */
  async function look(signal: AbortSignal): Promise<NetdStatus | 'absent' | 'silent'> {
    try {
      return (await call('GET', '/status', undefined, signal)) as NetdStatus;
    } catch (error) {
      // An aborted look says nothing about netd.
      signal.throwIfAborted();
      return error === SILENT ? 'silent' : 'absent';
    }
  }

  async function untilGone(pid: number, signal: AbortSignal): Promise<void> {
    const deadline = clock.elapsed() + START_TIMEOUT_MS;
    while (clock.elapsed() < deadline) {
      const status = await look(signal);
      if (status === 'absent' || (status !== 'silent' && status.pid !== pid)) return;
      await clock.sleep(POLL_MS, signal);
    }
    throw new AppError('unavailable', `skep-netd (process ${pid}) does not end`);
  }

  async function ensure(signal: AbortSignal): Promise<NetdStatus> {
    const deadline = clock.elapsed() + START_TIMEOUT_MS;
    let spawnedAt = -Infinity;
    let missed = 0;
    while (clock.elapsed() < deadline) {
      // Read anew each time: whoever replaces the sources while we run gets a netd of the new ones.
      const version = netdVersion();
      const status = await look(signal);
      missed = status === 'silent' ? missed + 1 : 0;
      if (status === 'silent') {
        if (missed >= MISSED_ANSWERS) kill(stateDirectory, log);
      } else if (status === 'absent') {
        if (clock.elapsed() - spawnedAt >= SPAWN_PAUSE_MS) {
          spawnedAt = clock.elapsed();
          await start(options);
        }
      } else if (status.version === version && JSON.stringify(status.settings) === JSON.stringify(settings)) {
        return status;
      } else {
        log.info({ running: status.version, wanted: version }, 'skep-netd has other code or settings; it is replaced');
        await call('POST', '/stop', undefined, signal).catch(() => {});
        await untilGone(status.pid, signal);
      }
      await clock.sleep(POLL_MS, signal);
    }
    throw new AppError('unavailable', `skep-netd does not answer; see ${join(stateDirectory, LOG_FILE)}`);
  }

  /** Resolves when netd has missed too many answers in a row; not at all while it answers. */
  async function untilSilent(signal: AbortSignal): Promise<void> {
    for (let missed = 0; missed < MISSED_ANSWERS; ) {
      await clock.sleep(healthCheckMs, signal);
      missed = (await look(signal)) === 'silent' ? missed + 1 : 0;
    }
  }

  return {
    ensure,
    call,
    untilGone,
    async untilEnd(onNews, signal) {
      const over = new AbortController();
      const either = AbortSignal.any([signal, over.signal]);
      const silence = untilSilent(either).then(
        () => kill(stateDirectory, log),
        () => {},
      );
      await Promise.race([followNews(socketPath, onNews, either), silence]);
      over.abort();
    },
  };
}

/** Starts netd in a session of its own. What it says before its log is open goes to the log, too. */
async function start({ stateDirectory, netdCommand, settings }: NetdProcessOptions): Promise<void> {
  const [command = '', ...rest] = netdCommand;
  mkdirSync(stateDirectory, { recursive: true, mode: 0o700 });
  const output = openSync(join(stateDirectory, LOG_FILE), 'a', 0o600);
  try {
    const flags = ['--state-dir', stateDirectory, '--plugin-dir', settings.pluginDirectory, '--data-path-port', String(settings.dataPathPort)];
    if (settings.encryptionPort !== undefined) flags.push('--encryption-port', String(settings.encryptionPort));
    if (settings.ownGateway) flags.push('--own-gateway');
    const child = spawn(command, [...rest, ...flags], { detached: true, cwd: '/', stdio: ['ignore', output, output] });
    await Promise.race([once(child, 'spawn'), once(child, 'error').then(([error]) => Promise.reject(error as Error))]);
    child.unref();
  } catch (cause) {
    throw new AppError('unavailable', `skep-netd cannot be started: ${errorMessage(cause)}`, { cause });
  } finally {
    closeSync(output);
  }
}

/** Ends the netd of a state directory by the process id that it has left there, if that process is really one. */
function kill(stateDirectory: string, log: Logger): void {
  try {
    const pid = Number(readFileSync(join(stateDirectory, NETD_FOLDER, PID_FILE), 'utf8'));
    const argv = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
    if (!argv.includes(stateDirectory)) return;
    log.error({ pid }, 'skep-netd does not answer; it is killed');
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    log.warn({ error: errorMessage(error) }, 'a silent skep-netd cannot be ended');
  }
}

const SILENT = new Error('skep-netd does not answer');

interface Request {
  readonly socketPath: string;
  readonly method: string;
  readonly path: string;
  readonly body: string | undefined;
  readonly signal: AbortSignal;
  readonly answerTimeoutMs: number;
}

async function request({ socketPath, method, path, body, signal, answerTimeoutMs }: Request): Promise<unknown> {
  // Only a look may be given up: a change takes as long as the kernel does.
  const outgoing = httpRequest({ socketPath, method, path, signal, agent: false, ...(method === 'GET' ? { timeout: answerTimeoutMs } : {}) });
  outgoing.on('timeout', () => outgoing.destroy(SILENT));
  // Who waits for the answer hears of it; after that the answer itself ends.
  outgoing.on('error', () => {});
  outgoing.end(body);
  const [response] = (await once(outgoing, 'response')) as [http.IncomingMessage];
  const chunks: Buffer[] = [];
  for await (const chunk of response as AsyncIterable<Buffer>) chunks.push(chunk);
  const answer: unknown = JSON.parse(Buffer.concat(chunks).toString());
  if (response.statusCode !== 200) throw new AppError('internal', (answer as { readonly message: string }).message);
  return answer;
}

/** Passes on what netd says in an answer that it never ends. Resolves when its end of the connection closes, or the signal aborts. */
async function followNews(socketPath: string, onNews: (news: NetdNews) => void, signal: AbortSignal): Promise<void> {
  const outgoing = httpRequest({ socketPath, path: '/alive', signal, agent: false });
  outgoing.on('error', () => {});
  outgoing.end();
  try {
    const [response] = (await once(outgoing, 'response')) as [http.IncomingMessage];
    for await (const line of linesOf(response)) onNews(JSON.parse(line) as NetdNews);
  } catch {
    // Reset, aborted, or no netd of ours: the same end.
  } finally {
    outgoing.destroy();
  }
}
