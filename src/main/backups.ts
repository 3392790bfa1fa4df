// Backups of what this manager's store holds: as users ask for them, and as snapshots on its own disk.
import { closeSync, openSync, readSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import type { Clock, Random } from '#lib/clock.ts';
import { backupKeyKind, MAX_BACKUP_HEAD_BYTES } from '#lib/backup-header.ts';
import { AppError, errorMessage } from '#lib/errors.ts';
import type { Logger } from '#lib/log.ts';
import { writeFileAtomically } from '#platform/files.ts';
import { type BackupNode, contentsOf, readBackup, writeBackup } from '#store/backup/file.ts';
import type { Protection } from '#store/backup/key.ts';
import type { Store } from '#store/store.ts';
import { createSnapshots, listSnapshots, type SnapshotOptions, type Snapshots } from './snapshots.ts';
import type { StateDirectory, SwarmFile } from './state-directory.ts';
import { skepVersion } from './version.ts';

export interface Backups {
  /** One file of everything at one version of the store. With autolock it is protected by the unlock key, else by the passphrase, if there is one. */
  make(passphrase: string): Promise<Buffer>;
  readonly snapshots: Snapshots;
  /** Seals anew, under the unlock key, the snapshots of a time without autolock: the data key lies open in them. Never rejects. */
  lockSnapshots(): Promise<void>;
}

export interface BackupsOptions {
  readonly store: Store;
  readonly dataKey: Uint8Array;
  /** Undefined while autolock is off. */
  readonly unlockKey: () => Uint8Array | undefined;
  readonly swarm: SwarmFile;
  readonly directory: StateDirectory;
  readonly snapshots: SnapshotOptions;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

export function createBackups({ store, dataKey, unlockKey, swarm, directory, snapshots, clock, random, log }: BackupsOptions): Backups {
  const { nodeId, listenAddr, advertiseAddr, dataPathAddr, dataPathPort } = swarm;
  const node: BackupNode = { nodeId, listenAddr, advertiseAddr, dataPathAddr, dataPathPort };
  async function make(passphrase: string): Promise<Buffer> {
    const protection = protectionOf(unlockKey(), passphrase);
    return writeBackup(contentsOf(store.view, node), { createdAt: clock.now(), program: skepVersion, dataKey, protection, random });
  }
  async function makeSnapshot(): Promise<Buffer> {
    const isLocked = () => unlockKey() !== undefined;
    const before = isLocked();
    const file = await make('');
    // Autolock may have been turned on meanwhile.
    return isLocked() === before ? file : make('');
  }

  async function lockSnapshots(): Promise<void> {
    for (const { path } of listSnapshots(directory.snapshotFolder)) {
      try {
        const key = unlockKey();
        if (key !== undefined && isOpen(path)) writeFileAtomically(path, await lockedBackup(await readFile(path), key, random));
      } catch (error) {
        // A newer one has taken its place.
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') continue;
        log.error({ path, error: errorMessage(error) }, 'a snapshot of a time without autolock could not be locked: the data key lies open in it, remove it');
      }
    }
  }

  const folder = directory.snapshotFolder;
  return { make, snapshots: createSnapshots({ ...snapshots, folder, make: makeSnapshot, clock, log }), lockSnapshots };
}

/** Whether the backup in the file opens without any key. */
function isOpen(path: string): boolean {
  const file = openSync(path, 'r');
  try {
    const head = Buffer.alloc(MAX_BACKUP_HEAD_BYTES);
    const text = head.toString('utf8', 0, readSync(file, head));
    return backupKeyKind(text) === 'plain';
  } finally {
    closeSync(file);
  }
}

/** The same backup under the unlock key. */
async function lockedBackup(bytes: Buffer, unlockKey: Uint8Array, random: Random): Promise<Buffer> {
  const { header, contents, dataKey } = await readBackup(bytes, '');
  const facts = { createdAt: Date.parse(header.createdAt), program: header.program, dataKey, random };
  return writeBackup(contents, { ...facts, protection: { kind: 'unlock-key', unlockKey } });
}

function protectionOf(unlockKey: Uint8Array | undefined, passphrase: string): Protection {
  if (unlockKey !== undefined && passphrase !== '')
    throw new AppError(
      'invalidArgument',
      'the managers of this swarm are locked (autolock): its backups are protected by the unlock key, and take no passphrase beside it',
    );
  if (unlockKey !== undefined) return { kind: 'unlock-key', unlockKey };
  return passphrase === '' ? { kind: 'none' } : { kind: 'passphrase', passphrase };
}
