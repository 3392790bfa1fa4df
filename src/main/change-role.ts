// How a member of the swarm gets the role that the managers want it to have: a certificate that says so, and what belongs to the role on disk.
import { createCertificateRequest } from '#ca/node-certificate.ts';
import { requireEtcd } from '#etcd/binary.ts';
import type { EtcdProcess } from '#etcd/process.ts';
import { AppError } from '#lib/errors.ts';
import { createSealer } from '#store/seal.ts';
import type { IssuedCertificate } from '#transport/service.ts';
import type { TlsMaterial } from '#transport/server.ts';
import { readIdentity, writeIdentity } from './identity.ts';
import { WANTED_AS_MANAGER } from './membership-texts.ts';
import type { NodeFactory } from './node-runtime.ts';
import { type KnownManager, writeManagers } from './remote-managers.ts';
import type { StateDirectory, SwarmFile } from './state-directory.ts';
import { askAny } from './worker-node.ts';

export interface RoleChange {
  readonly directory: StateDirectory;
  readonly nodes: NodeFactory;
  readonly swarm: SwarmFile;
  readonly managers: readonly KnownManager[];
}

/** Everything that a manager needs, while the worker goes on. Rejects with AppError, and changes nothing, when it cannot be had. */
export async function prepareManager({ directory, nodes, swarm: old, managers }: RoleChange): Promise<{
  readonly swarm: SwarmFile;
  readonly dataKey: Uint8Array;
  readonly etcd: EtcdProcess;
}> {
  requireEtcd();
  const { role, identity } = await requestRole(managers, readIdentity(directory.certificateFolder));
  if (role !== 'manager') throw new AppError('failedPrecondition', 'the managers do not want this node to be one any more');
  writeIdentity(directory.certificateFolder, identity);
  const swarm: SwarmFile = { ...old, role };
  const { dataKey, etcd } = await nodes.joinManagers(swarm, managers);
  directory.writeSwarm(swarm);
  return { swarm, dataKey, etcd };
}

/** A worker's certificate, for `becomeWorker` to put in place of the manager's; `dataKey` opens the key of that one. */
export async function prepareWorker({ directory, swarm, managers, dataKey }: RoleChange & { readonly dataKey: Uint8Array }): Promise<NewWorker> {
  const others = managers.filter(({ nodeId }) => nodeId !== swarm.nodeId);
  const { role, identity } = await requestRole(others, readIdentity(directory.certificateFolder, createSealer(dataKey)));
  if (role !== 'worker') throw new AppError('unavailable', WANTED_AS_MANAGER);
  return { swarm: { ...swarm, role }, identity, managers: others };
}

export interface NewWorker {
  readonly swarm: SwarmFile;
  readonly identity: TlsMaterial;
  readonly managers: readonly KnownManager[];
}

/** To be called when the manager has stopped: it would write its own identity again, which may be locked by a key that no worker has. */
export function becomeWorker(directory: StateDirectory, { swarm, identity, managers }: NewWorker): SwarmFile {
  writeIdentity(directory.certificateFolder, identity);
  writeManagers(directory.path, managers);
  directory.writeSwarm(swarm);
  directory.eraseManager();
  return swarm;
}

/** Asks the managers one after the other; rejects with what the last one said when none gives one. */
async function requestRole(managers: readonly KnownManager[], identity: TlsMaterial): Promise<IssuedCertificate & { readonly identity: TlsMaterial }> {
  const { request, key } = await createCertificateRequest();
  const issued = await askAny(managers, identity, (client) => client.issueCertificate({ request }));
  return { ...issued, identity: { roots: identity.roots, certificate: issued.certificate, key } };
}
