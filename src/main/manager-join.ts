// How a node becomes one of the managers, on its own side: it asks a manager, starts its member of etcd as a learner, and waits until it is a voter.
import { createServer } from 'node:net';
import { createCertificateRequest } from '#ca/node-certificate.ts';
import type { EtcdProcess } from '#etcd/process.ts';
import { requireEtcd } from '#etcd/binary.ts';
import type { Clock } from '#lib/clock.ts';
import { AppError, errorMessage } from '#lib/errors.ts';
import type { Logger } from '#lib/log.ts';
import { createSealer } from '#store/seal.ts';
import { createManagerClient } from '#transport/client.ts';
import type { TlsMaterial } from '#transport/server.ts';
import { joinHostPort, splitHostPort } from './addresses.ts';
import { createEtcdMember, peerUrls } from './etcd-member.ts';
import { writeDataKey } from './data-key.ts';
import { assertPeerReachable } from './peer-reachable.ts';
import type { KnownManager } from './remote-managers.ts';
import type { StateDirectory, SwarmFile } from './state-directory.ts';

export interface JoinManagersOptions {
  readonly directory: StateDirectory;
  readonly swarm: SwarmFile;
  /** With a manager's certificate. */
  readonly tls: TlsMaterial;
  readonly managers: readonly KnownManager[];
  readonly signal?: AbortSignal;
  readonly level: number;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Another node may be joining, or etcd may be electing: both are over soon. */
const JOIN_TIMEOUT_MS = 40_000;
const CATCH_UP_TIMEOUT_MS = 120_000;
const RETRY_MS = 250;
const CONNECT_TIMEOUT_MS = 2_000;

/** Resolves when this node's member votes. Rejects with AppError, and leaves nothing here, when it cannot be had. */
export async function joinManagers(options: JoinManagersOptions): Promise<{ readonly dataKey: Uint8Array; readonly etcd: EtcdProcess }> {
  requireEtcd();
  const { directory, swarm, tls, level, clock, log, signal = new AbortController().signal } = options;
  await assertPortsAreFree(swarm);
  const member = createEtcdMember({ stateDirectory: directory.path, clock, log });
  const { request, key } = await createCertificateRequest();
  const client = await firstManager(options);
  let etcd: EtcdProcess | undefined;
  let isPrepared = false;
  try {
    await assertPeerReachable(client.address, 'the manager');
    const { dataKey, unlockKey, authority, certificate, initialCluster } = await retry(clock, JOIN_TIMEOUT_MS, signal, () =>
      client.joinManagers({ request, advertiseAddr: swarm.advertiseAddr, level }),
    );
    const sealer = createSealer(dataKey);
    // From here on they have forgotten whatever this node had of etcd.
    isPrepared = true;
    member.prepare(
      { name: swarm.nodeId, ...peerUrls(swarm), initialCluster, isNew: false },
      { authority, certificate, key },
      unlockKey === undefined ? undefined : sealer,
    );
    etcd = member.start(sealer);
    await etcd.answering(signal);
    await retry(clock, CATCH_UP_TIMEOUT_MS, signal, () => client.confirmManager());
    member.confirm();
    writeDataKey(directory.dataKeyFile, dataKey, unlockKey);
    return { dataKey, etcd };
  } catch (error) {
    log.error({ error: errorMessage(error), manager: client.address, tls: tls.roots.length > 0 }, 'this node could not become a manager');
    await etcd?.stop();
    if (isPrepared) member.erase();
    throw error;
  } finally {
    client.close();
  }
}

/** A manager that votes and then cannot serve would cost the others their quorum: it is found out before. */
async function assertPortsAreFree(swarm: SwarmFile): Promise<void> {
  const { hostname, port } = new URL(peerUrls(swarm).listenPeerUrl);
  const { host, port: swarmPort = '2377' } = splitHostPort(swarm.listenAddr);
  for (const [address, number] of [
    [host, Number(swarmPort)],
    [hostname.replace(/^\[|\]$/g, ''), Number(port)],
  ] as const) {
    await new Promise<void>((resolve, reject) => {
      const server = createServer();
      server.once('error', (cause) => {
        reject(
          new AppError('failedPrecondition', `a manager listens on ${joinHostPort(address, String(number))}, which it cannot here: ${errorMessage(cause)}`, {
            cause,
          }),
        );
      });
      server.listen({ host: address, port: number }, () => server.close(() => resolve()));
    });
  }
}

async function firstManager({ managers, tls, swarm }: JoinManagersOptions) {
  let failure: unknown = new AppError('unavailable', 'no manager of the swarm is known');
  for (const { nodeId, address } of managers) {
    if (nodeId === swarm.nodeId) continue;
    const client = createManagerClient(address, tls);
    try {
      await client.connected(CONNECT_TIMEOUT_MS);
      return client;
    } catch (error) {
      failure = error;
      client.close();
    }
  }
  throw failure;
}

/** Repeats what is unavailable for now. */
async function retry<T>(clock: Clock, timeoutMs: number, signal: AbortSignal, ask: () => Promise<T>): Promise<T> {
  const deadline = clock.elapsed() + timeoutMs;
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (!(error instanceof AppError) || error.code !== 'unavailable' || clock.elapsed() > deadline) throw error;
    }
    await clock.sleep(RETRY_MS, signal);
  }
}
