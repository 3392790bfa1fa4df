// A node's first contact with a swarm: it has nothing but a join token, whose digest says which root to trust and whose secret says what it may become.
import { clockProblem } from '#ca/clock-skew.ts';
import { assertRootDigest, parseJoinToken } from '#ca/join-token.ts';
import { createCertificateRequest, readNodeCertificate } from '#ca/node-certificate.ts';
import { isChainTrusted, isKeyOf, readCertificate } from '#ca/root.ts';
import type { NodeAvailability } from '#domain/spec.ts';
import type { Clock } from '#lib/clock.ts';
import { AppError } from '#lib/errors.ts';
import { createManagerClient } from './client.ts';
import { dial } from './dial.ts';
import type { IssuedCertificate } from './service.ts';

export interface JoinOptions {
  /** host:port of a manager. */
  readonly address: string;
  readonly token: string;
  readonly availability: NodeAvailability;
  /** Why this machine cannot be a manager; undefined when it can. What the token is for only the managers know. */
  readonly cannotManage: string | undefined;
  /** host:port at which other managers would reach this node, were it one. */
  readonly advertiseAddr?: string;
  /** protocol/level.ts */
  readonly level?: number;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

export interface JoinedIdentity extends IssuedCertificate {
  readonly root: string;
  /** PEM; made here, and never sent. */
  readonly key: string;
}

/**
 * Rejects with AppError in Docker's words: a bad token, a root that is not the token's, a manager that cannot be reached; `deadlineExceeded` for one
 * that does not answer at all.
 */
export async function requestIdentity({
  address,
  token,
  availability,
  cannotManage,
  advertiseAddr,
  level,
  clock,
  signal,
}: JoinOptions): Promise<JoinedIdentity> {
  const parsed = parseJoinToken(token);
  const root = await fetchRoot(address, clock, signal);
  assertRootDigest(root, parsed);
  assertValidNow(root, clock.now());
  const { request, key } = await createCertificateRequest();
  const client = createManagerClient(address, { roots: root });
  try {
    const asked = {
      request,
      token,
      availability,
      now: clock.now(),
      ...(cannotManage === undefined ? {} : { cannotManage }),
      ...(advertiseAddr === undefined ? {} : { advertiseAddr }),
      ...(level === undefined ? {} : { level }),
    };
    const issued = await client.issueCertificate(asked);
    assertOwn(issued, root, key, clock.now());
    return { ...issued, root, key };
  } finally {
    client.close();
  }
}

function assertValidNow(root: string, now: number): void {
  const { validFromDate, validToDate } = readCertificate(root);
  const problem = clockProblem({ notBefore: validFromDate.getTime(), notAfter: validToDate.getTime() }, now, "the swarm's root");
  if (problem !== undefined) throw new AppError('failedPrecondition', problem);
}

/** A manager is trusted, and yet what it gives is looked at: a node with a certificate that is of no use would find out much later. */
function assertOwn({ certificate, nodeId, clusterId, role }: IssuedCertificate, root: string, key: string, now: number): void {
  const issued = readNodeCertificate(certificate);
  const isOurs = issued.nodeId === nodeId && issued.clusterId === clusterId && issued.role === role && isKeyOf(certificate, key);
  if (!isOurs || !isChainTrusted(certificate, root)) throw new AppError('internal', 'the certificate that the manager issued is not one for this node');
  const problem = clockProblem(issued, now, 'this node, made just now,');
  if (problem !== undefined) throw new AppError('failedPrecondition', problem);
}

/** A manager that is busy, or just starting, drops connections; so do the networks between. */
const MAX_TRIES = 5;
const RETRY_MS = 500;

/**
 * The root that a manager names. Nothing is trusted yet: the caller compares its digest, and the call that sends the token goes over a connection that
 * is checked against it. Nothing has changed yet either: a connection that is dropped is tried again.
 */
async function fetchRoot(address: string, clock: Clock, signal: AbortSignal): Promise<string> {
  for (let tries = 1; ; tries++) {
    try {
      return await askForRoot(address, clock, signal);
    } catch (error) {
      if (tries === MAX_TRIES || !(error instanceof AppError) || error.code !== 'unavailable' || isFinal(error)) throw error;
    }
    await clock.sleep(RETRY_MS, signal);
  }
}

/** Nobody listens there, no way leads there, or it speaks something else: that is said at once. */
function isFinal({ cause }: AppError): boolean {
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
  return typeof code === 'string' && code !== 'ECONNRESET' && code !== 'EPIPE';
}

async function askForRoot(address: string, clock: Clock, signal: AbortSignal): Promise<string> {
  // gRPC does not say why a connection fails: TLS is asked first.
  await dial(address, clock, signal);
  const client = createManagerClient(address, {});
  try {
    return await client.rootCertificate();
  } finally {
    client.close();
  }
}
