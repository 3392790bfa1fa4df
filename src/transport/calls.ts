// The calls of the managers' port: who may make which, what a request must look like, and how an answer, a stream or a failure goes back. Connections
// and who is at their other end are server.ts's business.
import type { handleServerStreamingCall, handleUnaryCall, ServerUnaryCall } from '@grpc/grpc-js';
import type { ServerDuplexStream, ServerWritableStream } from '@grpc/grpc-js';
import type { Trust } from '#ca/rotation.ts';
import { AppError, errorMessage } from '#lib/errors.ts';
import type { SessionMessage } from '#protocol/messages.ts';
import { checkDescription, checkIssueRequest, checkJoinManagersRequest, checkNumber, checkStatusUpdates, checkText } from './check-requests.ts';
import { toStatus } from './errors.ts';
import type { Caller, ManagerHandlers, Peer } from './server.ts';
import { type Calls, INSTANCE, RELAY_NODE, relayTarget, TUNNEL_ID, tunnelTarget } from './service.ts';

export type AnyCall = ServerUnaryCall<unknown, unknown> | ServerWritableStream<unknown, unknown> | ServerDuplexStream<Buffer, Buffer>;

/** "192.0.2.7:41234" or "[2001:db8::7]:41234", as gRPC writes peers, without the port. */
function addressOf(call: AnyCall): string {
  const peer = call.getPeer();
  return peer
    .slice(0, peer.lastIndexOf(':'))
    .replace(/^\[|\]$/g, '')
    .replace(/^::ffff:/, '');
}

type PeerOf = (call: AnyCall) => Peer | undefined;

/** `peerOf` says who makes a call; undefined: somebody without a certificate. */
export function implementation(handlers: ManagerHandlers, peerOf: PeerOf) {
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
      new Promise((resolve) => resolve(handle(requestOf<K>(call), call))).then(
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
      const peer = requirePeer(call);
      const { description } = requestOf<'session'>(call);
      return handlers.connect(peer, callerOf(call)).openSession(checkDescription(description), signal);
    });
  };
  return {
    rootCertificate: unary<'rootCertificate'>(() => ({ certificate: handlers.rootCertificate() })),
    issueCertificate: unary<'issueCertificate'>((request, call) => handlers.issueCertificate(checkIssueRequest(request), peerOf(call), addressOf(call))),
    trust: (call: ServerWritableStream<unknown, unknown>) => void stream(call, (signal) => handlers.trust(requirePeer(call), signal)),
    leave: unary<'leave'>(async (_request, call) => {
      await handlers.leave(requirePeer(call));
      return {};
    }),
    joinManagers: unary<'joinManagers'>((request, call) => handlers.joinManagers(requirePeer(call), checkJoinManagersRequest(request))),
    confirmManager: unary<'confirmManager'>(async (_request, call) => {
      await handlers.confirmManager(requirePeer(call));
      return {};
    }),
    askTunnel: unary<'askTunnel'>(async ({ nodeId, id, to }, call) => {
      await handlers.askTunnel(requirePeer(call), { nodeId: checkText(nodeId), id: checkText(id), to: tunnelTarget(to) });
      return {};
    }),
    session,
    reportStatus: unary<'reportStatus'>(async ({ sessionId, updates }, call) => {
      await handlers.connect(requirePeer(call)).reportStatus(checkText(sessionId), checkStatusUpdates(updates));
      return {};
    }),
    reportDescription: unary<'reportDescription'>(async ({ sessionId, description }, call) => {
      await handlers.connect(requirePeer(call)).reportDescription(checkText(sessionId), checkDescription(description));
      return {};
    }),
    reportNetworkApplied: unary<'reportNetworkApplied'>(async ({ sessionId, version }, call) => {
      await handlers.connect(requirePeer(call)).reportNetworkApplied(checkText(sessionId), checkNumber(version));
      return {};
    }),
    heartbeat: unary<'heartbeat'>(async ({ sessionId }, call) => {
      await handlers.connect(requirePeer(call)).heartbeat(checkText(sessionId));
      return {};
    }),
    tunnel: bytes(TUNNEL_ID, (peer, id, call) => handlers.tunnel(peer, id, call)),
    relay: bytes(RELAY_NODE, (peer, nodeId, call) => handlers.relay(peer, { nodeId, to: relayTarget(call.metadata) }, call)),
  };
}

/** JSON may be anything: what has no fields becomes a request without any, which is refused by its first check. */
function requestOf<K extends keyof Calls>(call: { readonly request: unknown }): Calls[K]['request'] {
  return (typeof call.request === 'object' && call.request !== null ? call.request : {}) as Calls[K]['request'];
}

/** What a caller says of itself beside its certificate; a daemon that is older than this says nothing. */
function callerOf(call: AnyCall): Caller {
  const [instance] = call.metadata.get(INSTANCE);
  return instance === undefined ? {} : { instance: String(instance).slice(0, 64) };
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
