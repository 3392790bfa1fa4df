// A node that is a worker only: an agent with its executor and data plane, connected to the managers over the network.
import { createAgent } from '#agent/agent.ts';
import { createFileAgentState } from '#engine/agent-state.ts';
import { tlsInfoOf } from '#ca/root.ts';
import { AppError } from '#lib/errors.ts';
import type { ManagerClient } from '#transport/client.ts';
import { joinTunnel } from '#transport/tunnel.ts';
import { readIdentity } from './identity.ts';
import { type NodeFactoryOptions, type NodeRuntime, superviseParts, WORKER_TEXT } from './node-runtime.ts';
import { createRemoteManagers } from './remote-managers.ts';
import type { Worker } from './worker.ts';
import type { SwarmFile } from './state-directory.ts';

/** How long a join waits for its first session; Docker's own limit. */
const READY_TIMEOUT_MS = 20_000;
const JOIN_TIMEOUT =
  'Timeout was reached before node joined. The attempt to join the swarm will continue in the background. Use the "docker info" command to see the current swarm status of your node.';

export async function startWorkerNode(options: NodeFactoryOptions, swarm: SwarmFile): Promise<NodeRuntime> {
  const { directory, clock, random, log } = options;
  const identity = readIdentity(directory.certificateFolder);
  const worker = await options.createWorker({ swarm, tls: tlsInfoOf(identity.roots) });
  const managers = createRemoteManagers({ directory: directory.path, tls: () => identity, onTunnel: (id, client) => answerTunnel(worker, id, client) });
  const firstSession = Promise.withResolvers<void>();
  const agent = createAgent({
    nodeId: swarm.nodeId,
    connect() {
      const connection = managers.connect();
      return {
        ...connection,
        async *openSession(description, signal) {
          for await (const message of connection.openSession(description, signal)) {
            firstSession.resolve();
            yield message;
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
  const parts = superviseParts([agent.run(stop.signal)], log);
  return {
    dnsAddress: worker.dataPlane.dnsAddress,
    managers: managers.list,
    async ready() {
      const timeout = new AbortController();
      const late = clock.sleep(READY_TIMEOUT_MS, timeout.signal).then(() => Promise.reject(new AppError('deadlineExceeded', JOIN_TIMEOUT)));
      late.catch(() => {});
      await Promise.race([firstSession.promise, late]).finally(() => timeout.abort());
    },
    logs() {
      throw new AppError('unavailable', WORKER_TEXT);
    },
    async stop() {
      stop.abort();
      await Promise.allSettled(parts);
      managers.close();
      await worker.close();
    },
  };
}

/** Opens the tunnel that a manager asked for, to this node's engine. */
export function answerTunnel(worker: Worker, id: string, client: ManagerClient): void {
  const socket = worker.dialEngine();
  const call = client.openTunnel(id);
  joinTunnel(call, socket, () => call.cancel());
}
