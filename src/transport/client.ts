// A node's connection to one manager: the same interface as in memory, over gRPC with mutual TLS.
import { checkServerIdentity, type PeerCertificate } from 'node:tls';
import { Client, credentials, Metadata, type ClientDuplexStream } from '@grpc/grpc-js';
import type { ServiceError } from '@grpc/grpc-js';
import { epochOf, epochOfNames } from '#ca/epoch.ts';
import type { Trust } from '#ca/rotation.ts';
import { AppError } from '#lib/errors.ts';
import type { ManagerConnection, TunnelTarget } from '#protocol/messages.ts';
import { fromStatus } from './errors.ts';
import type { Caller, TlsMaterial } from './server.ts';
import {
  type Calls,
  type IssuedCertificate,
  type IssueRequest,
  type JoinManagersRequest,
  type JoinManagersResponse,
  INSTANCE,
  KEEPALIVE_MS,
  KEEPALIVE_TIMEOUT_MS,
  MANAGER_NAME,
  managerService,
  MAX_MESSAGE_BYTES,
  RELAY_NODE,
  RELAY_TARGET,
  TUNNEL_ID,
} from './service.ts';

export interface ManagerClient extends ManagerConnection {
  readonly address: string;
  /** Resolves once the connection stands. Rejects with AppError `unavailable` when it does not within `timeoutMs`. */
  connected(timeoutMs: number): Promise<void>;
  issueCertificate(request: IssueRequest): Promise<IssuedCertificate>;
  /** The root that the manager says is the swarm's. */
  rootCertificate(): Promise<string>;
  /** What the swarm trusts, now and whenever it changes, until the signal aborts. */
  followTrust(signal: AbortSignal): AsyncIterable<Trust>;
  /** Asks for what a manager needs to know. Rejects with `unavailable` while another node is becoming one. */
  joinManagers(request: JoinManagersRequest): Promise<JoinManagersResponse>;
  /** Rejects with `unavailable` until this node has caught up with the other managers. */
  confirmManager(): Promise<void>;
  /** Says that this node leaves the swarm. */
  leave(): Promise<void>;
  /** Has this manager, which leads, ask a node for a tunnel to the caller. */
  askTunnel(nodeId: string, id: string, to: TunnelTarget): Promise<void>;
  /** A tunnel to the engine of a node, or to what else is asked for, through this manager, which leads. */
  openRelay(nodeId: string, to: TunnelTarget): ClientDuplexStream<Buffer, Buffer>;
  /** Opens the node's end of a tunnel that the manager asked for. */
  openTunnel(id: string): ClientDuplexStream<Buffer, Buffer>;
  close(): void;
}

/** How long a call may take before the manager counts as gone; SwarmKit's agents wait as long. */
const CALL_TIMEOUT_MS = 5_000;
/** A certificate may wait for a signature on a busy manager. */
const ISSUE_TIMEOUT_MS = 20_000;

const channelOptions = {
  'grpc.ssl_target_name_override': MANAGER_NAME,
  'grpc.default_authority': MANAGER_NAME,
  'grpc.max_receive_message_length': MAX_MESSAGE_BYTES,
  'grpc.max_send_message_length': MAX_MESSAGE_BYTES,
  'grpc.keepalive_time_ms': KEEPALIVE_MS,
  'grpc.keepalive_timeout_ms': KEEPALIVE_TIMEOUT_MS,
  'grpc.keepalive_permit_without_calls': 1,
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 2_000,
  'grpc.enable_retries': 0,
  'grpc.use_local_subchannel_pool': 1,
};

/** `self` is said when a session is opened. `tls` without certificate and key is a node that joins: it may only ask for a certificate. Without roots nothing that it hears may be believed. */
export function createManagerClient(address: string, tls: Partial<TlsMaterial>, self: Caller = {}): ManagerClient {
  const { roots, key, certificate } = tls;
  const [clientKey, chain] = key === undefined || certificate === undefined ? [null, null] : [Buffer.from(key), Buffer.from(certificate)];
  const verify = roots === undefined ? { rejectUnauthorized: false, checkServerIdentity: () => undefined } : { checkServerIdentity: epochCheck(certificate) };
  const client = new Client(address, credentials.createSsl(roots === undefined ? null : Buffer.from(roots), clientKey, chain, verify), channelOptions);

  function unary<K extends keyof Calls>(name: K, request: Calls[K]['request'], timeoutMs = CALL_TIMEOUT_MS): Promise<Calls[K]['response']> {
    const { path, requestSerialize, responseDeserialize } = managerService[name];
    return new Promise((resolve, reject) => {
      const options = { deadline: Date.now() + timeoutMs };
      client.makeUnaryRequest(
        path,
        requestSerialize,
        responseDeserialize,
        request,
        new Metadata(),
        options,
        (error: ServiceError | null, response: unknown) => {
          if (error === null) resolve(response as Calls[K]['response']);
          else reject(fromStatus(error));
        },
      );
    });
  }

  async function* stream<K extends 'session' | 'trust'>(name: K, request: Calls[K]['request'], signal: AbortSignal): AsyncGenerator<Calls[K]['response']> {
    const { path, requestSerialize, responseDeserialize } = managerService[name];
    const call = client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, request, metadataOf(self));
    const cancel = () => call.cancel();
    signal.addEventListener('abort', cancel, { once: true });
    if (signal.aborted) cancel();
    try {
      for await (const message of call) yield message as Calls[K]['response'];
    } catch (error) {
      if (signal.aborted) return;
      throw fromStatus(error as ServiceError);
    } finally {
      signal.removeEventListener('abort', cancel);
      call.cancel();
    }
  }

  return {
    address,
    openSession: (description, signal) => stream('session', { description }, signal),
    followTrust: (signal) => stream('trust', {}, signal),
    async leave() {
      await unary('leave', {});
    },
    rootCertificate: async () => (await unary('rootCertificate', {})).certificate,
    async reportStatus(sessionId, updates) {
      await unary('reportStatus', { sessionId, updates });
    },
    async reportDescription(sessionId, description) {
      await unary('reportDescription', { sessionId, description });
    },
    async reportNetworkApplied(sessionId, version) {
      await unary('reportNetworkApplied', { sessionId, version });
    },
    async heartbeat(sessionId) {
      await unary('heartbeat', { sessionId });
    },
    connected: (timeoutMs) =>
      new Promise((resolve, reject) => {
        client.waitForReady(Date.now() + timeoutMs, (error) => {
          if (error === undefined) resolve();
          else reject(new AppError('unavailable', `cannot reach the manager at ${address}`, { cause: error }));
        });
      }),
    issueCertificate: (request) => unary('issueCertificate', request, ISSUE_TIMEOUT_MS),
    joinManagers: (request) => unary('joinManagers', request, ISSUE_TIMEOUT_MS),
    async confirmManager() {
      await unary('confirmManager', {});
    },
    async askTunnel(nodeId, id, to) {
      await unary('askTunnel', { nodeId, id, to });
    },
    openRelay: (nodeId, to) => openStream(client, 'relay', { [RELAY_NODE]: nodeId, [RELAY_TARGET]: to }),
    openTunnel: (id) => openStream(client, 'tunnel', { [TUNNEL_ID]: id }),
    close: () => client.close(),
  };
}

/** A manager of an earlier epoch than this node's is one that the swarm has left behind. */
function epochCheck(certificate: string | undefined) {
  const own = certificate === undefined ? 0 : epochOf(certificate);
  return (name: string, peer: PeerCertificate): Error | undefined => {
    const problem = checkServerIdentity(name, peer);
    if (problem !== undefined || epochOfNames(peer.subjectaltname) >= own) return problem;
    return new Error('this manager belongs to an earlier epoch of the swarm');
  };
}

function metadataOf({ instance }: Caller): Metadata {
  const metadata = new Metadata();
  if (instance !== undefined) metadata.set(INSTANCE, instance);
  return metadata;
}

function openStream(client: Client, name: 'relay' | 'tunnel', values: Readonly<Record<string, string>>): ClientDuplexStream<Buffer, Buffer> {
  const { path, requestSerialize, responseDeserialize } = managerService[name];
  const metadata = new Metadata();
  for (const [key, value] of Object.entries(values)) metadata.set(key, value);
  return client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize, metadata) as ClientDuplexStream<Buffer, Buffer>;
}
