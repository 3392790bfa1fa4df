// A node that is a manager, and a worker too: store, control loops, dispatcher, the managers' port, and an agent, started and stopped together.
// Composition and order only.
import { createAgent } from '#agent/agent.ts';
import { nextEpoch } from '#ca/epoch.ts';
import { createExternalSigner } from '#ca/external.ts';
import { createCertificateRequest } from '#ca/node-certificate.ts';
import { trustOf } from '#ca/rotation.ts';
import type { InitRequest } from '#control/control.ts';
import type { Change } from '#domain/view.ts';
import { createFileAgentState } from '#engine/agent-state.ts';
import type { Clock } from '#lib/clock.ts';
import { present } from '#lib/assert.ts';
import { AppError, errorMessage } from '#lib/errors.ts';
import { newId } from '#lib/id.ts';
import type { Logger } from '#lib/log.ts';
import { OLDEST_LEVEL, ownLevel } from '#protocol/level.ts';
import type { ManagerConnection } from '#protocol/messages.ts';
import { createSealer } from '#store/seal.ts';
import type { Store } from '#store/store.ts';
import { type ManagerServer, startManagerServer, type TlsMaterial } from '#transport/server.ts';
import { splitHostPort } from './addresses.ts';
import { createCertificateSigner } from './certificate-signer.ts';
import { createDataKeyKeeper, writeDataKey } from './data-key.ts';
import { createEtcdMember } from './etcd-member.ts';
import { foundSwarm } from './found-swarm.ts';
import { keepIdentityLocked, writeIdentity } from './identity.ts';
import { managerHandlers } from './manager-handlers.ts';
import { createManagerParts, type ManagerParts } from './manager-parts.ts';
import { type ManagerStore, openManagerStore } from './manager-store.ts';
import { NO_LEADER } from './membership-texts.ts';
import { createGoneTasks } from './gone-tasks.ts';
import { createNodeEngines, type NodeEngines } from './node-engines.ts';
import { createNodeTunnels } from './node-tunnels.ts';
import { type ManagerStart, type NodeFactoryOptions, type NodeRuntime, superviseParts } from './node-runtime.ts';
import { createRemoteManagers, type KnownManager, type RemoteManagers } from './remote-managers.ts';
import { findGoneContainer } from './gone-containers.ts';
import { formerManagers } from './restored-state.ts';
import type { SwarmFile } from './state-directory.ts';
import { admitsEpoch, tellFormerManagers } from './superseded.ts';
import { mendStore } from './mend.ts';
import { nodeReady } from './node-ready.ts';
import { logsOfTasks } from './task-logs.ts';
import { askAny } from './worker-node.ts';

/** How long a manager that leaves waits for the others to go on without it. */
const RESIGN_TIMEOUT_MS = 10_000;

export async function startManagerNode(options: NodeFactoryOptions, start: ManagerStart): Promise<NodeRuntime> {
  const { directory, clock, log } = options;
  const { swarm, dataKey, joined, forceNewCluster = false, signal, onWait } = start;
  const member = createEtcdMember({ stateDirectory: directory.path, clock, log });
  let parts: ManagerParts | undefined;
  const more = {
    beforeMove: async () => parts?.backups.snapshots.take('before-etcd'),
    isNew: start.founding !== undefined,
    forceNewCluster,
    ...(joined === undefined ? {} : { joined }),
    ...(signal === undefined ? {} : { signal }),
    ...(onWait === undefined ? {} : { onWait }),
  };
  const managerStore = await openManagerStore({ directory, member, swarm, sealer: createSealer(dataKey), clock, log, ...more });
  try {
    assertLevel(managerStore.store, options.level ?? ownLevel());
    if (start.founding !== undefined) await found(options, start, start.founding, managerStore.store);
    parts = createManagerParts(options, start, managerStore);
    if (forceNewCluster) {
      // The swarm is on its way back, and that comes first.
      await parts.backups.snapshots
        .take('before-force-new-cluster')
        .catch((error: unknown) => log.warn({ error: errorMessage(error) }, 'no snapshot could be taken before the other managers are forgotten'));
      await forgetOtherManagers(managerStore.store, swarm, clock.now());
      // Nobody watches yet: the epoch is another one now.
      parts.keeper.follow(trustOf(parts.cluster()));
    }
    return await runManager(options, start, managerStore, parts);
  } catch (error) {
    await managerStore.close();
    throw error;
  }
}

/** A manager that is older than what is stored could do wrong with it: it does not begin. Its containers go on. */
function assertLevel(store: Store, own: number): void {
  const [cluster] = [...store.view.list('cluster')];
  const level = cluster?.level ?? OLDEST_LEVEL;
  if (level > own)
    throw new AppError(
      'internal',
      `this skepd is older than the swarm's state (level ${level}; it knows up to ${own}): install the version that the other managers run`,
    );
}

/** Fills the empty store and writes this manager's keys; the swarm exists once swarm.json is there. */
async function found(options: NodeFactoryOptions, { swarm, dataKey }: ManagerStart, request: InitRequest, store: Store): Promise<void> {
  const { directory, clock, random, log, externalIdentity } = options;
  const sealer = createSealer(dataKey);
  const { changes, cluster, unlockKey } = await foundSwarm({ request, swarm, sealer, clock, random });
  const certificateRequest = await createCertificateRequest();
  // The first manager has no certificate of its own yet that it could show to an external authority.
  const external = createExternalSigner({ identity: () => externalIdentity?.(), now: () => clock.now(), log });
  const signer = createCertificateSigner({ cluster: () => cluster, sealer, external, clock });
  const subject = { nodeId: swarm.nodeId, role: 'manager' } as const;
  const certificate = await signer.sign(certificateRequest.request, subject, splitHostPort(swarm.advertiseAddr).host);
  writeIdentity(directory.certificateFolder, { roots: cluster.rootCa.certificate, certificate, key: certificateRequest.key }, unlockKey && sealer);
  await store.commit('manager', changes);
  writeDataKey(directory.dataKeyFile, dataKey, unlockKey);
  directory.writeSwarm(swarm);
}

async function runManager(options: NodeFactoryOptions, start: ManagerStart, managerStore: ManagerStore, parts: ManagerParts): Promise<NodeRuntime> {
  const { directory, clock, random, log } = options;
  const { swarm, dataKey } = start;
  const { store, self, keeper, seat, leading, managers, control } = parts;
  const worker = await options.createWorker({ swarm, tls: () => keeper.tlsInfo() });
  const tunnels = createNodeTunnels({ worker, tls: () => keeper.identity(), clock });
  const others = createRemoteManagers({
    directory: directory.path,
    tls: () => keeper.identity(),
    self: { instance: newId(random) },
    onTunnel: (tunnel, client) => tunnels.open(tunnel, client),
    onSession: () => {},
    log,
  });
  const agent = createAgent({
    nodeId: swarm.nodeId,
    connect: () => (seat.isTaken() ? seat.dispatcher().connect(swarm.nodeId, self.host) : connectToLeader(others, leading.leader(), managers())),
    executor: worker.executor,
    dataPlane: worker.dataPlane,
    state: createFileAgentState({ folder: directory.agentFolder, log }),
    clock,
    random,
    log,
  });
  const engines = createNodeEngines({
    stateDirectory: directory.path,
    self: { nodeId: swarm.nodeId, engine: worker.engine, keptLogs: worker.keptLogs },
    leader: () => (seat.isTaken() ? { dispatcher: seat.dispatcher(), at: self.address } : others.current()),
    nameOf: (nodeId) => store.view.get('node', nodeId)?.description?.hostname ?? nodeId,
    clock,
    random,
    log,
  });
  const gone = createGoneTasks();
  const listen = splitHostPort(swarm.listenAddr);
  const handlers = { ...managerHandlers(parts, engines, tunnels), admits: admitsEpoch(parts, start) };
  const server = await startManagerServer({ host: listen.host, port: Number(listen.port), tls: keeper.identity(), log, handlers }).catch(
    async (error: unknown) => {
      // Another program may have the port: what was started for it would stay in the way of the next try.
      engines.close();
      await worker.close();
      throw error;
    },
  );
  keeper.onChange((identity) => {
    server.renew(identity);
    worker.describeAgain();
  });
  const stop = new AbortController();
  const unwatch = followStore(options, start, { managerStore, parts, server, others, engines });
  const running = runAll([leading, agent, keeper, parts.machines, parts.backups.snapshots, ...besides(parts, clock)], stop.signal, log);
  return {
    manager: {
      control,
      backups: parts.backups,
      dataKey,
      trouble: () => managerStore.etcd()?.trouble() ?? (leading.hasQuorum() ? undefined : NO_LEADER),
      resign: () => resign(managerStore, swarm.nodeId, clock),
    },
    managers,
    dnsAddress: worker.dataPlane.dnsAddress,
    ready: () => nodeReady(store, swarm.nodeId, clock),
    engines,
    logs: (wanted, logOptions, signal) => logsOfTasks({ store, engines, gone, clock, log }, { wanted, options: logOptions, signal }),
    goneTask: (id) => gone.find(id),
    goneContainer: (ref, signal) => findGoneContainer({ store, engines, gone, clock, log }, ref, signal),
    sayLeaving: () => sayLeaving(others.list(), swarm.nodeId, keeper.identity(), log),
    async stop() {
      unwatch();
      await server.close();
      engines.close();
      stop.abort();
      await Promise.allSettled(running);
      others.close();
      tunnels.close();
      await worker.close();
      await managerStore.close();
    },
  };
}

/** What a manager does beside that. */
function besides(parts: ManagerParts, clock: Clock): readonly { run(signal: AbortSignal): Promise<void> }[] {
  const { store, log } = parts;
  return [{ run: (signal) => tellFormerManagers({ ...parts, clock }, signal) }, { run: (signal) => mendStore(store, { clock, log }, signal) }];
}

function runAll(parts: readonly { run(signal: AbortSignal): Promise<void> }[], signal: AbortSignal, log: Logger): readonly Promise<void>[] {
  return superviseParts(
    parts.map((part) => part.run(signal)),
    log,
  );
}

interface Followers {
  readonly managerStore: ManagerStore;
  readonly parts: ManagerParts;
  readonly server: ManagerServer;
  readonly others: RemoteManagers;
  readonly engines: NodeEngines;
}

/** Keeps what lies outside the store as the store says. */
function followStore(
  { directory, clock, log }: NodeFactoryOptions,
  { dataKey, emit, onRole, onDamage }: ManagerStart,
  { managerStore, parts, server, others, engines }: Followers,
): () => void {
  const { store, keeper, cluster, sealer, unlockKey, managers } = parts;
  const keepDataKey = createDataKeyKeeper({
    file: directory.dataKeyFile,
    dataKey,
    unlockKey,
    keepLocked(isLocked) {
      keepIdentityLocked(directory.certificateFolder, sealer, isLocked);
      createEtcdMember({ stateDirectory: directory.path, clock, log }).keepLocked(sealer, isLocked);
    },
    onLocked: () => void parts.backups.lockSnapshots(),
    log,
  });
  keepDataKey(true);
  void managerStore.inEtcd.then(() => managerStore.etcd()?.removed).then(() => onRole('worker'));
  void managerStore.inEtcd.then(() => managerStore.etcd()?.damaged).then(onDamage);
  return store.watch((_revision, events) => {
    const isNewCluster = events.some(({ object }) => object.kind === 'cluster');
    keepDataKey(isNewCluster);
    if (isNewCluster) keeper.follow(trustOf(cluster()));
    if (events.some(({ object }) => object.kind === 'node')) others.learn(managers());
    for (const { action, object } of events) {
      if (action !== 'remove' || object.kind !== 'node') continue;
      server.disconnect(object.id);
      engines.forget(object.id);
    }
    emit(events);
  });
}

/** The other managers find out at once, instead of missing this node's heartbeats. */
async function sayLeaving(managers: readonly KnownManager[], selfId: string, identity: TlsMaterial, log: Logger): Promise<void> {
  const others = managers.filter(({ nodeId }) => nodeId !== selfId);
  if (others.length === 0) return;
  await askAny(others, identity, (client) => client.leave()).catch((error: unknown) =>
    log.warn({ error: errorMessage(error) }, 'no manager could be told that this node leaves; they will find it down'),
  );
}

/** They are workers from now on, if they ever come back; users may remove them. */
async function forgetOtherManagers(store: Store, { nodeId: selfId, advertiseAddr }: SwarmFile, now: number): Promise<void> {
  await store.update('manager', (view) => {
    const others = [...view.list('node')].filter(({ id, manager, spec }) => id !== selfId && (manager !== undefined || spec.role === 'manager'));
    const changes = others.map(({ manager: _manager, ...node }): Change => {
      return { action: 'update', object: { ...node, role: 'worker', spec: { ...node.spec, role: 'worker' } } };
    });
    const cluster = present([...view.list('cluster')][0], 'the cluster object');
    const next = { ...cluster, epoch: nextEpoch(cluster.epoch, now), formerManagers: formerManagers([cluster, ...view.list('node')], advertiseAddr) };
    // Alone before and after: there is nobody who could go on with what was.
    return { changes: changes.length === 0 ? [] : [...changes, { action: 'update', object: next }], result: undefined };
  });
}

function connectToLeader(others: RemoteManagers, leader: KnownManager | undefined, managers: readonly KnownManager[]): ManagerConnection {
  others.learn(leader === undefined ? managers : [leader, ...managers.filter(({ nodeId }) => nodeId !== leader.nodeId)]);
  return others.connect();
}

/** As a demotion by a user would: the leader takes this manager out of etcd. */
async function resign(managerStore: ManagerStore, nodeId: string, clock: Clock): Promise<void> {
  const { store } = managerStore;
  const member = managerStore.etcd();
  if (member === undefined) return;
  await store.update('manager', (view) => {
    const node = view.get('node', nodeId);
    if (node === undefined || [...view.list('node')].every(({ id, manager }) => id === nodeId || manager === undefined)) return { changes: [], result: false };
    return { changes: [{ action: 'update', object: { ...node, spec: { ...node.spec, role: 'worker' } } }], result: true };
  });
  const late = new AbortController();
  await Promise.race([member.removed, clock.sleep(RESIGN_TIMEOUT_MS, late.signal).catch(() => {})]);
  late.abort();
}
