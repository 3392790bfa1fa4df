// The managers' port: TLS 1.3 with the swarm's own root, gRPC on top. A caller with a certificate of the swarm is the node that it names; one without
// may only ask for a certificate. Connections with any other certificate are closed before they can call anything.
import type { X509Certificate } from 'node:crypto';
import type { Socket } from 'node:net';
import { createServer, type Server as TlsServer, type TLSSocket } from 'node:tls';
import { type handleServerStreamingCall, type handleUnaryCall, Server, ServerCredentials, type ServerUnaryCall } from '@grpc/grpc-js';
import type { ServerDuplexStream, ServerWritableStream } from '@grpc/grpc-js';
import { digestOfKey, readSubject } from '#ca/node-certificate.ts';
import { isSignedBy, splitCertificates } from '#ca/root.ts';
import type { Trust } from '#ca/rotation.ts';
import { AppError, errorMessage } from '#lib/errors.ts';
import type { Logger } from '#lib/log.ts';
import type { ManagerConnection, SessionMessage, TunnelTarget } from '#protocol/messages.ts';
import { toStatus } from './errors.ts';
import {
  type Calls,
  type IssuedCertificate,
  type IssueRequest,
  type JoinManagersRequest,
  type JoinManagersResponse,
  KEEPALIVE_MS,
  KEEPALIVE_TIMEOUT_MS,
  managerService,
  MAX_MESSAGE_BYTES,
  RELAY_NODE,
  relayTarget,
  TUNNEL_ID,
} from './service.ts';

/** A node that proved who it is. */
export interface Peer {
  readonly nodeId: string;
  /** OU of its certificate: `swarm-manager` or `swarm-worker`. */
  readonly roleName: string;
  readonly clusterId: string;
  /** Where it calls from; no port. */
  readonly address: string;
  /** SHA-256 of its public key, which it proved to hold. */
  readonly keyDigest: string;
  /** Its certificate was the swarm's, and has expired: it may ask for another one, and for nothing else. */
  readonly isExpired: boolean;
}

export interface ManagerHandlers {
  rootCertificate(): string;
  /** `peer` is undefined for a node that joins. */
  issueCertificate(request: IssueRequest, peer: Peer | undefined, address: string): Promise<IssuedCertificate>;
  /** Throws AppError `permissionDenied` for a node that is no member any more. */
  connect(peer: Peer): ManagerConnection;
  /** What the node must trust and be signed by: now, and whenever that changes. Throws as `connect` does. */
  trust(peer: Peer, signal: AbortSignal): AsyncIterable<Trust>;
  /** The node has a manager's certificate and becomes a manager; then that it has come so far. */
  joinManagers(peer: Peer, request: JoinManagersRequest): Promise<JoinManagersResponse>;
  confirmManager(peer: Peer): Promise<void>;
  /** The node leaves the swarm. */
  leave(peer: Peer): Promise<void>;
  /** The node's end of a tunnel that this manager asked for. */
  tunnel(peer: Peer, id: string, stream: ServerDuplexStream<Buffer, Buffer>): void;
  /** Another manager's tunnel to the engine (or what else `to` says) of a node that has its session here. */
  relay(peer: Peer, node: { readonly nodeId: string; readonly to: TunnelTarget }, stream: ServerDuplexStream<Buffer, Buffer>): Promise<void>;
}

export interface TlsMaterial {
  /** PEM: certificate with its chain, key, and the roots that peers may be signed by. */
  readonly certificate: string;
  readonly key: string;
  readonly roots: string;
}

export interface ManagerServer {
  /** The port that it listens on. */
  readonly port: number;
  /** New connections use these from now on. */
  renew(tls: TlsMaterial): void;
  /** Closes every connection of a node that is no member any more. */
  disconnect(nodeId: string): void;
  close(): Promise<void>;
}

export interface ManagerServerOptions {
  readonly host: string;
  readonly port: number;
  readonly tls: TlsMaterial;
  readonly handlers: ManagerHandlers;
  readonly log: Logger;
}

/** Rejects with AppError `unavailable` when the address cannot be listened on. */
export async function startManagerServer({ host, port, tls, handlers, log }: ManagerServerOptions): Promise<ManagerServer> {
  const rpc = new Server({
    'grpc.max_receive_message_length': MAX_MESSAGE_BYTES,
    'grpc.max_send_message_length': MAX_MESSAGE_BYTES,
    'grpc.keepalive_time_ms': KEEPALIVE_MS,
    'grpc.keepalive_timeout_ms': KEEPALIVE_TIMEOUT_MS,
  });
  // The handshake is ours, because gRPC's own server cannot make client certificates optional; what it gets is a connection that is checked.
  const injector = rpc.createConnectionInjector(ServerCredentials.createInsecure());
  rpc.addService(
    managerService,
    implementation(handlers, (call) => peers.get(call.getPeer())),
  );
  const connections = new Map<TLSSocket, Peer | undefined>();
  const peers = new Map<string, Peer>();
  let { roots } = tls;
  const server = createServer({ ...contextOf(tls), requestCert: true, rejectUnauthorized: false, ALPNProtocols: ['h2'] }, (socket) => {
    const peer = readPeer(socket, roots);
    if (peer === 'foreign') {
      log.warn(
        { address: socket.remoteAddress, error: String(socket.authorizationError) },
        'a connection with a certificate that this swarm did not sign was refused',
      );
      socket.destroy();
      return;
    }
    // gRPC tells a call's connection by these two only.
    const name = `${socket.remoteAddress}:${socket.remotePort}`;
    connections.set(socket, peer);
    if (peer === undefined) peers.delete(name);
    else peers.set(name, peer);
    socket.on('close', () => {
      connections.delete(socket);
      if (peers.get(name) === peer) peers.delete(name);
    });
    socket.on('error', () => {});
    socket.setNoDelay(true);
    injector.injectConnection(socket);
  });
  server.on('tlsClientError', (error, socket) => {
    log.debug({ address: (socket as Socket).remoteAddress, error: errorMessage(error) }, 'a TLS handshake failed');
  });
  const bound = await listen(server, host, port);
  return {
    port: bound,
    renew(material) {
      ({ roots } = material);
      server.setSecureContext(contextOf(material));
    },
    disconnect(nodeId) {
      for (const [socket, peer] of connections) if (peer?.nodeId === nodeId) socket.destroy();
    },
    async close() {
      server.close();
      rpc.forceShutdown();
      for (const socket of connections.keys()) socket.destroy();
    },
  };
}

function contextOf({ certificate, key, roots }: TlsMaterial) {
  return { cert: certificate, key, ca: roots, minVersion: 'TLSv1.3' } as const;
}

function listen(server: TlsServer, host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause) => reject(new AppError('unavailable', `cannot listen on ${host}:${port}: ${errorMessage(cause)}`, { cause })));
    server.listen({ host, port }, () => {
      const address = server.address();
      resolve(typeof address === 'object' && address !== null ? address.port : port);
    });
  });
}

type AnyCall = ServerUnaryCall<unknown, unknown> | ServerWritableStream<unknown, unknown> | ServerDuplexStream<Buffer, Buffer>;

/** Who is at the other end: undefined without a certificate, 'foreign' with one that is not the swarm's. */
function readPeer(socket: TLSSocket, roots: string): Peer | 'foreign' | undefined {
  const certificate = socket.getPeerX509Certificate();
  if (certificate === undefined) return undefined;
  const isExpired = !socket.authorized;
  // The handshake's own verdict tells only the last of several faults, so that the signature of an expired certificate is checked here.
  if (isExpired && !isExpiredMember(certificate, roots)) return 'foreign';
  try {
    const { nodeId, roleName, clusterId } = readSubject(certificate);
    const keyDigest = digestOfKey(certificate.publicKey);
    return { nodeId, roleName, clusterId, keyDigest, isExpired, address: (socket.remoteAddress ?? '').replace(/^::ffff:/, '') };
  } catch {
    return 'foreign';
  }
}

function isExpiredMember(certificate: X509Certificate, roots: string): boolean {
  const now = Date.now();
  return now > certificate.validToDate.getTime() && splitCertificates(roots).some((root) => isSignedBy(certificate.toString(), root));
}

/** "192.0.2.7:41234" or "[2001:db8::7]:41234", as gRPC writes peers, without the port. */
function addressOf(call: AnyCall): string {
  const peer = call.getPeer();
  return peer
    .slice(0, peer.lastIndexOf(':'))
    .replace(/^\[|\]$/g, '')
    .replace(/^::ffff:/, '');
}

type PeerOf = (call: AnyCall) => Peer | undefined;

function implementation(handlers: ManagerHandlers, peerOf: PeerOf) {
  const requirePeer = (call: AnyCall): Peer => {
    const peer = peerOf(call);
    if (peer === undefined) throw new AppError('unauthenticated', 'a certificate of the swarm is needed for this call');
    if (peer.isExpired) throw new AppError('unauthenticated', `the certificate of node ${peer.nodeId} has expired; it must be renewed first`);
    return peer;
  };
  const unary =
    <K extends keyof Calls>(
      handle: (request: Calls[K]['request'], call: ServerUnaryCall<unknown, unknown>) => Calls[K]['response'] | Promise<Calls[K]['response']>,
    ): handleUnaryCall<unknown, unknown> =>
    (call, respond) => {
      new Promise((resolve) => resolve(handle(call.request as Calls[K]['request'], call))).then(
        (response) => respond(null, response),
        (error: unknown) => respond(toStatus(error)),
      );
    };
  const bytes =
    (key: string, open: (peer: Peer, value: string, call: ServerDuplexStream<Buffer, Buffer>) => void | Promise<void>) =>
    (call: ServerDuplexStream<Buffer, Buffer>) => {
      new Promise<void>((resolve) => resolve(open(requirePeer(call), String(call.metadata.get(key)[0] ?? ''), call))).catch((error: unknown) =>
        fail(call, error),
      );
    };
  const session: handleServerStreamingCall<unknown, unknown> = (call) => {
    void stream(call, (signal) => {
      const { description } = call.request as Calls['session']['request'];
      return handlers.connect(requirePeer(call)).openSession(description, signal);
    });
  };
  return {
    rootCertificate: unary<'rootCertificate'>(() => ({ certificate: handlers.rootCertificate() })),
    issueCertificate: unary<'issueCertificate'>((request, call) => handlers.issueCertificate(request, peerOf(call), addressOf(call))),
    trust: (call: ServerWritableStream<unknown, unknown>) => void stream(call, (signal) => handlers.trust(requirePeer(call), signal)),
    leave: unary<'leave'>(async (_request, call) => {
      await handlers.leave(requirePeer(call));
      return {};
    }),
    joinManagers: unary<'joinManagers'>((request, call) => handlers.joinManagers(requirePeer(call), request)),
    confirmManager: unary<'confirmManager'>(async (_request, call) => {
      await handlers.confirmManager(requirePeer(call));
      return {};
    }),
    session,
    reportStatus: unary<'reportStatus'>(async ({ sessionId, updates }, call) => {
      await handlers.connect(requirePeer(call)).reportStatus(sessionId, updates);
      return {};
    }),
    reportDescription: unary<'reportDescription'>(async ({ sessionId, description }, call) => {
      await handlers.connect(requirePeer(call)).reportDescription(sessionId, description);
      return {};
    }),
    reportNetworkApplied: unary<'reportNetworkApplied'>(async ({ sessionId, version }, call) => {
      await handlers.connect(requirePeer(call)).reportNetworkApplied(sessionId, version);
      return {};
    }),
    heartbeat: unary<'heartbeat'>(async ({ sessionId }, call) => {
      await handlers.connect(requirePeer(call)).heartbeat(sessionId);
      return {};
    }),
    tunnel: bytes(TUNNEL_ID, (peer, id, call) => handlers.tunnel(peer, id, call)),
    relay: bytes(RELAY_NODE, (peer, nodeId, call) => handlers.relay(peer, { nodeId, to: relayTarget(call.metadata) }, call)),
  };
}

/** Writes what an iterable gives, no faster than the peer reads; ends it when the peer is gone. */
async function stream(call: ServerWritableStream<unknown, unknown>, open: (signal: AbortSignal) => AsyncIterable<SessionMessage | Trust>): Promise<void> {
  const gone = new AbortController();
  call.on('cancelled', () => gone.abort());
  call.on('close', () => gone.abort());
  call.on('error', () => gone.abort());
  try {
    for await (const message of open(gone.signal)) {
      if (gone.signal.aborted) break;
      if (!call.write(message)) await drained(call, gone.signal);
    }
    call.end();
  } catch (error) {
    fail(call, error);
  }
}

/** Ends a call with a status. A call that is destroyed would end without one, and its caller would wait. */
function fail(call: ServerWritableStream<unknown, unknown> | ServerDuplexStream<Buffer, Buffer>, error: unknown): void {
  call.emit('error', Object.assign(new Error(errorMessage(error)), toStatus(error)));
}

function drained(call: ServerWritableStream<unknown, unknown>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      call.off('drain', done);
      signal.removeEventListener('abort', done);
      resolve();
    };
    call.once('drain', done);
    signal.addEventListener('abort', done, { once: true });
  });
}
