// A manager whose part of the common state is damaged or gone, while the others have it: they take its member out of etcd and let it in again as a new one, which
// gets everything from them. It never starts a member with what is left: one that has forgotten what it voted for can take back what was acknowledged.
import type { EtcdProcess } from '#etcd/process.ts';
import type { Clock } from '#lib/clock.ts';
import { AppError, errorMessage } from '#lib/errors.ts';
import type { Logger } from '#lib/log.ts';
import type { NodeFactory } from './node-runtime.ts';
import { knownManagersOf } from './remote-managers.ts';
import { listSnapshots } from './snapshots.ts';
import type { StateDirectory, SwarmFile } from './state-directory.ts';

export interface HealOptions {
  readonly directory: StateDirectory;
  readonly nodes: NodeFactory;
  readonly swarm: SwarmFile;
  readonly dataKey: Uint8Array;
  /** What is wrong. */
  readonly damage: AppError;
  /** Told what keeps this node from being healed, and what to do, whenever that is known. */
  readonly onTrouble: (message: string) => void;
  readonly signal: AbortSignal;
  readonly clock: Clock;
  readonly log: Logger;
}

/** After a power cut the others may be a while behind. */
const RETRY_MS = 3_000;

export interface Healed {
  readonly dataKey: Uint8Array;
  readonly etcd: EtcdProcess;
}

/** Tries for as long as it takes. Rejects when there is nobody to heal from, when the others do not want this manager any more, or when the signal aborts. */
export async function healManager({ directory, nodes, swarm, dataKey, damage, onTrouble, signal, clock, log }: HealOptions): Promise<Healed> {
  const others = knownManagersOf(directory.path).filter(({ nodeId, address }) => nodeId !== swarm.nodeId && address !== swarm.advertiseAddr);
  if (others.length === 0) throw new AppError('failedPrecondition', `${damage.message}; ${restoreAdvice(directory)}`, { cause: damage });
  log.error({ error: damage.message }, 'this manager gets the state of the swarm from the other managers again');
  for (;;) {
    try {
      return await nodes.joinManagers(swarm, others, { signal, dataKey });
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof AppError && error.code === 'permissionDenied') throw error;
      const reason = errorMessage(error);
      log.warn({ error: reason }, 'this manager could not get the state of the swarm from the others yet; it is tried again');
      onTrouble(
        `${damage.message}; this manager gets it from the others as soon as those online are more than half of all managers without it (${reason}). ` +
          `If that cannot be, use "docker swarm init --force-new-cluster" on one that is not damaged; else ${restoreAdvice(directory)}`,
      );
      await clock.sleep(RETRY_MS, signal);
    }
  }
}

/** What a user may do who has no other manager. */
function restoreAdvice({ snapshotFolder }: StateDirectory): string {
  const [newest] = listSnapshots(snapshotFolder);
  return newest === undefined
    ? 'restore the swarm from a backup (skep restore --force FILE); there is no snapshot on this disk'
    : `restore the swarm from a backup: the newest snapshot on this disk is of ${new Date(newest.takenAt).toISOString()} (skep restore --force ${newest.path})`;
}
