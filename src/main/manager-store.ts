// Where a manager's store lies: in a SQLite file while it is the only manager, in etcd from the second one on. The way from one to the other happens here,
// under a store that goes on.
import { existsSync, rmSync } from 'node:fs';
import { createCertificateRequest } from '#ca/node-certificate.ts';
import { createRootCa, type RootCa } from '#ca/root.ts';
import type { Cluster, StoreObject } from '#domain/objects.ts';
import { objectKinds } from '#domain/objects.ts';
import type { EtcdProcess } from '#etcd/process.ts';
import { requireEtcd } from '#etcd/binary.ts';
import { missingData } from '#etcd/trouble.ts';
import { present } from '#lib/assert.ts';
import type { Clock } from '#lib/clock.ts';
import { AppError } from '#lib/errors.ts';
import type { Logger } from '#lib/log.ts';
import { createStore } from '#store/create-store.ts';
import { openEtcdBackend } from '#store/etcd/backend.ts';
import { fillEtcd } from '#store/etcd/snapshot.ts';
import { sealContexts } from '#store/seal-contexts.ts';
import type { Sealer } from '#store/seal.ts';
import { unlockKeyOf } from '#store/unlock-key.ts';
import { openSqliteBackend } from '#store/sqlite/backend.ts';
import type { Store } from '#store/store.ts';
import { createSwitchableBackend } from '#store/switch-backend.ts';
import { splitHostPort } from './addresses.ts';
import { type EtcdMember, peerUrls, signPeerCertificate } from './etcd-member.ts';
import { REMOVED } from './membership-texts.ts';
import type { StateDirectory, SwarmFile } from './state-directory.ts';

export interface ManagerStore {
  readonly store: Store;
  /** Undefined while the store is a file. */
  etcd(): EtcdProcess | undefined;
  /** Resolves when the store is in etcd. */
  readonly inEtcd: Promise<void>;
  /** Takes the store to etcd, if it is not there yet. Rejects with AppError when this machine has no etcd; the store goes on then. */
  moveToEtcd(): Promise<EtcdProcess>;
  close(): Promise<void>;
}

export interface ManagerStoreOptions {
  readonly directory: StateDirectory;
  readonly member: EtcdMember;
  readonly swarm: SwarmFile;
  readonly sealer: Sealer;
  /** There is nothing stored yet. */
  readonly isNew: boolean;
  /** The member of a manager that has just joined. */
  readonly joined?: EtcdProcess;
  /** Goes on with this manager's data alone, whoever else there was. */
  readonly forceNewCluster?: boolean;
  /** Called before the store moves to etcd; when it rejects, the store stays where it is. */
  readonly beforeMove: () => Promise<unknown>;
  /** Ends the wait for enough other managers. */
  readonly signal?: AbortSignal;
  /** Told during that wait why the member does not run; undefined when it does. */
  readonly onWait?: (trouble: string | undefined) => void;
  readonly clock: Clock;
  readonly log: Logger;
}

const POLL_MS = 50;
const TELL_MS = 500;
const STORE_GONE = "this manager's store is gone from its disk";
/** A file that was cut off to nothing is a valid one. */
const STORE_EMPTY = "this manager's store is there, but holds no swarm: it was damaged, and its contents are lost";
/** A member that is alone needs nobody else. */
const FIRST_START_TIMEOUT_MS = 30_000;

export async function openManagerStore(options: ManagerStoreOptions): Promise<ManagerStore> {
  const { member, directory, clock, log } = options;
  if (!options.isNew && options.joined === undefined && member.settings() === undefined && !existsSync(directory.storeFile))
    throw new AppError('dataLoss', STORE_GONE);
  let etcd = options.joined;
  const missing = etcd === undefined && member.settings() !== undefined ? missingData(member.folder) : undefined;
  if (missing !== undefined) throw damagedEtcd(missing);
  if (etcd === undefined && member.settings() !== undefined) etcd = member.start(options.sealer, { forceNewCluster: options.forceNewCluster ?? false });
  const arrival = Promise.withResolvers<void>();
  if (etcd !== undefined) arrival.resolve();
  let moving: Promise<EtcdProcess> | undefined;
  try {
    if (etcd !== undefined) await withQuorum(etcd, clock, options.signal ?? new AbortController().signal, options.onWait);
    const first = etcd === undefined ? openSqliteBackend({ path: directory.storeFile }) : openEtcdBackend({ client: etcd.client, clock, log });
    const backend = createSwitchableBackend(first);
    const store = await createStore({ backend, clock });
    if (!options.isNew && store.view.count('cluster') === 0) {
      await store.close();
      throw new AppError('dataLoss', STORE_EMPTY);
    }
    return {
      store,
      etcd: () => etcd,
      inEtcd: arrival.promise,
      async moveToEtcd() {
        if (etcd !== undefined) return etcd;
        moving ??= move(options, store, (open) => backend.switchTo(open)).finally(() => {
          moving = undefined;
        });
        etcd = await moving;
        arrival.resolve();
        return etcd;
      },
      async close() {
        await moving?.catch(() => {});
        await store.close();
        await etcd?.stop();
      },
    };
  } catch (error) {
    await etcd?.stop();
    throw error;
  }
}

function damagedEtcd(detail: string): AppError {
  return new AppError('dataLoss', `the data of etcd on this manager is damaged (${detail})`);
}

/** Resolves once the member hears of a leader. Rejects when the signal aborts, when the others have removed this member, or with `dataLoss`. */
async function withQuorum(etcd: EtcdProcess, clock: Clock, signal: AbortSignal, onWait?: (trouble: string | undefined) => void): Promise<void> {
  const removal = etcd.removed.then(() => Promise.reject(new AppError('failedPrecondition', REMOVED)));
  const damage = etcd.damaged.then((detail) => Promise.reject(damagedEtcd(detail)));
  for (const end of [removal, damage]) end.catch(() => {});
  const wait = async () => {
    await etcd.answering(signal, Infinity);
    while ((await etcd.client.status()).leaderId === undefined) await clock.sleep(POLL_MS, signal);
  };
  const arrived = new AbortController();
  const tell = async () => {
    for (; !arrived.signal.aborted; await clock.sleep(TELL_MS, arrived.signal)) onWait?.(etcd.trouble());
  };
  tell().catch(() => {});
  await Promise.race([wait(), removal, damage]).finally(() => arrived.abort());
}

async function move(options: ManagerStoreOptions, store: Store, switchTo: (open: () => Promise<ReturnType<typeof openEtcdBackend>>) => Promise<void>) {
  const { member, swarm, sealer, directory, clock, log } = options;
  requireEtcd();
  await options.beforeMove();
  log.info({}, 'the swarm gets a second manager: its store moves to etcd');
  const authority = await etcdAuthority(store, sealer, clock);
  const { request, key } = await createCertificateRequest();
  const { host } = splitHostPort(swarm.advertiseAddr);
  const certificate = await signPeerCertificate(authority, request, { nodeId: swarm.nodeId, clusterId: clusterOf(store).id, host }, clock.now());
  const urls = peerUrls(swarm);
  const settings = { name: swarm.nodeId, ...urls, initialCluster: `${swarm.nodeId}=${urls.peerUrl}`, isNew: true };
  member.prepare(settings, { authority: authority.certificate, certificate, key }, unlockKeyOf(clusterOf(store), sealer) && sealer);
  const etcd = member.start(sealer);
  try {
    await withQuorum(etcd, clock, AbortSignal.timeout(FIRST_START_TIMEOUT_MS));
    await switchTo(async () => {
      const { view } = store;
      const objects = objectKinds.flatMap((kind): readonly StoreObject[] => [...view.list(kind)]);
      await fillEtcd(etcd.client, view.revision, objects);
      const backend = openEtcdBackend({ client: etcd.client, clock, log });
      await backend.load();
      member.confirm();
      return backend;
    });
  } catch (error) {
    await etcd.stop();
    member.erase();
    throw error;
  }
  // What is in there from now on would only be old.
  for (const suffix of ['', '-wal', '-shm']) rmSync(directory.storeFile + suffix, { force: true });
  log.info({}, 'the store is in etcd now');
  return etcd;
}

/** The authority that members of etcd trust, and nobody else; made when it is needed first. */
export async function etcdAuthority(store: Store, sealer: Sealer, clock: Clock): Promise<RootCa> {
  if (clusterOf(store).etcdAuthority === undefined) {
    const made = await createRootCa({ now: clock.now() });
    const sealedKey = sealer.seal(Buffer.from(made.key), sealContexts.etcdKey);
    await store.update('manager', (view) => {
      const cluster = present([...view.list('cluster')][0], 'the cluster object');
      if (cluster.etcdAuthority !== undefined) return { changes: [], result: undefined };
      return { changes: [{ action: 'update', object: { ...cluster, etcdAuthority: { certificate: made.certificate, sealedKey } } }], result: undefined };
    });
  }
  const { certificate, sealedKey } = present(clusterOf(store).etcdAuthority, "etcd's authority");
  return { certificate, key: Buffer.from(sealer.open(sealedKey, sealContexts.etcdKey)).toString() };
}

function clusterOf({ view }: Store): Cluster {
  return present([...view.list('cluster')][0], 'the cluster object');
}
