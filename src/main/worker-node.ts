// A node that is a worker only: an agent with its executor and data plane, connected to the managers over the network.
import { createAgent } from '#agent/agent.ts';
import { createFileAgentState } from '#engine/agent-state.ts';
import { AppError, errorMessage } from '#lib/errors.ts';
import { newId } from '#lib/id.ts';
import { ownLevel } from '#protocol/level.ts';
import { createManagerClient, type ManagerClient } from '#transport/client.ts';
import type { TlsMaterial } from '#transport/server.ts';
import { createCertificateKeeper, type CertificateKeeper } from './certificate-keeper.ts';
import { passTrust } from './follow-trust.ts';
import { JOIN_TIMEOUT } from './membership-texts.ts';
import { createNodeTunnels } from './node-tunnels.ts';
import { type NodeFactoryOptions, type NodeRuntime, superviseParts, WORKER_TEXT, type WorkerStart } from './node-runtime.ts';
import { createRemoteManagers, type KnownManager } from './remote-managers.ts';
import { createSessionTrouble } from './session-trouble.ts';

/** How long a join waits for its first session; Docker's own limit. */
const READY_TIMEOUT_MS = 20_000;
/** How long a manager may take to be reached. */
const CONNECT_TIMEOUT_MS = 3_000;
/** Between the questions of a removed node whether it is a member again; less than an agent waits for a session. */
const REMOVED_PAUSE_MS = 4_000;

export async function startWorkerNode(options: NodeFactoryOptions, { swarm, onRole }: WorkerStart): Promise<NodeRuntime> {
  const { directory, clock, random, log, level = ownLevel() } = options;
  const keeper: CertificateKeeper = createCertificateKeeper({
    folder: directory.certificateFolder,
    issue: async (request) =>
      (await askAny(managers.list(), keeper.identity(), (client) => client.issueCertificate({ request, now: clock.now(), level }))).certificate,
    clock,
    random,
    log,
  });
  const managers = createRemoteManagers({
    directory: directory.path,
    tls: () => keeper.identity(),
    self: { instance: newId(random) },
    onTunnel: (tunnel, client) => tunnels.open(tunnel, client),
    onSession: (client, signal) => void passTrust(client, (trust) => keeper.follow(trust), { clock, log }, signal),
    log,
  });
  const worker = await options.createWorker({ swarm, tls: () => keeper.tlsInfo() });
  const tunnels = createNodeTunnels({ worker, tls: () => keeper.identity(), clock });
  keeper.onChange(() => worker.describeAgain());
  let removal: string | undefined;
  const trouble = createSessionTrouble({ managers: () => managers.list(), tls: () => keeper.identity(), clock, log });
  const firstSession = Promise.withResolvers<void>();
  const agent = createAgent({
    nodeId: swarm.nodeId,
    connect() {
      const connection = managers.connect();
      return {
        ...connection,
        async *openSession(description, signal) {
          try {
            for await (const message of connection.openSession(description, signal)) {
              firstSession.resolve();
              removal = undefined;
              trouble.over();
              if (message.kind === 'role') onRole(message.role);
              else yield message;
            }
          } catch (error) {
            if (!(error instanceof AppError) || error.code !== 'permissionDenied') {
              if (!signal.aborted) trouble.failed(error);
              throw error;
            }
            if (removal === undefined) log.error({ error: error.message }, 'the managers removed this node: its tasks are stopped; use "docker swarm leave"');
            removal = error.message;
            // Others run its tasks by now.
            yield { kind: 'complete', assignments: { tasks: [], secrets: [], configs: [] } };
            await clock.sleep(REMOVED_PAUSE_MS, signal);
            throw error;
          }
        },
      };
    },
    executor: worker.executor,
    dataPlane: worker.dataPlane,
    state: createFileAgentState({ folder: directory.agentFolder, log }),
    clock,
    random,
    log,
  });
  const stop = new AbortController();
  const parts = superviseParts([agent.run(stop.signal), keeper.run(stop.signal)], log);
  return {
    dnsAddress: worker.dataPlane.dnsAddress,
    managers: () => managers.list(),
    async ready() {
      const timeout = new AbortController();
      const late = clock.sleep(READY_TIMEOUT_MS, timeout.signal).then(() => Promise.reject(new AppError('deadlineExceeded', JOIN_TIMEOUT)));
      late.catch(() => {});
      await Promise.race([firstSession.promise, late]).finally(() => timeout.abort());
    },
    problem: () => removal,
    trouble: () => trouble.text(),
    async sayLeaving() {
      if (removal !== undefined) return;
      await askAny(managers.list(), keeper.identity(), (client) => client.leave()).catch((error: unknown) =>
        log.warn({ error: errorMessage(error) }, 'no manager could be told that this node leaves; they will find it down'),
      );
    },
    logs() {
      throw new AppError('unavailable', WORKER_TEXT);
    },
    async stop() {
      stop.abort();
      await Promise.allSettled(parts);
      managers.close();
      tunnels.close();
      await worker.close();
    },
  };
}

/** The answer of the first manager that gives one; what the last one said when none does. */
export async function askAny<T>(managers: readonly KnownManager[], tls: TlsMaterial, ask: (client: ManagerClient) => Promise<T>): Promise<T> {
  let failure: unknown = new AppError('unavailable', 'no manager of the swarm is known');
  for (const { address } of managers) {
    const client = createManagerClient(address, tls);
    try {
      await client.connected(CONNECT_TIMEOUT_MS);
      return await ask(client);
    } catch (error) {
      failure = error;
    } finally {
      client.close();
    }
  }
  throw failure;
}
