// Everything that runs in this process while the node is an active member: store, manager and agent, started and stopped together.
// Composition and order only.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { createAgent } from '#agent/agent.ts';
import { createCertificateRequest, signCertificateRequest } from '#ca/node-certificate.ts';
import { tlsInfoOf } from '#ca/root.ts';
import type { Control, InitRequest, LogChunk, LogOptions } from '#control/control.ts';
import { createControl } from '#control/create-control.ts';
import { nodeCertExpiryNsOf } from '#domain/defaults.ts';
import type { Cluster } from '#domain/objects.ts';
import type { StoreEvent } from '#domain/view.ts';
import { present } from '#lib/assert.ts';
import type { Clock, Random } from '#lib/clock.ts';
import { errorMessage } from '#lib/errors.ts';
import type { Logger } from '#lib/log.ts';
import { createManager } from '#manager/manager.ts';
import { writeFileAtomically } from '#platform/files.ts';
import { createStore } from '#store/create-store.ts';
import { sealContexts } from '#store/seal-contexts.ts';
import type { Sealer } from '#store/seal.ts';
import { openSqliteBackend } from '#store/sqlite/backend.ts';
import type { Store } from '#store/store.ts';
import { splitHostPort } from './addresses.ts';
import { createFileAgentState } from '#engine/agent-state.ts';
import { writeDataKey } from './data-key.ts';
import { followLogs } from './follow-logs.ts';
import { foundSwarm } from './found-swarm.ts';
import type { StateDirectory, SwarmFile } from './state-directory.ts';
import type { Worker, WorkerFactory } from './worker.ts';

export interface StartOptions {
  readonly swarm: SwarmFile;
  readonly dataKey: Uint8Array;
  readonly sealer: Sealer;
  /** Gets the events of every commit. */
  readonly emit: (events: readonly StoreEvent[]) => void;
  /** Given when the swarm is new. */
  readonly founding?: InitRequest;
}

export interface NodeRuntime {
  readonly control: Control;
  readonly dataKey: Uint8Array;
  readonly dnsAddress: string;
  /** Resolves when the node takes tasks, or when waiting for that makes no sense any more. */
  ready(): Promise<void>;
  logs(taskIds: () => readonly string[], options: LogOptions, signal: AbortSignal): AsyncIterable<LogChunk>;
  /** Stops what runs in this process. Containers and the node's network go on. */
  stop(): Promise<void>;
}

export interface NodeFactory {
  start(options: StartOptions): Promise<NodeRuntime>;
  /** Removes every container, network and rule of the swarm from this node. */
  removeAll(swarm: SwarmFile): Promise<void>;
}

export interface NodeFactoryOptions {
  readonly directory: StateDirectory;
  readonly createWorker: WorkerFactory;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

/** As long as Docker's own `swarm init` waits. */
const READY_TIMEOUT_MS = 20_000;

export function createNodeFactory(options: NodeFactoryOptions): NodeFactory {
  return {
    start: (start) => startNode(options, start),
    async removeAll(swarm) {
      const worker = await options.createWorker({ swarm });
      await worker.removeAll(new AbortController().signal);
    },
  };
}

async function startNode(options: NodeFactoryOptions, start: StartOptions): Promise<NodeRuntime> {
  const { directory, clock } = options;
  const store = await createStore({ backend: openSqliteBackend({ path: directory.storeFile }), clock });
  try {
    if (start.founding !== undefined) await found(options, start, start.founding, store);
    return await run(options, start, store);
  } catch (error) {
    await store.close();
    throw error;
  }
}

/** Fills the empty store and writes this manager's keys; the swarm exists once swarm.json is there. */
async function found(
  { directory, clock, random }: NodeFactoryOptions,
  { swarm, dataKey, sealer }: StartOptions,
  request: InitRequest,
  store: Store,
): Promise<void> {
  const { changes, clusterId, root, unlockKey } = await foundSwarm({ request, swarm, sealer, clock, random });
  const certificateRequest = await createCertificateRequest();
  const certificate = await signCertificateRequest(
    root,
    certificateRequest.request,
    { nodeId: swarm.nodeId, role: 'manager', clusterId },
    { now: clock.now(), expiryMs: nodeCertExpiryNsOf(request.spec) / 1e6, hosts: [splitHostPort(swarm.advertiseAddr).host] },
  );
  mkdirSync(directory.certificateFolder, { recursive: true, mode: 0o700 });
  writeFileAtomically(join(directory.certificateFolder, 'root.crt'), root.certificate);
  writeFileAtomically(join(directory.certificateFolder, 'node.crt'), certificate);
  writeFileAtomically(join(directory.certificateFolder, 'node.key'), certificateRequest.key);
  await store.commit('manager', changes);
  writeDataKey(directory.dataKeyFile, dataKey, unlockKey);
  directory.writeSwarm(swarm);
}

async function run(options: NodeFactoryOptions, start: StartOptions, store: Store): Promise<NodeRuntime> {
  const { directory, clock, random, log } = options;
  const { swarm, sealer, dataKey, emit } = start;
  const cluster = () => present([...store.view.list('cluster')][0], 'the cluster object');
  const worker = await options.createWorker({ swarm, tls: tlsInfoOf(cluster().rootCa.certificate) });
  const control = createControl({ store, clock, random, sealer, log, nodeId: swarm.nodeId });
  const manager = createManager({
    store,
    clock,
    random,
    log,
    managers: () => [{ nodeId: swarm.nodeId, address: swarm.advertiseAddr }],
    sealed: {
      secretData: ({ id, spec }) => sealer.open(spec.data ?? '', sealContexts.secret(id)),
      registryAuth: (sealed) => Buffer.from(sealer.open(sealed, sealContexts.registryAuth)).toString(),
    },
  });
  const agent = createAgent({
    nodeId: swarm.nodeId,
    connect: () => manager.dispatcher.connect(swarm.nodeId, splitHostPort(swarm.advertiseAddr).host),
    executor: worker.executor,
    dataPlane: worker.dataPlane,
    state: createFileAgentState({ folder: directory.agentFolder, log }),
    clock,
    random,
    log,
  });
  const stop = new AbortController();
  const keepDataKey = () => writeDataKey(directory.dataKeyFile, dataKey, unlockKeyOf(cluster(), sealer));
  keepDataKey();
  const unwatch = store.watch((_revision, events) => {
    if (events.some(({ object }) => object.kind === 'cluster')) keepDataKey();
    emit(events);
  });
  const parts = [manager.run(stop.signal), agent.run(stop.signal)];
  for (const part of parts)
    part.catch((error: unknown) =>
      log.error({ error: errorMessage(error), stack: error instanceof Error ? error.stack : undefined }, 'a part of the node ended'),
    );
  return {
    control,
    dataKey,
    dnsAddress: worker.dataPlane.dnsAddress,
    ready: () => nodeReady(store, swarm.nodeId, clock),
    logs: (taskIds, logOptions, signal) => taskLogs(store, worker, { taskIds, logOptions, signal }),
    async stop() {
      unwatch();
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

interface LogRequest {
  readonly taskIds: () => readonly string[];
  readonly logOptions: LogOptions;
  readonly signal: AbortSignal;
}

function taskLogs(store: Store, worker: Worker, { taskIds, logOptions, signal }: LogRequest): AsyncIterable<LogChunk> {
  return followLogs<LogChunk>({
    taskIds: () => taskIds().filter((id) => hasContainer(store, id)),
    open: (taskId, readSignal) => worker.logs(present(store.view.get('task', taskId), `task ${taskId}`), logOptions, readSignal),
    follow: logOptions.follow,
    onChange: (listener) => store.watch((_revision, events) => events.some(({ object }) => object.kind === 'task') && listener()),
    signal,
  });
}

function hasContainer(store: Store, taskId: string): boolean {
  return store.view.get('task', taskId)?.status.container !== undefined;
}
