// This manager's member of etcd on disk: its settings, and its certificates from an authority of its own that only managers have anything of.
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { signCertificateRequest } from '#ca/node-certificate.ts';
import type { RootCa } from '#ca/root.ts';
import { type EtcdProcess, type EtcdSettings, startEtcd } from '#etcd/process.ts';
import type { Clock } from '#lib/clock.ts';
import { AppError, errorMessage } from '#lib/errors.ts';
import type { Logger } from '#lib/log.ts';
import { ensurePrivateDirectory, readFileIfPresent, writeFileAtomically } from '#platform/files.ts';
import type { Sealer } from '#store/seal.ts';
import { joinHostPort, splitHostPort } from './addresses.ts';
import { keepKeyFile, keyText, openKey } from './key-file.ts';
import type { SwarmFile } from './state-directory.ts';

export interface EtcdMember {
  readonly folder: string;
  /** Undefined when this node keeps its store elsewhere, or never finished to become a member. */
  settings(): EtcdSettings | undefined;
  /** Writes everything that a start needs, in place of what there was. Until `confirm` it does not count after a restart. */
  prepare(settings: EtcdSettings, certificates: PeerCertificates, lockedBy?: Sealer): void;
  /** From now on the store of this node is in etcd. */
  confirm(): void;
  /** The sealer opens its key, which is locked while autolock is on. */
  start(sealer: Sealer, options?: { readonly forceNewCluster?: boolean }): EtcdProcess;
  /** Locks or unlocks its key where it lies. */
  keepLocked(sealer: Sealer, isLocked: boolean): void;
  erase(): void;
}

/** PEM each. */
export interface PeerCertificates {
  readonly authority: string;
  readonly certificate: string;
  readonly key: string;
}

const KEY_FILE = 'peer.key';
/** Beside the swarm's usual port. etcd's own, 2380, may be taken by the service of the system's package. */
const USUAL_PORTS = { swarm: 2377, peer: 2378 };
/** Whoever chooses another port has several daemons on one machine, and gives them ports in a row: each member's is out of that row. */
const PEER_PORT_DISTANCE = 1000;
const HIGHEST_PORT = 65_535;
/** Only managers can present one, and only to managers: it lasts as long as the member. */
const PEER_EXPIRY_MS = 10 * 365 * 24 * 3_600_000;

export function createEtcdMember({ stateDirectory, clock, log }: { readonly stateDirectory: string; readonly clock: Clock; readonly log: Logger }): EtcdMember {
  const folder = join(stateDirectory, 'etcd');
  const settingsFile = join(folder, 'member.json');
  const keyFile = join(folder, KEY_FILE);
  const draftFile = join(folder, 'member.new.json');
  const read = (file: string) => {
    const text = readFileIfPresent(file);
    try {
      return text === undefined ? undefined : (JSON.parse(text) as EtcdSettings);
    } catch (cause) {
      throw new AppError('dataLoss', `${file} cannot be read (${errorMessage(cause)})`, { cause });
    }
  };
  const erase = () => {
    if (existsSync(folder)) rmSync(folder, { recursive: true, force: true });
  };
  return {
    folder,
    settings: () => read(settingsFile),
    prepare(settings, { authority, certificate, key }, lockedBy) {
      erase();
      ensurePrivateDirectory(folder);
      for (const [file, text] of Object.entries({ 'ca.crt': authority, 'peer.crt': certificate, [KEY_FILE]: keyText(key, lockedBy) }))
        writeFileAtomically(join(folder, file), text);
      writeFileAtomically(draftFile, JSON.stringify(settings));
    },
    confirm: () => writeFileAtomically(settingsFile, JSON.stringify(read(draftFile))),
    start(sealer, { forceNewCluster = false } = {}) {
      const settings = read(settingsFile) ?? read(draftFile);
      if (settings === undefined) throw new Error('there is no etcd member to start');
      const peerKey = openKey(readFileSync(keyFile, 'utf8'), sealer);
      return startEtcd({ folder, peerKey, settings, forceNewCluster, clock, log });
    },
    keepLocked: (sealer, isLocked) => keepKeyFile(keyFile, sealer, isLocked),
    erase,
  };
}

/** Where a manager's member listens and is found. */
export function peerUrls({ listenAddr, advertiseAddr }: Pick<SwarmFile, 'listenAddr' | 'advertiseAddr'>): Pick<EtcdSettings, 'listenPeerUrl' | 'peerUrl'> {
  const [listen, advertise] = [splitHostPort(listenAddr), splitHostPort(advertiseAddr)];
  const port = String(peerPort(Number(advertise.port ?? USUAL_PORTS.swarm)));
  return { listenPeerUrl: `https://${joinHostPort(listen.host, port)}`, peerUrl: `https://${joinHostPort(advertise.host, port)}` };
}

/** A function of the swarm's port: whoever knows where a manager is reached knows its member too. */
export function peerPort(swarmPort: number): number {
  if (swarmPort === USUAL_PORTS.swarm) return USUAL_PORTS.peer;
  const above = swarmPort + PEER_PORT_DISTANCE;
  return above <= HIGHEST_PORT ? above : swarmPort - PEER_PORT_DISTANCE;
}

export interface PeerSubject {
  readonly nodeId: string;
  readonly clusterId: string;
  readonly host: string;
}

/** A certificate for a manager's member: for its address, and for nothing outside etcd. */
export function signPeerCertificate(authority: RootCa, request: string, { nodeId, clusterId, host }: PeerSubject, now: number): Promise<string> {
  return signCertificateRequest(authority, request, { nodeId, role: 'manager', clusterId }, { now, expiryMs: PEER_EXPIRY_MS, hosts: [host] });
}
