// The managers' port: TLS 1.3 with the swarm's own root, gRPC on top. A caller with a certificate of the swarm is the node that it names; one without
// may only ask for a certificate. Connections with any other certificate are closed before they can call anything.
import type { X509Certificate } from 'node:crypto';
import type { Socket } from 'node:net';
import { createServer, type Server as TlsServer, type TLSSocket } from 'node:tls';
import { Server, ServerCredentials } from '@grpc/grpc-js';
import type { ServerDuplexStream, ServerOptions } from '@grpc/grpc-js';
import { epochOf } from '#ca/epoch.ts';
import { digestOfKey, readSubject } from '#ca/node-certificate.ts';
import { isSignedBy, splitCertificates } from '#ca/root.ts';
import type { Trust } from '#ca/rotation.ts';
import { AppError, errorMessage } from '#lib/errors.ts';
import { listening } from '#lib/listen.ts';
import type { Logger } from '#lib/log.ts';
import type { ManagerConnection, TunnelTarget } from '#protocol/messages.ts';
import { implementation } from './calls.ts';
import {
  type IssuedCertificate,
  type IssueRequest,
  type JoinManagersRequest,
  type JoinManagersResponse,
  KEEPALIVE_MS,
  KEEPALIVE_TIMEOUT_MS,
  managerService,
  MAX_MESSAGE_BYTES,
} from './service.ts';
import { createStrangers, type StrangerLimits, strangerLimits } from './strangers.ts';

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
  /** Whether its end of the connection was closed: its process has ended. Neither one that is heard of no more nor one that only ends a call has. */
  readonly hasClosed?: () => boolean;
  /** Of its certificate (ca/epoch.ts). */
  readonly epoch: number;
  /** Its certificate was the swarm's, and has expired: it may ask for another one, and for nothing else. */
  readonly isExpired: boolean;
}

/** What a caller says of itself beside its certificate. */
export interface Caller {
  /** Another one for each run of a daemon. */
  readonly instance?: string;
}

export interface ManagerHandlers {
  /** Whether a node with this certificate is one of the swarm as it is now; who is not is cut off. */
  admits?(peer: Peer): boolean;
  rootCertificate(): string;
  /** `peer` is undefined for a node that joins. */
  issueCertificate(request: IssueRequest, peer: Peer | undefined, address: string): Promise<IssuedCertificate>;
  /** Throws AppError `permissionDenied` for a node that is no member any more. */
  connect(peer: Peer, caller?: Caller): ManagerConnection;
  /** What the node must trust and be signed by: now, and whenever that changes. Throws as `connect` does. */
  trust(peer: Peer, signal: AbortSignal): AsyncIterable<Trust>;
  /** The node has a manager's certificate and becomes a manager; then that it has come so far. */
  joinManagers(peer: Peer, request: JoinManagersRequest): Promise<JoinManagersResponse>;
  confirmManager(peer: Peer): Promise<void>;
  /** The node leaves the swarm. */
  leave(peer: Peer): Promise<void>;
  /** The node's end of a tunnel that this manager asked for. */
  tunnel(peer: Peer, id: string, stream: ServerDuplexStream<Buffer, Buffer>): void;
  /** Asks a node that has its session here for a tunnel to another manager, which asks for it. Throws `unavailable` when it has none here. */
  askTunnel(peer: Peer, tunnel: { readonly nodeId: string; readonly id: string; readonly to: TunnelTarget }): Promise<void>;
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
  readonly limits?: StrangerLimits;
}

/** The longest that a node has to say: statuses of all its tasks. */
const MAX_MEMBER_BYTES = 32 * 1024 * 1024;
const MAX_GUEST_BYTES = 64 * 1024;

/** At one time, of one connection. A node has a stream for each tunnel that the managers asked for: logs, exec, attach. */
const MAX_MEMBER_STREAMS = 4_096;
/** It asks for the root, and then for a certificate. */
const MAX_GUEST_STREAMS = 8;
/** Of what HTTP/2 itself holds for a connection, in megabytes: headers and data that nobody has taken yet. */
const GUEST_MEMORY_MB = 1;

/** Rejects with AppError `unavailable` when the address cannot be listened on. */
export async function startManagerServer({ host, port, tls, handlers, log, limits = strangerLimits }: ManagerServerOptions): Promise<ManagerServer> {
  const members = rpcServer(MAX_MEMBER_BYTES, { 'grpc.max_concurrent_streams': MAX_MEMBER_STREAMS });
  // Whoever has no certificate can ask for one; nobody should be able to fill a manager's memory with that.
  const guests = rpcServer(MAX_GUEST_BYTES, { 'grpc.max_concurrent_streams': MAX_GUEST_STREAMS, 'grpc-node.max_session_memory': GUEST_MEMORY_MB });
  const connections = new Map<TLSSocket, Peer | undefined>();
  const peers = new Map<string, Peer>();

  function rpcServer(maxBytes: number, more: ServerOptions) {
    const rpc = new Server({
      'grpc.max_receive_message_length': maxBytes,
      'grpc.max_send_message_length': MAX_MESSAGE_BYTES,
      'grpc.keepalive_time_ms': KEEPALIVE_MS,
      'grpc.keepalive_timeout_ms': KEEPALIVE_TIMEOUT_MS,
      ...more,
    });
    rpc.addService(
      managerService,
      implementation(handlers, (call) => peers.get(call.getPeer())),
    );
    // The handshake is ours, because gRPC's own server cannot make client certificates optional; what it gets is a connection that is checked.
    return { rpc, injector: rpc.createConnectionInjector(ServerCredentials.createInsecure()) };
  }

  const strangers = createStrangers(limits, () => performance.now(), log);
  let { roots } = tls;
  const server = createServer(
    { ...contextOf(tls), requestCert: true, rejectUnauthorized: false, ALPNProtocols: ['h2'], handshakeTimeout: limits.handshakeMs },
    (socket) => {
      const peer = readPeer(socket, roots);
      if (peer === 'foreign') {
        log.warn(
          { address: socket.remoteAddress, error: String(socket.authorizationError) },
          'a connection was refused: this swarm did not sign its certificate, or it is not valid yet',
        );
        socket.destroy();
        return;
      }
      if (peer !== undefined && handlers.admits?.(peer) === false) {
        socket.destroy();
        return;
      }
      if (peer === undefined) strangers.guest(socket);
      else strangers.member(socket, peer.nodeId);
      // gRPC tells a call's connection by these two only.
      const name = `${socket.remoteAddress}:${socket.remotePort}`;
      const member = peer === undefined ? undefined : { ...peer, hasClosed: watchEnd(socket) };
      connections.set(socket, member);
      if (member === undefined) peers.delete(name);
      else peers.set(name, member);
      socket.on('close', () => {
        connections.delete(socket);
        if (peers.get(name) === member) peers.delete(name);
      });
      socket.on('error', () => {});
      socket.setNoDelay(true);
      (peer === undefined ? guests : members).injector.injectConnection(socket);
    },
  );
  server.on('tlsClientError', (error, socket) => {
    // Whoever only knocks (knock.ts) begins none.
    if ((error as NodeJS.ErrnoException).code !== 'ECONNRESET')
      log.debug({ address: (socket as Socket).remoteAddress, error: errorMessage(error) }, 'a TLS handshake failed');
  });
  const handshakes = strangers.guard(server);
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
      // What ended its handshake after this would be given to servers that are shut down, and would stay open for ever.
      handshakes.end();
      members.rpc.forceShutdown();
      guests.rpc.forceShutdown();
      for (const socket of connections.keys()) socket.destroy();
    },
  };
}

function contextOf({ certificate, key, roots }: TlsMaterial) {
  return { cert: certificate, key, ca: roots, minVersion: 'TLSv1.3' } as const;
}

async function listen(server: TlsServer, host: string, port: number): Promise<number> {
  await listening(server, (done) => server.listen({ host, port }, done)).catch((cause: unknown) => {
    throw new AppError('unavailable', `cannot listen on ${host}:${port}: ${errorMessage(cause)}`, { cause });
  });
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : port;
}

/** Who is at the other end: undefined without a certificate, 'foreign' with one that is not the swarm's. */
function readPeer(socket: TLSSocket, roots: string): Peer | 'foreign' | undefined {
  const certificate = socket.getPeerX509Certificate();
  if (certificate === undefined) return undefined;
  const isExpired = !socket.authorized;
  // Anybody may show any certificate: one that cannot be read is nobody's here.
  try {
    // The handshake's own verdict tells only the last of several faults, so that the signature of an expired certificate is checked here.
    if (isExpired && !isExpiredMember(certificate, roots)) return 'foreign';
    const { nodeId, roleName, clusterId } = readSubject(certificate);
    const keyDigest = digestOfKey(certificate.publicKey);
    return { nodeId, roleName, clusterId, keyDigest, isExpired, epoch: epochOf(certificate), address: (socket.remoteAddress ?? '').replace(/^::ffff:/, '') };
  } catch {
    return 'foreign';
  }
}

/** Tells whether the other end has closed or reset the connection. Calls over it hear of their end after that. */
function watchEnd(socket: TLSSocket): () => boolean {
  let isClosed = false;
  const closed = () => {
    isClosed = true;
  };
  socket.once('end', closed);
  socket.once('error', ({ code }: NodeJS.ErrnoException) => {
    if (code === 'ECONNRESET' || code === 'EPIPE') closed();
  });
  return () => isClosed;
}

function isExpiredMember(certificate: X509Certificate, roots: string): boolean {
  const now = Date.now();
  return now > certificate.validToDate.getTime() && splitCertificates(roots).some((root) => isSignedBy(certificate.toString(), root));
}
