// Taking up where the daemon was when it stopped. It starts whatever is on its disk: how else could anything be restored, or left?
import { AppError } from '#lib/errors.ts';
import type { Logger } from '#lib/log.ts';
import { readDataKey, type StoredDataKey } from './data-key.ts';
import { certificateOf } from './identity.ts';
import { RESTORE_OR_LEAVE } from './membership-texts.ts';
import type { NodePlace } from './node-place.ts';
import { finishRestore } from './restore-files.ts';
import { damagedSwarmFile, type StateDirectory, type SwarmFile } from './state-directory.ts';

export interface ResumeOptions {
  readonly directory: StateDirectory;
  readonly log: Logger;
}

/** `remove` ends a membership that was being left. */
export async function resumeMembership(place: NodePlace, { directory, log }: ResumeOptions, remove: (swarm: SwarmFile) => Promise<void>): Promise<void> {
  finishRestore(directory.path);
  const swarm = readSwarm(place, directory);
  if (swarm === 'damaged') return;
  if (swarm === undefined) return directory.erase();
  if (swarm.leaving) return remove(swarm);
  if (swarm.role === 'worker') return place.orError(swarm, () => place.startWorker(swarm, false));
  const dataKey = readKey(place, directory, swarm);
  if (dataKey === undefined) return;
  if (dataKey.kind === 'locked') {
    place.state = { kind: 'locked', swarm, dataKey };
    log.warn({ node: swarm.nodeId }, 'the swarm is locked; containers go on, nothing is managed until it is unlocked');
    return;
  }
  await place.resumeManager(swarm, dataKey.key);
}

function readSwarm(place: NodePlace, directory: StateDirectory): SwarmFile | undefined | 'damaged' {
  try {
    return directory.readSwarm();
  } catch (error) {
    place.fail(damagedSwarmFile(certificateOf(directory.certificateFolder)?.nodeId ?? ''), error);
    return 'damaged';
  }
}

function readKey(place: NodePlace, { dataKeyFile }: StateDirectory, swarm: SwarmFile): StoredDataKey | undefined {
  try {
    const stored = readDataKey(dataKeyFile);
    if (stored === undefined) throw new AppError('dataLoss', `${dataKeyFile} is missing: without it the swarm's secrets cannot be read; ${RESTORE_OR_LEAVE}`);
    return stored;
  } catch (error) {
    place.fail(swarm, error);
    return undefined;
  }
}
