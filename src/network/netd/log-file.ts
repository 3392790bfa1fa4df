// netd's log: JSON lines in a file of bounded size. When it is full it becomes `.1`, and the one before is forgotten.
import { closeSync, existsSync, fstatSync, openSync, renameSync, writeSync } from 'node:fs';
import type { Clock } from '#lib/clock.ts';
import type { Logger } from '#lib/log.ts';

const MAX_BYTES = 4 * 1024 * 1024;
const LEVELS = ['debug', 'info', 'warn', 'error'] as const;
export type LogFileLevel = (typeof LEVELS)[number];

export function createLogFile({ path, clock, level = 'info' }: { readonly path: string; readonly clock: Clock; readonly level?: LogFileLevel }): Logger {
  let file = openSync(path, 'a', 0o600);
  let size = fstatSync(file).size;
  function turnOver(): void {
    size = 0;
    try {
      if (existsSync(path)) renameSync(path, `${path}.1`);
      const next = openSync(path, 'a', 0o600);
      closeSync(file);
      file = next;
    } catch {
      // Somebody has put something in its place, or no file descriptor is left: what is open is written on.
    }
  }
  const write = (name: LogFileLevel, fields: object, message: string) => {
    if (LEVELS.indexOf(name) < LEVELS.indexOf(level)) return;
    const line = Buffer.from(`${JSON.stringify({ level: name, time: new Date(clock.now()).toISOString(), ...fields, msg: message })}\n`);
    if (size + line.length > MAX_BYTES) turnOver();
    size += line.length;
    try {
      writeSync(file, line);
    } catch {
      // A full disk must not stop the network.
    }
  };
  return {
    debug: (fields, message) => write('debug', fields, message),
    info: (fields, message) => write('info', fields, message),
    warn: (fields, message) => write('warn', fields, message),
    error: (fields, message) => write('error', fields, message),
  };
}
