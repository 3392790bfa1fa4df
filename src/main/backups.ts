// Backups of what this manager's store holds: as users ask for them, and as snapshots on its own disk.
import type { Clock, Random } from '#lib/clock.ts';
import { AppError } from '#lib/errors.ts';
import type { Logger } from '#lib/log.ts';
import { type BackupNode, contentsOf, writeBackup } from '#store/backup/file.ts';
import type { Protection } from '#store/backup/key.ts';
import type { Store } from '#store/store.ts';
import { createSnapshots, type SnapshotOptions, type Snapshots } from './snapshots.ts';
import type { StateDirectory, SwarmFile } from './state-directory.ts';
import { skepVersion } from './version.ts';

export interface Backups {
  /** One file of everything at one version of the store. With autolock it is protected by the unlock key, else by the passphrase, if there is one. */
  make(passphrase: string): Promise<Buffer>;
  readonly snapshots: Snapshots;
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
  return { make, snapshots: createSnapshots({ ...snapshots, folder: directory.snapshotFolder, make: () => make(''), clock, log }) };
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
