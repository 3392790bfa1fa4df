// A file that a child process may open again and again (as /proc/self/fd/N) and that lies on no disk: it is in memory and has no name any more. Whatever way
// the process ends, nothing of it is left.
import { randomBytes } from 'node:crypto';
import { closeSync, openSync, rmSync, statfsSync, writeSync } from 'node:fs';
import { join } from 'node:path';

const FOLDERS = ['/run', '/dev/shm'];
/** What statfs says of a tmpfs (linux/magic.h). */
const TMPFS = 0x01021994;

/** The file's descriptor, for the caller to close. Where the machine has no file system in memory the file is in `folder`, without a name there, too. */
export function openMemoryFile(contents: string, folder: string): number {
  const path = join(FOLDERS.find(isInMemory) ?? folder, `.skep-${randomBytes(8).toString('hex')}`);
  const file = openSync(path, 'wx+', 0o600);
  try {
    rmSync(path);
    const bytes = Buffer.from(contents);
    for (let offset = 0; offset < bytes.length; ) offset += writeSync(file, bytes, offset);
    return file;
  } catch (error) {
    closeSync(file);
    throw error;
  }
}

function isInMemory(folder: string): boolean {
  try {
    return statfsSync(folder).type === TMPFS;
  } catch {
    return false;
  }
}
