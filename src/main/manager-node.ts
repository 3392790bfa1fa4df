// A node that is a manager, and a worker too: store, control loops, dispatcher, the managers' port, and an agent, started and stopped together.
// Composition and order only.
import { createAgent } from '#agent/agent.ts';
import { createCertificateRequest, signCertificateRequest } from '#ca/node-certificate.ts';
import { trustOf } from '#ca/rotation.ts';
import type { InitRequest } from '#control/control.ts';
import { createControl } from '#control/create-control.ts';
import { nodeCertExpiryNsOf } from '#domain/defaults.ts';
import type { Cluster } from '#domain/objects.ts';
import { createFileAgentState } from '#engine/agent-state.ts';
import { present } from '#lib/assert.ts';
import type { Clock } from '#lib/clock.ts';
import { createManager } from '#manager/manager.ts';
import { createStore } from '#store/create-store.ts';
import { sealContexts } from '#store/seal-contexts.ts';
import { createSealer, type Sealer } from '#store/seal.ts';
import { openSqliteBackend } from '#store/sqlite/backend.ts';
import type { Store } from '#store/store.ts';
import { startManagerServer } from '#transport/server.ts';
import { splitHostPort } from './addresses.ts';
import { createAdmission } from './admission.ts';
import { createCertificateKeeper } from './certificate-keeper.ts';
import { writeDataKey } from './data-key.ts';
import { foundSwarm } from './found-swarm.ts';
import { followTrust } from './follow-trust.ts';
import { writeIdentity } from './identity.ts';
import { type ManagerStart, type NodeFactoryOptions, type NodeRuntime, superviseParts } from './node-runtime.ts';
import { createNodeEngines } from './node-engines.ts';
import { logsOfTasks } from './task-logs.ts';

/** As long as Docker's own `swarm init` waits. */
const READY_TIMEOUT_MS = 20_000;

export async function startManagerNode(options: NodeFactoryOptions, start: ManagerStart): Promise<NodeRuntime> {
  const { directory, clock } = options;
  const store = await createStore({ backend: openSqliteBackend({ path: directory.storeFile }), clock });
  try {
    if (start.founding !== undefined) await found(options, start, start.founding, store);
    return await runManager(options, start, store);
  } catch (error) {
    await store.close();
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

async function runManager(options: NodeFactoryOptions, start: ManagerStart, store: Store): Promise<NodeRuntime> {
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
  const managers = () => [{ nodeId: swarm.nodeId, address: swarm.advertiseAddr }];
  const control = createControl({ store, clock, random, sealer, log, nodeId: swarm.nodeId });
  const manager = createManager({
    store,
    clock,
    random,
    log,
    managers,
    sealed: {
      secretData: ({ id, spec }) => sealer.open(spec.data ?? '', sealContexts.secret(id)),
      registryAuth: (sealed) => Buffer.from(sealer.open(sealed, sealContexts.registryAuth)).toString(),
    },
  });
  const agent = createAgent({
    nodeId: swarm.nodeId,
    connect: () => manager.dispatcher.connect(swarm.nodeId, host),
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
    requestTunnel: (nodeId, id) => manager.dispatcher.requestTunnel(nodeId, id),
    clock,
    random,
    log,
  });
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
        return manager.dispatcher.connect(peer.nodeId, peer.address);
      },
      trust(peer, signal) {
        admission.check(peer);
        return followTrust(store, signal);
      },
      leave(peer) {
        admission.check(peer);
        return manager.dispatcher.leave(peer.nodeId);
      },
      tunnel: ({ nodeId }, id, call) => engines.accept(nodeId, id, call),
    },
  });
  keeper.onChange((identity) => {
    server.renew(identity);
    worker.describeAgain();
  });
  const stop = new AbortController();
  const keepDataKey = () => writeDataKey(directory.dataKeyFile, dataKey, unlockKeyOf(cluster(), sealer));
  keepDataKey();
  const unwatch = store.watch((_revision, events) => {
    if (events.some(({ object }) => object.kind === 'cluster')) {
      keepDataKey();
      keeper.follow(trustOf(cluster()));
    }
    for (const { action, object } of events) if (action === 'remove' && object.kind === 'node') server.disconnect(object.id);
    emit(events);
  });
  const parts = superviseParts([manager.run(stop.signal), agent.run(stop.signal), keeper.run(stop.signal)], log);
  return {
    manager: { control, dataKey },
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
      await worker.close();
      await store.close();
    },
  };
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
