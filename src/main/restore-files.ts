// How a restored state takes the place of what is in the state directory, so that a crash at any moment leaves the old state or the new one: the new one is made
// in a folder of its own, one rename makes it count, and what follows can be done again.
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { syncDirectory } from '#platform/files.ts';
import { createStateDirectory, type StateDirectory } from './state-directory.ts';

const DRAFT = 'restored.new';
const RESTORED = 'restored';
/** What was there before, for as long as it may be the only copy. */
const REPLACED = 'replaced';

/** What a restored state consists of. swarm.json comes last: it says that there is a swarm. */
const made = ['store.db', 'data-key', 'certificates', 'swarm.json'] as const;
const replaced = ['store.db-wal', 'store.db-shm', 'etcd', 'managers.json', ...made];

/** A directory like the daemon's, to make the new state in; nothing counts before `commitDraft`. */
export function createDraft(path: string): StateDirectory {
  const draft = join(path, DRAFT);
  rmSync(draft, { recursive: true, force: true });
  mkdirSync(draft, { mode: 0o700 });
  return createStateDirectory(draft);
}

export function discardDraft(path: string): void {
  rmSync(join(path, DRAFT), { recursive: true, force: true });
}

/** From now on the new state counts. Resolves with where the old one lies, if there was one. Nothing may use the state meanwhile. */
export function commitDraft(path: string): string | undefined {
  // One that could not take its place (a full disk, say) gives way to the newer one.
  if (existsSync(join(path, RESTORED))) moveRestored(path, renameSync);
  rmSync(join(path, REPLACED), { recursive: true, force: true });
  syncDirectory(join(path, DRAFT));
  renameSync(join(path, DRAFT), join(path, RESTORED));
  syncDirectory(path);
  finishRestore(path);
  return existsSync(join(path, REPLACED)) ? join(path, REPLACED) : undefined;
}

/** Goes on where a crash ended `commitDraft`. `move` is an argument so that a test can end it anywhere. */
export function finishRestore(path: string, move: typeof renameSync = renameSync): void {
  discardDraft(path);
  if (existsSync(join(path, RESTORED))) moveRestored(path, move);
}

function moveRestored(path: string, move: typeof renameSync): void {
  const restored = join(path, RESTORED);
  for (const name of replaced) {
    const [old, fresh] = [join(path, name), join(restored, name)];
    const isMade = made.some((entry) => entry === name);
    // Once the new one is in its place, there is nothing old any more.
    if (existsSync(old) && (!isMade || existsSync(fresh))) {
      mkdirSync(join(path, REPLACED), { recursive: true, mode: 0o700 });
      move(old, join(path, REPLACED, name));
    }
    if (isMade && existsSync(fresh)) move(fresh, old);
  }
  syncDirectory(path);
  rmSync(restored, { recursive: true });
}

export function forgetReplaced(path: string): void {
  rmSync(join(path, REPLACED), { recursive: true, force: true });
}
