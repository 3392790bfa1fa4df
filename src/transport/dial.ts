// A plain TLS connection to a manager, for the words that gRPC does not give: why a connection fails, and whose clock or root is to blame.
import type { X509Certificate } from 'node:crypto';
import { checkServerIdentity, connect, type TLSSocket } from 'node:tls';
import { clockProblem } from '#ca/clock-skew.ts';
import { epochOf } from '#ca/epoch.ts';
import { isChainTrusted, isSignedBy, splitCertificates } from '#ca/root.ts';
import type { Clock } from '#lib/clock.ts';
import { AppError, errorMessage, rpcError } from '#lib/errors.ts';
import type { TlsMaterial } from './server.ts';
import { MANAGER_NAME } from './service.ts';

const CONNECT_TIMEOUT_MS = 5_000;
/** A manager that does not take a certificate says so by closing the connection, at once. */
const CLOSE_WAIT_MS = 500;

/**
 * Why this node cannot use the manager at `address` although something answers there: its certificate, ours, or a clock. Undefined when it is not that: nobody
 * answers, or all is well.
 */
export async function whyNotTrusted(address: string, tls: TlsMaterial, clock: Clock, signal: AbortSignal): Promise<string | undefined> {
  try {
    return await dial(address, clock, signal, tls);
  } catch (error) {
    return error instanceof AppError && error.code === 'failedPrecondition' ? error.message : undefined;
  }
}

/**
 * Resolves when TLS stands. Rejects with AppError in Go's words when it does not; `deadlineExceeded` when nobody answers, `failedPrecondition` when a clock is
 * wrong or, with `tls`, somebody does not trust the other.
 */
export function dial(
  address: string,
  clock: Clock,
  signal: AbortSignal,
  tls?: TlsMaterial,
  onConnect: (socket: TLSSocket) => void = () => {},
): Promise<string | undefined> {
  const separator = address.lastIndexOf(':');
  const host = address.slice(0, separator).replace(/^\[|\]$/g, '');
  const port = Number(address.slice(separator + 1));
  return new Promise((resolve, reject) => {
    const shown = tls === undefined ? {} : { cert: tls.certificate, key: tls.key };
    const socket = connect({ host, port, servername: MANAGER_NAME, ALPNProtocols: ['h2'], rejectUnauthorized: false, minVersion: 'TLSv1.3', ...shown });
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
    socket.once('secureConnect', () => {
      let problem: string | undefined;
      try {
        onConnect(socket);
        problem = problemOf(socket, address, clock.now(), tls);
      } catch (error) {
        // Whoever answers there may show any certificate, also one that nobody can read.
        problem = `the manager at ${address} shows a certificate that cannot be read: ${errorMessage(error)}`;
      }
      if (problem !== undefined) end(() => reject(new AppError('failedPrecondition', problem)));
      else if (tls === undefined) end(() => resolve(undefined));
      else clock.schedule(CLOSE_WAIT_MS, () => end(() => resolve(undefined)));
    });
    socket.once('close', () => end(() => resolve(tls === undefined ? undefined : refusedText(address))));
  });
}

function refusedText(address: string): string {
  return `the manager at ${address} does not take the certificate of this node: the swarm's root was replaced without it, it is another swarm, or that manager's clock is far behind; if no clock is wrong, leave the swarm, and join again`;
}

function problemOf(socket: TLSSocket, address: string, now: number, tls: TlsMaterial | undefined): string | undefined {
  const certificate = socket.getPeerX509Certificate();
  const chain = socket.getPeerCertificate(true);
  const clock = peerClockProblem(certificate, address, now);
  if (clock !== undefined || tls === undefined || certificate === undefined) return clock;
  const issuer = chain.issuerCertificate?.raw;
  const shown = [certificate.toString(), ...(issuer === undefined ? [] : [pemOf(issuer)])].join('');
  if (isChainTrusted(shown, tls.roots)) return epochOf(certificate) < epochOf(tls.certificate) ? leftBehindText(address) : undefined;
  return `the manager at ${address} shows a certificate of a root that this node does not trust: the swarm's root was replaced without it, or it is another swarm; leave the swarm, and join again`;
}

function leftBehindText(address: string): string {
  return `the manager at ${address} belongs to the swarm as it was before it was restored, or forced to begin anew, on another manager: use "docker swarm leave --force" on it`;
}

/** The epoch of the manager at `address`, if there is one that these roots vouch for. */
export async function epochAt(address: string, roots: string, clock: Clock, signal: AbortSignal): Promise<number | undefined> {
  let epoch: number | undefined;
  const look = (socket: TLSSocket) => {
    const certificate = socket.getPeerX509Certificate();
    if (certificate === undefined || checkServerIdentity(MANAGER_NAME, socket.getPeerCertificate()) !== undefined) return;
    if (splitCertificates(roots).some((root) => isSignedBy(certificate.toString(), root))) epoch = epochOf(certificate);
  };
  await dial(address, clock, signal, undefined, look).catch(() => {});
  return epoch;
}

function pemOf(der: Buffer): string {
  return `-----BEGIN CERTIFICATE-----\n${(der.toString('base64').match(/.{1,64}/g) ?? []).join('\n')}\n-----END CERTIFICATE-----\n`;
}

/** Said before the root is known to be the right one: it gives away nothing, and without it the failure would be one of TLS. */
function peerClockProblem(certificate: X509Certificate | undefined, address: string, now: number): string | undefined {
  if (certificate === undefined) return undefined;
  const validity = { notBefore: certificate.validFromDate.getTime(), notAfter: certificate.validToDate.getTime() };
  return clockProblem(validity, now, `the manager at ${address}`);
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
