// A node's first contact with a swarm: it has nothing but a join token, whose digest says which root to trust and whose secret says what it may become.
import { connect } from 'node:tls';
import { assertRootDigest, parseJoinToken } from '#ca/join-token.ts';
import { createCertificateRequest } from '#ca/node-certificate.ts';
import type { NodeAvailability } from '#domain/spec.ts';
import { AppError, errorMessage } from '#lib/errors.ts';
import { createManagerClient } from './client.ts';
import { MANAGER_NAME, type IssuedCertificate } from './service.ts';

export interface JoinOptions {
  /** host:port of a manager. */
  readonly address: string;
  readonly token: string;
  readonly availability: NodeAvailability;
  readonly signal: AbortSignal;
}

export interface JoinedIdentity extends IssuedCertificate {
  readonly root: string;
  /** PEM; made here, and never sent. */
  readonly key: string;
}

const CONNECT_TIMEOUT_MS = 5_000;

/** Rejects with AppError in Docker's words: a bad token, a root that is not the token's, a manager that cannot be reached. */
export async function requestIdentity({ address, token, availability, signal }: JoinOptions): Promise<JoinedIdentity> {
  const parsed = parseJoinToken(token);
  const root = await fetchRoot(address, signal);
  assertRootDigest(root, parsed);
  const { request, key } = await createCertificateRequest();
  const client = createManagerClient(address, { roots: root });
  try {
    return { ...(await client.issueCertificate({ request, token, availability })), root, key };
  } finally {
    client.close();
  }
}

/**
 * The root that a manager shows in its handshake. Nothing is trusted yet: the caller compares its digest, and the call that sends the token goes over a
 * connection that is checked against it.
 */
async function fetchRoot(address: string, signal: AbortSignal): Promise<string> {
  const separator = address.lastIndexOf(':');
  const host = address.slice(0, separator).replace(/^\[|\]$/g, '');
  const port = Number(address.slice(separator + 1));
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, servername: MANAGER_NAME, ALPNProtocols: ['h2'], rejectUnauthorized: false, minVersion: 'TLSv1.3' });
    const fail = (cause: unknown) => {
      socket.destroy();
      reject(new AppError('unavailable', `rpc error: code = Unavailable desc = cannot reach a manager at ${address}: ${errorMessage(cause)}`, { cause }));
    };
    socket.setTimeout(CONNECT_TIMEOUT_MS, () => fail(new Error(`no answer within ${CONNECT_TIMEOUT_MS / 1000} s`)));
    signal.addEventListener('abort', () => fail(signal.reason), { once: true });
    socket.once('error', fail);
    socket.once('secureConnect', () => {
      let certificate = socket.getPeerCertificate(true);
      while (certificate.issuerCertificate !== undefined && certificate.issuerCertificate.fingerprint256 !== certificate.fingerprint256)
        certificate = certificate.issuerCertificate;
      socket.destroy();
      resolve(pemOf(certificate.raw));
    });
  });
}

/** In the form that join tokens are digests of: 64 characters a line, a newline at the end. */
function pemOf(der: Buffer): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
}
