// `skep up` on a machine without a daemon: starts skepd as a process of its own, on the usual socket, and waits until it answers.
import { spawn } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { request } from '#lib/node-http.ts';
import { join } from 'node:path';
import { AppError } from '#lib/errors.ts';
import { systemClock } from '#platform/clock.ts';
import { DEFAULT_HOST, DEFAULT_STATE_DIRECTORY } from './options.ts';

/** With the limits and settings of its process that a daemon has. */
const PROGRAM = join(import.meta.dirname, '../../bin/skepd');
const PATIENCE_MS = 30_000;
const POLL_MS = 100;
const LOG_TAIL_BYTES = 2_000;

/** Resolves with the daemon's address. Rejects with the end of its log when it does not come up. */
export async function startSwarm(): Promise<string> {
  if (process.getuid?.() !== 0) throw new AppError('permissionDenied', 'there is no daemon, and starting skepd needs root: run `sudo skep up`');
  mkdirSync(DEFAULT_STATE_DIRECTORY, { recursive: true, mode: 0o700 });
  const logFile = join(DEFAULT_STATE_DIRECTORY, 'skepd.log');
  const log = openSync(logFile, 'a', 0o600);
  const daemon = spawn(PROGRAM, { detached: true, stdio: ['ignore', log, log] });
  closeSync(log);
  let hasEnded = false;
  for (const event of ['exit', 'error'])
    daemon.on(event, () => {
      hasEnded = true;
    });
  daemon.unref();
  const socketPath = DEFAULT_HOST.slice('unix://'.length);
  const deadline = systemClock.now() + PATIENCE_MS;
  while (!hasEnded && systemClock.now() < deadline) {
    if (existsSync(socketPath) && (await answers(socketPath))) return DEFAULT_HOST;
    await systemClock.sleep(POLL_MS);
  }
  throw new AppError('unavailable', `skepd does not come up; the end of ${logFile}:\n${readFileSync(logFile, 'utf8').slice(-LOG_TAIL_BYTES)}`);
}

function answers(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const ping = request({ socketPath, path: '/_ping' }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    ping.on('error', () => resolve(false));
    ping.end();
  });
}
