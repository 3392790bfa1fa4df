// Files that must be whole or absent, and readable by their owner only.
import { chmodSync, closeSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, statSync, writeSync } from 'node:fs';
import { rename, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { AppError } from '#lib/errors.ts';

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

/** As `writeFileAtomically`, for files whose way to the disk takes long enough to be noticed. */
export async function writeLargeFileAtomically(path: string, contents: Uint8Array): Promise<void> {
  const temporary = `${path}.new`;
  try {
    await rm(temporary, { force: true });
    await writeFile(temporary, contents, { flag: 'wx', mode: 0o600, flush: true });
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  syncDirectory(dirname(path));
}

function writeDurably(path: string, bytes: Uint8Array): void {
  // A file of its own: what is left of another one may be somebody else's, readable by all, or a link to somewhere.
  rmSync(path, { force: true });
  const file = openSync(path, 'wx', 0o600);
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

/** Makes a directory that only its owner may enter. Throws AppError when it is there and somebody else's: what lies in it could be anybody's. */
export function ensurePrivateDirectory(path: string): void {
  mkdirSync(path, { recursive: true, mode: 0o700 });
  const { uid, mode } = statSync(path);
  if (uid !== process.getuid?.())
    throw new AppError('failedPrecondition', `${path} belongs to another user (${uid}): give it to the one that skepd runs as, or choose another folder`);
  if ((mode & 0o077) !== 0) chmodSync(path, 0o700);
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
