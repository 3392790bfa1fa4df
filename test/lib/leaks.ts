// Looks for words that must not be found, in files, process lists and memory: as text, and in base64 and hexadecimal.
import { closeSync, lstatSync, openSync, readdirSync, readFileSync, readSync } from 'node:fs';
import { join } from 'node:path';

export interface Words {
  /** A word is looked for from now on. */
  add(what: string, word: string): void;
  of(what: string): string;
  /** What of them is in the bytes. */
  foundIn(bytes: Uint8Array): readonly string[];
}

export function createWords(): Words {
  const words = new Map<string, { readonly word: string; readonly forms: readonly string[] }>();
  return {
    add: (what, word) => void words.set(what, { word, forms: formsOf(word) }),
    of: (what) => words.get(what)?.word ?? '',
    foundIn(bytes) {
      const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      return [...words].filter(([, { forms }]) => forms.some((form) => text.includes(form))).map(([what]) => what);
    },
  };
}

/** What base64 makes of a word depends on where in three bytes it begins; its ends depend on the neighbours. */
function formsOf(word: string): readonly string[] {
  const base64 = [0, 1, 2].map((shift) =>
    Buffer.concat([Buffer.alloc(shift), Buffer.from(word)])
      .toString('base64')
      .slice(shift === 0 ? 0 : 4, -4),
  );
  return [word, Buffer.from(word).toString('hex'), ...base64];
}

export interface Entry {
  readonly path: string;
  readonly mode: number;
  readonly kind: 'file' | 'directory' | 'socket' | 'other';
}

export function entriesUnder(folder: string): readonly Entry[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).flatMap((name): readonly Entry[] => {
    const path = join(folder, name);
    const stats = lstatSync(path, { throwIfNoEntry: false });
    if (stats === undefined) return [];
    const kind = stats.isFile() ? 'file' : stats.isDirectory() ? 'directory' : stats.isSocket() ? 'socket' : 'other';
    return [{ path, mode: stats.mode & 0o777, kind }];
  });
}

export function leaksInFiles(words: Words, folder: string): readonly string[] {
  return entriesUnder(folder).flatMap(({ path, kind }) => {
    if (kind !== 'file') return [];
    return words.foundIn(readIfThere(path)).map((what) => `${what} in ${path}`);
  });
}

/** Every process's arguments and environment from now until `stop`, which tells what was seen. */
export function watchProcesses(words: Words): { stop(): readonly string[] } {
  const seen = new Set<string>();
  const timer = setInterval(() => {
    for (const pid of processIds())
      for (const part of ['cmdline', 'environ'])
        for (const what of words.foundIn(readIfThere(`/proc/${pid}/${part}`)))
          seen.add(`${what} in the ${part} of ${readIfThere(`/proc/${pid}/comm`).toString().trim()}`);
  }, 100);
  return {
    stop() {
      clearInterval(timer);
      return [...seen];
    },
  };
}

export function processIds(): readonly string[] {
  return readdirSync('/proc').filter((name) => /^\d+$/.test(name));
}

const MAX_RANGE_BYTES = 64 * 1024 * 1024;

/** What a process has in its memory now. */
export function leaksInMemory(words: Words, pid: number): readonly string[] {
  const leaks = new Set<string>();
  const memory = openSync(`/proc/${pid}/mem`, 'r');
  try {
    for (const line of readFileSync(`/proc/${pid}/maps`, 'utf8').split('\n')) {
      const [, from = '', to = ''] = /^([0-9a-f]+)-([0-9a-f]+) rw/.exec(line) ?? [];
      const start = Number.parseInt(from, 16);
      const length = Number.parseInt(to, 16) - start;
      // Most of what is larger is address space that nothing is in.
      if (!(length <= MAX_RANGE_BYTES)) continue;
      const bytes = Buffer.alloc(length);
      try {
        readSync(memory, bytes, 0, length, start);
      } catch {
        // It was given back meanwhile, or is a device's.
        continue;
      }
      for (const what of words.foundIn(bytes)) leaks.add(what);
    }
  } finally {
    closeSync(memory);
  }
  return [...leaks].sort();
}

function readIfThere(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch {
    // It is gone again.
    return Buffer.alloc(0);
  }
}
