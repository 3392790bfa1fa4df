// What happened in a simulation, line by line. Always hashed, printed only when asked for.
import { createHash } from 'node:crypto';
import type { Logger } from '#lib/log.ts';

export interface Trace {
  note(line: string): void;
  /** Says the first thing that went wrong; the simulation ends with it. */
  violation(text: string): void;
  readonly violations: readonly string[];
  hash(): string;
  /** A logger whose lines are part of the trace. An error that nobody injected is a violation. */
  logger(name: string): Logger;
}

/** Faults that the simulation injects carry this word, so that they are told from real ones. */
export const INJECTED = 'injected';

/** After the first few violations the rest only repeats them. */
const MAX_VIOLATIONS = 5;

export function createTrace(now: () => number, print?: (line: string) => void): Trace {
  const hash = createHash('sha1');
  const violations: string[] = [];
  const startedAt = now();

  function note(line: string): void {
    const stamped = `${String((now() - startedAt) / 1_000).padEnd(8)} ${line}`;
    hash.update(stamped);
    print?.(stamped);
  }

  function violation(text: string): void {
    note(`VIOLATION ${text}`);
    if (violations.length < MAX_VIOLATIONS) violations.push(`at ${(now() - startedAt) / 1_000} s: ${text}`);
  }

  return {
    note,
    violation,
    violations,
    hash: () => hash.copy().digest('hex'),
    logger(name) {
      const log = (level: string) => (fields: object, message: string) =>
        note(`${name} ${level}: ${message} ${print === undefined ? '' : JSON.stringify(fields)}`);
      return {
        debug() {},
        info: log('info'),
        warn: log('warn'),
        error(fields, message) {
          const text = JSON.stringify(fields);
          if (text.includes(INJECTED) || text.includes('the store is closed')) note(`${name} error: ${message}`);
          else violation(`${name}: ${message} ${text}`);
        },
      };
    },
  };
}
