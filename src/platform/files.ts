// Files that must be whole or absent, and readable by their owner only.
import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';

/** Writes a file of mode 0600 so that a crash leaves the old or the new contents, never a part. */
export function writeFileAtomically(path: string, contents: string | Uint8Array): void {
  const temporary = `${path}.new`;
  try {
    writeDurably(temporary, typeof contents === 'string' ? Buffer.from(contents) : contents);
    renameSync(temporary, path);
  } catch (error) {
    // A full disk: what was written of it would only take more of it.
    rmSync(temporary, { force: true });
    throw error;
  }
  syncDirectory(dirname(path));
}

function writeDurably(path: string, bytes: Uint8Array): void {
  const file = openSync(path, 'w', 0o600);
  try {
    for (let offset = 0; offset < bytes.length; ) offset += writeSync(file, bytes, offset);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

/** The file's text, or undefined when there is none. */
export function readFileIfPresent(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Makes a directory that only its owner may enter. */
export function ensurePrivateDirectory(path: string): void {
  mkdirSync(path, { recursive: true, mode: 0o700 });
}

/** A rename in it survives a loss of power from then on. */
export function syncDirectory(path: string): void {
  const directory = openSync(path, 'r');
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}
