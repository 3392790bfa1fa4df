// A node that is a manager, and a worker too: store, control loops, dispatcher, the managers' port, and an agent, started and stopped together.
// Composition and order only.
import { createAgent } from '#agent/agent.ts';
import { createCertificateRequest, signCertificateRequest } from '#ca/node-certificate.ts';
import { trustOf } from '#ca/rotation.ts';
import type { InitRequest } from '#control/control.ts';
import { createControl } from '#control/create-control.ts';
import { nodeCertExpiryNsOf } from '#domain/defaults.ts';
import type { Cluster, Secret } from '#domain/objects.ts';
import type { Change } from '#domain/view.ts';
import { createFileAgentState } from '#engine/agent-state.ts';
import { present } from '#lib/assert.ts';
import type { Clock } from '#lib/clock.ts';
import type { ManagerConnection } from '#protocol/messages.ts';
import { sealContexts } from '#store/seal-contexts.ts';
import { createSealer, type Sealer } from '#store/seal.ts';
import type { Store } from '#store/store.ts';
import { startManagerServer } from '#transport/server.ts';
import { splitHostPort } from './addresses.ts';
import { createAdmission } from './admission.ts';
import { createEtcdMember } from './etcd-member.ts';
import { createLeading } from './leading.ts';
import { createManagerAdmission } from './manager-admission.ts';
import { type ManagerStore, NO_LEADER, openManagerStore } from './manager-store.ts';
import { createRemoteManagers, type KnownManager, type RemoteManagers } from './remote-managers.ts';
import { withRoleNews } from './role-news.ts';
import { createSeat } from './seat.ts';
import { answerTunnel } from './worker-node.ts';
import { createCertificateKeeper } from './certificate-keeper.ts';
import { writeDataKey } from './data-key.ts';
import { foundSwarm } from './found-swarm.ts';
import { followTrust } from './follow-trust.ts';
import { writeIdentity } from './identity.ts';
import { type ManagerStart, type NodeFactoryOptions, type NodeRuntime, superviseParts } from './node-runtime.ts';
import { createNodeEngines } from './node-engines.ts';
import { logsOfTasks } from './task-logs.ts';

/** How long a manager that leaves waits for the others to go on without it. */
const RESIGN_TIMEOUT_MS = 10_000;
/** As long as Docker's own `swarm init` waits. */
const READY_TIMEOUT_MS = 20_000;

export async function startManagerNode(options: NodeFactoryOptions, start: ManagerStart): Promise<NodeRuntime> {
  const { directory, clock, log } = options;
  const { swarm, dataKey, joined, forceNewCluster = false, signal } = start;
  const member = createEtcdMember({ stateDirectory: directory.path, clock, log });
  const more = { forceNewCluster, ...(joined === undefined ? {} : { joined }), ...(signal === undefined ? {} : { signal }) };
  const managerStore = await openManagerStore({ directory, member, swarm, sealer: createSealer(dataKey), clock, log, ...more });
  try {
    if (start.founding !== undefined) await found(options, start, start.founding, managerStore.store);
    if (forceNewCluster) await forgetOtherManagers(managerStore.store, swarm.nodeId);
    return await runManager(options, start, managerStore);
  } catch (error) {
    await managerStore.close();
    throw error;
  }
}

/** Fills the empty store and writes this manager's keys; the swarm exists once swarm.json is there. */
async function found({ directory, clock, random }: NodeFactoryOptions, { swarm, dataKey }: ManagerStart, request: InitRequest, store: Store): Promise<void> {
  const { changes, clusterId, root, unlockKey } = await foundSwarm({ request, swarm, sealer: createSealer(dataKey), clock, random });
  const certificateRequest = await createCertificateRequest();
  const certificate = await signCertificateRequest(
    root,
    certificateRequest.request,
    { nodeId: swarm.nodeId, role: 'manager', clusterId },
    { now: clock.now(), expiryMs: nodeCertExpiryNsOf(request.spec) / 1e6, hosts: [splitHostPort(swarm.advertiseAddr).host] },
  );
  writeIdentity(directory.certificateFolder, { roots: root.certificate, certificate, key: certificateRequest.key });
  await store.commit('manager', changes);
  writeDataKey(directory.dataKeyFile, dataKey, unlockKey);
  directory.writeSwarm(swarm);
}

async function runManager(options: NodeFactoryOptions, start: ManagerStart, managerStore: ManagerStore): Promise<NodeRuntime> {
  const { store } = managerStore;
  const { directory, clock, random, log } = options;
  const { swarm, dataKey, emit } = start;
  const sealer = createSealer(dataKey);
  const cluster = () => present([...store.view.list('cluster')][0], 'the cluster object');
  const { host } = splitHostPort(swarm.advertiseAddr);
  const admission = createAdmission({ store, sealer, clock, random, log });
  const keeper = createCertificateKeeper({
    folder: directory.certificateFolder,
    issue: (request) => admission.renew(request, swarm.nodeId, host),
    clock,
    random,
    log,
  });
  keeper.follow(trustOf(cluster()));
  const worker = await options.createWorker({ swarm, tls: () => keeper.tlsInfo() });
  const self = { nodeId: swarm.nodeId, address: swarm.advertiseAddr };
  const managers = () => knownManagers(store, self);
  const control = createControl({ store, clock, random, sealer, log, nodeId: swarm.nodeId });
  const sealed = {
    secretData: ({ id, spec }: Secret) => sealer.open(spec.data ?? '', sealContexts.secret(id)),
    registryAuth: (text: string) => Buffer.from(sealer.open(text, sealContexts.registryAuth)).toString(),
  };
  const leading = createLeading({ managerStore, seat: () => seat, self, clock, log });
  const seat = createSeat({ store, clock, random, log, managers, sealed }, () => leading.leader()?.address);
  const others = createRemoteManagers({
    directory: directory.path,
    tls: () => keeper.identity(),
    onTunnel: (id, client) => void answerTunnel(worker, id, client),
    onSession: () => {},
  });
  const agent = createAgent({
    nodeId: swarm.nodeId,
    connect: () => (seat.isTaken() ? seat.dispatcher().connect(swarm.nodeId, host) : connectToLeader(others, leading.leader(), managers())),
    executor: worker.executor,
    dataPlane: worker.dataPlane,
    state: createFileAgentState({ folder: directory.agentFolder, log }),
    clock,
    random,
    log,
  });
  const engines = createNodeEngines({
    stateDirectory: directory.path,
    self: { nodeId: swarm.nodeId, engine: worker.engine },
    requestTunnel: (nodeId, id) => seat.dispatcher().requestTunnel(nodeId, id),
    clock,
    random,
    log,
  });
  const unlockKey = () => unlockKeyOf(cluster(), sealer);
  const managerAdmission = createManagerAdmission({ managerStore, sealer, dataKey, unlockKey, clock, log });
  const listen = splitHostPort(swarm.listenAddr);
  const server = await startManagerServer({
    host: listen.host,
    port: Number(listen.port),
    tls: keeper.identity(),
    log,
    handlers: {
      rootCertificate: () => cluster().rootCa.certificate,
      issueCertificate: (request, peer, address) => admission.issue(request, peer, address),
      connect(peer) {
        admission.check(peer);
        const role = peer.roleName === 'swarm-manager' ? 'manager' : 'worker';
        return withRoleNews(seat.dispatcher().connect(peer.nodeId, peer.address), { store, nodeId: peer.nodeId, role });
      },
      trust(peer, signal) {
        admission.check(peer);
        return followTrust(store, signal);
      },
      leave(peer) {
        admission.check(peer);
        return seat.dispatcher().leave(peer.nodeId);
      },
      joinManagers: (peer, request) => managerAdmission.join(peer, request),
      confirmManager: (peer) => managerAdmission.confirm(peer),
      tunnel: ({ nodeId }, id, call) => engines.accept(nodeId, id, call),
    },
  });
  keeper.onChange((identity) => {
    server.renew(identity);
    worker.describeAgain();
  });
  const stop = new AbortController();
  const keepDataKey = () => writeDataKey(directory.dataKeyFile, dataKey, unlockKey());
  keepDataKey();
  void managerStore.inEtcd.then(() => managerStore.etcd()?.removed).then(() => start.onRole('worker'));
  const unwatch = store.watch((_revision, events) => {
    if (events.some(({ object }) => object.kind === 'cluster')) {
      keepDataKey();
      keeper.follow(trustOf(cluster()));
    }
    if (events.some(({ object }) => object.kind === 'node')) others.learn(managers());
    for (const { action, object } of events) if (action === 'remove' && object.kind === 'node') server.disconnect(object.id);
    emit(events);
  });
  const parts = superviseParts([leading.run(stop.signal), agent.run(stop.signal), keeper.run(stop.signal)], log);
  return {
    manager: {
      control,
      dataKey,
      trouble: () => (leading.hasQuorum() ? undefined : NO_LEADER),
      resign: () => resign(managerStore, swarm.nodeId, clock),
    },
    managers,
    dnsAddress: worker.dataPlane.dnsAddress,
    ready: () => nodeReady(store, swarm.nodeId, clock),
    engines,
    logs: (taskIds, logOptions, signal) => logsOfTasks({ store, worker, engines, selfId: swarm.nodeId }, { taskIds, options: logOptions, signal }),
    async stop() {
      unwatch();
      await server.close();
      engines.close();
      stop.abort();
      await Promise.allSettled(parts);
      others.close();
      await worker.close();
      await managerStore.close();
    },
  };
}

/** They are workers from now on, if they ever come back; users may remove them. */
async function forgetOtherManagers(store: Store, selfId: string): Promise<void> {
  await store.update('manager', (view) => {
    const others = [...view.list('node')].filter(({ id, manager, spec }) => id !== selfId && (manager !== undefined || spec.role === 'manager'));
    const changes = others.map(({ manager: _, ...node }): Change => {
      return { action: 'update', object: { ...node, role: 'worker', spec: { ...node.spec, role: 'worker' } } };
    });
    return { changes, result: undefined };
  });
}

/** The leader first: agents try them in this order. */
function knownManagers({ view }: Store, self: KnownManager): readonly KnownManager[] {
  const managers = [...view.list('node')].flatMap(({ id, manager }) => (manager === undefined ? [] : [{ nodeId: id, ...manager }]));
  if (managers.length === 0) return [self];
  return managers.sort((a, b) => Number(b.leader) - Number(a.leader)).map(({ nodeId, address }) => ({ nodeId, address }));
}

function connectToLeader(others: RemoteManagers, leader: KnownManager | undefined, managers: readonly KnownManager[]): ManagerConnection {
  others.learn(leader === undefined ? managers : [leader, ...managers.filter(({ nodeId }) => nodeId !== leader.nodeId)]);
  return others.connect();
}

/** As a demotion by a user would: the leader takes this manager out of etcd. */
async function resign({ store, etcd }: ManagerStore, nodeId: string, clock: Clock): Promise<void> {
  const member = etcd();
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

/** The key that locks this manager's data key; undefined while autolock is off. */
function unlockKeyOf({ spec, sealedUnlockKey }: Cluster, sealer: Sealer): Uint8Array | undefined {
  if (!spec.encryption.autoLockManagers || sealedUnlockKey === undefined) return undefined;
  return sealer.open(sealedUnlockKey, sealContexts.unlockKey);
}

function nodeReady(store: Store, nodeId: string, clock: Clock): Promise<void> {
  const isReady = () => store.view.get('node', nodeId)?.status.state === 'ready';
  if (isReady()) return Promise.resolve();
  return new Promise((resolve) => {
    const done = () => {
      unwatch();
      cancel();
      resolve();
    };
    const cancel = clock.schedule(READY_TIMEOUT_MS, done);
    const unwatch = store.watch(() => isReady() && done());
  });
}
