// What a manager is made of but for its worker's half and its port: everything here stands on the store alone.
import { createExternalSigner } from '#ca/external.ts';
import { trustOf } from '#ca/rotation.ts';
import { createControl } from '#control/create-control.ts';
import type { Secret } from '#domain/objects.ts';
import { present } from '#lib/assert.ts';
import { sealContexts } from '#store/seal-contexts.ts';
import { createSealer } from '#store/seal.ts';
import { unlockKeyOf } from '#store/unlock-key.ts';
import type { Store } from '#store/store.ts';
import { splitHostPort } from './addresses.ts';
import { createBackups } from './backups.ts';
import { createAdmission } from './admission.ts';
import { createCertificateSigner } from './certificate-signer.ts';
import { createCertificateKeeper } from './certificate-keeper.ts';
import { createLeading } from './leading.ts';
import { createMachines } from './machines.ts';
import { createManagerAdmission } from './manager-admission.ts';
import type { ManagerStore } from './manager-store.ts';
import type { ManagerStart, NodeFactoryOptions } from './node-runtime.ts';
import type { KnownManager } from './remote-managers.ts';
import { createSeat } from './seat.ts';

export type ManagerParts = ReturnType<typeof createManagerParts>;

export function createManagerParts(
  { directory, snapshots, clock, random, log, externalIdentity }: NodeFactoryOptions,
  { swarm, dataKey }: ManagerStart,
  managerStore: ManagerStore,
) {
  const { store } = managerStore;
  const { nodeId, advertiseAddr } = swarm;
  const { host } = splitHostPort(advertiseAddr);
  const self = { nodeId, address: advertiseAddr };
  const sealer = createSealer(dataKey);
  const cluster = () => present([...store.view.list('cluster')][0], 'the cluster object');
  const unlockKey = () => unlockKeyOf(cluster(), sealer);
  const externalSigner = createExternalSigner({ identity: () => externalIdentity?.() ?? keeper.identity(), now: () => clock.now(), log });
  const signer = createCertificateSigner({ cluster, sealer, external: externalSigner, clock });
  const admission = createAdmission({ store, sealer, signer, clock, random, log });
  const keeper = createCertificateKeeper({
    folder: directory.certificateFolder,
    keyLock: { sealer, isLocked: () => unlockKey() !== undefined },
    issue: (request) => admission.renew(request, nodeId, host),
    clock,
    random,
    log,
  });
  keeper.follow(trustOf(cluster()));
  const managers = () => knownManagers(store, self);
  const sealed = {
    secretData: ({ id, spec }: Secret) => sealer.open(spec.data ?? '', sealContexts.secret(id)),
    registryAuth: (text: string) => Buffer.from(sealer.open(text, sealContexts.registryAuth)).toString(),
  };
  const leading = createLeading({ managerStore, seat: () => seat, self, clock, log });
  const machines = createMachines({ store, clock });
  const seat = createSeat({ store, clock, random, log, managers, machines, sealed }, () => leading.leader()?.address);
  return {
    self: { ...self, host },
    log,
    store,
    sealer,
    cluster,
    unlockKey,
    admission,
    keeper,
    managers,
    leading,
    seat,
    machines,
    backups: createBackups({ store, dataKey, unlockKey, swarm, directory, snapshots, clock, random, log }),
    control: createControl({ store, clock, random, sealer, externalSigner, log, nodeId }),
    managerAdmission: createManagerAdmission({ managerStore, sealer, dataKey, unlockKey, clock, log }),
  };
}

/** The leader first: agents try them in this order. */
function knownManagers({ view }: Store, self: KnownManager): readonly KnownManager[] {
  const managers = [...view.list('node')].flatMap(({ id, manager }) => (manager === undefined ? [] : [{ nodeId: id, ...manager }]));
  if (managers.length === 0) return [self];
  return managers.sort((a, b) => Number(b.leader) - Number(a.leader)).map(({ nodeId, address }) => ({ nodeId, address }));
}
