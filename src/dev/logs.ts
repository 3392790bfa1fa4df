// The end of a log file, for messages about a daemon that does not come up.
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';

const TAIL_BYTES = 2_000;

/** The last lines of the file; empty when there is none. */
export function lastLines(path: string): string {
  try {
    const file = openSync(path, 'r');
    try {
      const { size } = fstatSync(file);
      const bytes = Buffer.alloc(Math.min(size, TAIL_BYTES));
      readSync(file, bytes, 0, bytes.length, size - bytes.length);
      return bytes.toString().trim();
    } finally {
      closeSync(file);
    }
  } catch {
    return '';
  }
}
