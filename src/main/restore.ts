// Restoring a swarm from a backup: this node becomes the only manager of the swarm that the backup is of, with the same ids, certificates, tokens and secrets.
// Whatever is wrong with the file, the key or this node is found before anything changes.
import { X509Certificate } from 'node:crypto';
import { nextEpoch } from '#ca/epoch.ts';
import { createExternalSigner } from '#ca/external.ts';
import { createCertificateRequest, digestOfKey } from '#ca/node-certificate.ts';
import { trustOf } from '#ca/rotation.ts';
import type { Cluster } from '#domain/objects.ts';
import { present } from '#lib/assert.ts';
import type { BackupHeader } from '#lib/backup-header.ts';
import type { Clock } from '#lib/clock.ts';
import { AppError } from '#lib/errors.ts';
import { silentLogger } from '#lib/log.ts';
import { OLDEST_LEVEL } from '#protocol/level.ts';
import type { BackupContents } from '#store/backup/file.ts';
import { createSealer, type Sealer } from '#store/seal.ts';
import { unlockKeyOf } from '#store/unlock-key.ts';
import { fillSqlite } from '#store/sqlite/fill.ts';
import { type AddressRequest, CLI_LISTEN_ADDR, hasAddress, type NodeAddresses, nodeAddresses, splitHostPort, type SystemInterfaces } from './addresses.ts';
import { createCertificateSigner } from './certificate-signer.ts';
import { writeDataKey } from './data-key.ts';
import { certificateOf, readIdentity, writeIdentity } from './identity.ts';
import type { ExternalIdentity } from './node-runtime.ts';
import { createDraft, discardDraft } from './restore-files.ts';
import { restoredObjects, restoredRevision } from './restored-state.ts';
import type { StateDirectory, SwarmFile } from './state-directory.ts';

/** Throws AppError when the swarm's state may mean more than this daemon knows (protocol/level.ts): it could not take its place in it. */
export function assertUnderstood({ header, contents }: Restored, own: number): void {
  const { level = OLDEST_LEVEL } = clusterOf(contents);
  if (level > own)
    throw new AppError(
      'failedPrecondition',
      `this skepd is older than the state in the backup (level ${level}; it knows up to ${own}): restore it with skepd ${header.program}; nothing was changed`,
    );
}

function clusterOf({ objects }: BackupContents): Cluster {
  return present(
    objects.find((object): object is Cluster => object.kind === 'cluster'),
    'the cluster of the backup',
  );
}

/** Which node of the backup this one is from now on. Throws AppError when it cannot be any. */
export function nodeToBe(current: SwarmFile | undefined, directory: StateDirectory, { header, contents }: Restored): string {
  if (current === undefined) return header.nodeId;
  const clusterId = certificateOf(directory.certificateFolder)?.clusterId;
  if (clusterId !== undefined && clusterId !== header.clusterId)
    throw new AppError(
      'failedPrecondition',
      `this node is part of another swarm (${clusterId}) than the one that the backup is of (${header.clusterId}): use "docker swarm leave --force" first`,
    );
  if (current.nodeId === '') return header.nodeId;
  if (!contents.objects.some(({ kind, id }) => kind === 'node' && id === current.nodeId))
    throw new AppError(
      'failedPrecondition',
      `this node (${current.nodeId}) joined the swarm after the backup was made: use "docker swarm leave --force" first, or restore on a node that the backup knows`,
    );
  return current.nodeId;
}

export interface Restored {
  readonly header: BackupHeader;
  readonly contents: BackupContents;
  readonly dataKey: Uint8Array;
}

/** What the user asks for, else where the node was before if this machine still has that address, else what the system has. */
export function addressesToBe(
  request: AddressRequest,
  before: NodeAddresses | undefined,
  defaults: AddressRequest,
  interfaces: SystemInterfaces,
): NodeAddresses {
  const isHere = before !== undefined && hasAddress(interfaces, splitHostPort(before.advertiseAddr).host);
  const mayListen = before !== undefined && (isHere || ['0.0.0.0', '::'].includes(splitHostPort(before.listenAddr).host));
  const wantsBefore = isHere && request.advertiseAddr === '' && defaults.advertiseAddr === '';
  return nodeAddresses(
    {
      ...request,
      listenAddr: request.listenAddr || (mayListen ? before.listenAddr : CLI_LISTEN_ADDR),
      advertiseAddr: wantsBefore ? before.advertiseAddr : request.advertiseAddr,
    },
    defaults,
    interfaces,
  );
}

export interface DraftOptions {
  readonly directory: StateDirectory;
  readonly restored: Restored;
  readonly nodeId: string;
  readonly addresses: NodeAddresses;
  readonly externalIdentity: ExternalIdentity | undefined;
  readonly clock: Clock;
}

/** Writes the state that will be, beside the one that is. Leaves nothing when it rejects. */
export async function draftState({ directory, restored, nodeId, addresses, externalIdentity, clock }: DraftOptions): Promise<SwarmFile> {
  const { contents, dataKey } = restored;
  const cluster = clusterOf(contents);
  const swarm: SwarmFile = { nodeId, role: 'manager', ...addresses, dataPathPort: cluster.dataPathPort };
  try {
    const draft = createDraft(directory.path);
    const sealer = createSealer(dataKey);
    const epoch = nextEpoch(cluster.epoch, clock.now());
    const { certificate, key } = await ownCertificate({ ...cluster, epoch }, sealer, {
      nodeId,
      host: splitHostPort(addresses.advertiseAddr).host,
      clock,
      shown: () => externalIdentity?.() ?? identityIn(directory.certificateFolder, sealer),
    });
    writeIdentity(draft.certificateFolder, { roots: trustOf(cluster).roots, certificate, key });
    const keyDigest = digestOfKey(new X509Certificate(certificate).publicKey);
    const objects = restoredObjects(contents.objects, { nodeId, advertiseAddr: addresses.advertiseAddr, keyDigest, epoch });
    fillSqlite(draft.storeFile, restoredRevision(contents.revision), objects);
    writeDataKey(draft.dataKeyFile, dataKey, unlockKeyOf(cluster, sealer));
    draft.writeSwarm(swarm);
    return swarm;
  } catch (error) {
    discardDraft(directory.path);
    throw error;
  }
}

/** What this machine had before it is restored. */
function identityIn(folder: string, sealer: Sealer) {
  try {
    return readIdentity(folder, sealer);
  } catch {
    // There is none, or it is locked by another swarm's key.
    return undefined;
  }
}

interface OwnCertificateOptions {
  readonly nodeId: string;
  readonly host: string;
  /** To an external authority, if that is who signs. */
  readonly shown: ExternalIdentity;
  readonly clock: Clock;
}

/** As a manager would get it. */
async function ownCertificate(
  cluster: Cluster,
  sealer: Sealer,
  { nodeId, host, clock, shown }: OwnCertificateOptions,
): Promise<{ readonly certificate: string; readonly key: string }> {
  const external = createExternalSigner({ identity: shown, now: () => clock.now(), log: silentLogger });
  const signer = createCertificateSigner({ cluster: () => cluster, sealer, external, clock });
  const { request, key } = await createCertificateRequest();
  return { certificate: await signer.sign(request, { nodeId, role: 'manager' }, host), key };
}
