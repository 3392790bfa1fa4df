// Logs as JSON lines on standard error, by pino. What is logged never holds a secret: callers log ids and names, not specs.
import { pino } from 'pino';
import type { Logger } from '#lib/log.ts';

export const logLevels = ['debug', 'info', 'warn', 'error', 'fatal'] as const;
export type LogLevel = (typeof logLevels)[number];

export function createLogger({ level, name }: { readonly level: LogLevel; readonly name: string }): Logger {
  const log = pino(
    { name, level, base: { name }, timestamp: pino.stdTimeFunctions.isoTime, formatters: { level: (label) => ({ level: label }) } },
    pino.destination({ dest: 2, sync: true }),
  );
  return {
    debug: (fields, message) => log.debug(fields, message),
    info: (fields, message) => log.info(fields, message),
    warn: (fields, message) => log.warn(fields, message),
    error: (fields, message) => log.error(fields, message),
  };
}
