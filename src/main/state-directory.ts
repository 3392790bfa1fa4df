// What lies where in a daemon's state directory, and the few facts that a daemon must know before it can open its store.
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { NodeRole } from '#domain/spec.ts';
import { AppError, errorMessage } from '#lib/errors.ts';
import { readFileIfPresent, writeFileAtomically } from '#platform/files.ts';
import { RESTORE_OR_LEAVE } from './membership-texts.ts';

/** This node's place in a swarm: written when it joins, erased when it leaves. */
export interface SwarmFile {
  readonly nodeId: string;
  readonly role: NodeRole;
  readonly listenAddr: string;
  readonly advertiseAddr: string;
  readonly dataPathAddr: string;
  readonly dataPathPort: number;
  /** The swarm was restored without this manager: it is none any more, and one of these may say what it is. */
  readonly superseded?: readonly { readonly nodeId: string; readonly address: string }[];
  /** Leaving has begun: what is left is removed at the next start, too. */
  readonly leaving?: boolean;
}

export interface StateDirectory {
  readonly path: string;
  readonly storeFile: string;
  readonly dataKeyFile: string;
  readonly certificateFolder: string;
  readonly agentFolder: string;
  /** The ends of the logs of tasks whose containers are gone, and the socket that managers reach them at. */
  readonly keptLogsFolder: string;
  readonly keptLogsSocket: string;
  readonly pidFile: string;
  readonly snapshotFolder: string;
  readSwarm(): SwarmFile | undefined;
  writeSwarm(swarm: SwarmFile): void;
  /** Forgets what only managers have. */
  eraseManager(): void;
  /** Forgets the swarm: keys, certificates, store, the agent's memory; last of all that there was one. */
  erase(): void;
}

export function createStateDirectory(path: string): StateDirectory {
  const swarmFile = join(path, 'swarm.json');
  const directory = {
    path,
    storeFile: join(path, 'store.db'),
    dataKeyFile: join(path, 'data-key'),
    certificateFolder: join(path, 'certificates'),
    agentFolder: join(path, 'tasks'),
    keptLogsFolder: join(path, 'kept-logs'),
    keptLogsSocket: join(path, 'kept-logs.sock'),
    pidFile: join(path, 'skepd.pid'),
    snapshotFolder: join(path, 'snapshots'),
  };
  const eraseManager = () => {
    // Before anything else: it would count again at the next start.
    rmSync(join(path, 'restored'), { recursive: true, force: true });
    for (const suffix of ['', '-wal', '-shm']) rmSync(directory.storeFile + suffix, { force: true });
    rmSync(directory.dataKeyFile, { force: true });
    for (const folder of ['etcd', 'snapshots', 'replaced', 'restored.new']) rmSync(join(path, folder), { recursive: true, force: true });
  };
  return {
    ...directory,
    readSwarm() {
      const text = readFileIfPresent(swarmFile);
      return text === undefined ? undefined : parseSwarmFile(swarmFile, text);
    },
    writeSwarm: (swarm) => writeFileAtomically(swarmFile, JSON.stringify(swarm, null, 2)),
    eraseManager,
    erase() {
      eraseManager();
      for (const file of [join(path, 'managers.json'), directory.certificateFolder, directory.agentFolder, directory.keptLogsFolder])
        if (existsSync(file)) rmSync(file, { recursive: true });
      rmSync(swarmFile, { force: true });
    },
  };
}

/** Of a node whose swarm.json cannot be read any more: enough to show, to leave and to restore. */
export function damagedSwarmFile(nodeId: string): SwarmFile {
  return { nodeId, role: 'manager', listenAddr: '', advertiseAddr: '', dataPathAddr: '', dataPathPort: 0 };
}

function parseSwarmFile(path: string, text: string): SwarmFile {
  try {
    const swarm = JSON.parse(text) as SwarmFile;
    if (typeof swarm.nodeId === 'string' && typeof swarm.advertiseAddr === 'string') return swarm;
  } catch (error) {
    throw new AppError('dataLoss', `${path} cannot be read (${errorMessage(error)}); ${RESTORE_OR_LEAVE}`, { cause: error });
  }
  throw new AppError('dataLoss', `${path} is damaged: it names no node; ${RESTORE_OR_LEAVE}`);
}
