// Logs as JSON lines on standard error, by pino. What is logged never holds a secret: callers log ids and names, not specs.
import { writeSync } from 'node:fs';
import { pino } from 'pino';
import type { Logger } from '#lib/log.ts';

export const logLevels = ['debug', 'info', 'warn', 'error', 'fatal'] as const;
export type LogLevel = (typeof logLevels)[number];

const STANDARD_ERROR = 2;

export function createLogger({ level, name }: { readonly level: LogLevel; readonly name: string }): Logger {
  const log = pino(
    { name, level, base: { name }, timestamp: pino.stdTimeFunctions.isoTime, formatters: { level: (label) => ({ level: label }) } },
    { write: (line: string) => writeAll(STANDARD_ERROR, Buffer.from(line)) },
  );
  return {
    debug: (fields, message) => log.debug(fields, message),
    info: (fields, message) => log.info(fields, message),
    warn: (fields, message) => log.warn(fields, message),
    error: (fields, message) => log.error(fields, message),
  };
}

/** A line that cannot be written is lost: neither a full disk nor a reader that has gone, or does not read, may end or stop the daemon. */
function writeAll(file: number, bytes: Buffer): void {
  try {
    for (let offset = 0; offset < bytes.length; ) offset += writeSync(file, bytes, offset);
  } catch {
    // See above.
  }
}
