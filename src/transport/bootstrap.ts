// A node's first contact with a swarm: it has nothing but a join token, whose digest says which root to trust and whose secret says what it may become.
import { connect } from 'node:tls';
import { assertRootDigest, parseJoinToken } from '#ca/join-token.ts';
import { createCertificateRequest } from '#ca/node-certificate.ts';
import type { NodeAvailability } from '#domain/spec.ts';
import { AppError, errorMessage, rpcError } from '#lib/errors.ts';
import { createManagerClient } from './client.ts';
import { MANAGER_NAME, type IssuedCertificate } from './service.ts';

export interface JoinOptions {
  /** host:port of a manager. */
  readonly address: string;
  readonly token: string;
  readonly availability: NodeAvailability;
  /** Why this machine cannot be a manager; undefined when it can. What the token is for only the managers know. */
  readonly cannotManage: string | undefined;
  readonly signal: AbortSignal;
}

export interface JoinedIdentity extends IssuedCertificate {
  readonly root: string;
  /** PEM; made here, and never sent. */
  readonly key: string;
}

const CONNECT_TIMEOUT_MS = 5_000;

/**
 * Rejects with AppError in Docker's words: a bad token, a root that is not the token's, a manager that cannot be reached; `deadlineExceeded` for one
 * that does not answer at all.
 */
export async function requestIdentity({ address, token, availability, cannotManage, signal }: JoinOptions): Promise<JoinedIdentity> {
  const parsed = parseJoinToken(token);
  const root = await fetchRoot(address, signal);
  assertRootDigest(root, parsed);
  const { request, key } = await createCertificateRequest();
  const client = createManagerClient(address, { roots: root });
  try {
    return { ...(await client.issueCertificate({ request, token, availability, ...(cannotManage === undefined ? {} : { cannotManage }) })), root, key };
  } finally {
    client.close();
  }
}

/**
 * The root that a manager names. Nothing is trusted yet: the caller compares its digest, and the call that sends the token goes over a connection that
 * is checked against it.
 */
async function fetchRoot(address: string, signal: AbortSignal): Promise<string> {
  // gRPC does not say why a connection fails: TLS is asked first.
  await dial(address, signal);
  const client = createManagerClient(address, {});
  try {
    return await client.rootCertificate();
  } finally {
    client.close();
  }
}

function dial(address: string, signal: AbortSignal): Promise<void> {
  const separator = address.lastIndexOf(':');
  const host = address.slice(0, separator).replace(/^\[|\]$/g, '');
  const port = Number(address.slice(separator + 1));
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, servername: MANAGER_NAME, ALPNProtocols: ['h2'], rejectUnauthorized: false, minVersion: 'TLSv1.3' });
    const end = (settle: () => void) => {
      signal.removeEventListener('abort', silent);
      socket.destroy();
      settle();
    };
    const silent = () => end(() => reject(new AppError('deadlineExceeded', `no answer from ${address}`)));
    socket.setTimeout(CONNECT_TIMEOUT_MS, silent);
    signal.addEventListener('abort', silent, { once: true });
    if (signal.aborted) silent();
    socket.once('error', (cause) => end(() => reject(dialError(address, cause))));
    socket.once('secureConnect', () => end(resolve));
  });
}

/** In the words of Go's gRPC, which users look for. */
function dialError(address: string, cause: NodeJS.ErrnoException): AppError {
  // A neighbour that does not answer either: the kernel gives up before we do.
  if (cause.code === 'ETIMEDOUT' || cause.code === 'EHOSTUNREACH') return new AppError('deadlineExceeded', `no answer from ${address}`, { cause });
  const reason = reasons[cause.code ?? ''];
  const what = reason === undefined ? errorMessage(cause) : `dial tcp ${address}: connect: ${reason}`;
  return rpcError('unavailable', `connection error: desc = "transport: Error while dialing: ${what}"`, { cause });
}

const reasons: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  ENETUNREACH: 'network is unreachable',
};
