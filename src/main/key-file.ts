// A private key of this node on its disk: as it is, or, on a manager while autolock is on, sealed under the data key, which lies there wrapped by the unlock key
// only. Otherwise the disk of a locked manager would be enough to ask another manager for the data key in its name.
import { AppError } from '#lib/errors.ts';
import { readFileIfPresent, writeFileAtomically } from '#platform/files.ts';
import { sealContexts } from '#store/seal-contexts.ts';
import type { Sealer } from '#store/seal.ts';

const LOCKED = 'locked:';

/** What to write for a key (PEM); without a sealer the key itself. */
export function keyText(key: string, lockedBy: Sealer | undefined): string {
  return lockedBy === undefined ? key : LOCKED + lockedBy.seal(Buffer.from(key), sealContexts.nodeKey);
}

/** The key (PEM) of what was written. Throws AppError when it is locked and the sealer is missing or another one. */
export function openKey(text: string, sealer: Sealer | undefined): string {
  if (!text.startsWith(LOCKED)) return text;
  if (sealer === undefined) throw new AppError('failedPrecondition', "this node's private key is locked with the swarm's unlock key");
  return Buffer.from(sealer.open(text.slice(LOCKED.length), sealContexts.nodeKey)).toString();
}

/** Locks or unlocks what lies there, if that is not done yet. */
export function keepKeyFile(path: string, sealer: Sealer, isLocked: boolean): void {
  const text = readFileIfPresent(path);
  if (text === undefined || text.startsWith(LOCKED) === isLocked) return;
  writeFileAtomically(path, keyText(openKey(text, sealer), isLocked ? sealer : undefined));
}
