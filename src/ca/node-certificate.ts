// Certificates of nodes: who a node is (CN), what it may do (OU) and which swarm it belongs to (O). A node makes its key itself and sends
// only a request; the manager decides every name in the certificate and trusts nothing of the request but its public key.
import { createHash, type KeyObject, type X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import type { NodeRole } from '#domain/spec.ts';
import { AppError } from '#lib/errors.ts';
import { epochName } from './epoch.ts';
import { certificateAlgorithm, createKeyPair, exportKey, importSigningKey, newSerialNumber, toPem } from './keys.ts';
import { authorityKeyIdentifier, type RootCa, readCertificate } from './root.ts';
import type { Pkcs10CertificateRequest } from './x509.ts';

export interface NodeSubject {
  readonly nodeId: string;
  readonly role: NodeRole;
  readonly clusterId: string;
  /** Of the swarm that it is signed in (epoch.ts), if it has one. */
  readonly epoch?: number | undefined;
}

export interface NodeCertificate extends NodeSubject {
  /** Milliseconds since the epoch. */
  readonly notBefore: number;
  readonly notAfter: number;
}

/** Names that clients of a manager check: SwarmKit's, which double as values of OU. */
export const roleNames = { manager: 'swarm-manager', worker: 'swarm-worker' } as const satisfies Record<NodeRole, string>;
const CA_NAME = 'swarm-ca';

const DEFAULT_EXPIRY_MS = 90 * 24 * 3_600_000;
/** Shorter expiries count as the default, as in SwarmKit's signing policy; the API refuses them before. */
export const MIN_EXPIRY_MS = 3_600_000;
/** Against clocks that differ. */
export const BACKDATE_MS = 3_600_000;

/** The names that a node's certificate must have, whoever signs it. */
export function namesOf({ role, nodeId, epoch }: NodeSubject): readonly string[] {
  return [roleNames[role], nodeId, ...(role === 'manager' ? [CA_NAME] : []), ...(epoch === undefined ? [] : [epochName(epoch)])];
}

/** A new key and the request for a certificate on it, both PEM. */
export async function createCertificateRequest(): Promise<{ readonly request: string; readonly key: string }> {
  const { Pkcs10CertificateRequestGenerator } = await import('./x509.ts');
  const keys = await createKeyPair();
  const request = await Pkcs10CertificateRequestGenerator.create({ name: 'CN=swarm-node', keys, signingAlgorithm: certificateAlgorithm });
  return { request: toPem('CERTIFICATE REQUEST', request.rawData), key: await exportKey(keys) };
}

export interface SigningOptions {
  readonly now: number;
  /** Default 90 days. */
  readonly expiryMs?: number;
  /** Host names and addresses that the node is reached at, beside the names of its role. */
  readonly hosts?: readonly string[];
  /** PEM of what follows the certificate; default: the root. */
  readonly chain?: string;
}

/**
 * The certificate (PEM) and after it the root's, or what stands in for it (`chain`): while the root is rotated, the new root as the old one signed it,
 * so that nodes that know only the old one trust the certificate, too. Throws AppError `invalidArgument` when the request is not one or not signed by its key.
 */
export async function signCertificateRequest(root: RootCa, request: string, subject: NodeSubject, options: SigningOptions): Promise<string> {
  const { now, hosts = [], chain = root.certificate } = options;
  const expiryMs = options.expiryMs && options.expiryMs >= MIN_EXPIRY_MS ? options.expiryMs : DEFAULT_EXPIRY_MS;
  const publicKey = await checkedPublicKey(request);
  const x509 = await import('./x509.ts');
  const issuer = new x509.X509Certificate(root.certificate);
  const signer = await importSigningKey(root.key);
  const names = [...namesOf(subject), ...hosts];
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: newSerialNumber(),
    issuer: issuer.subjectName,
    subject: [{ O: [subject.clusterId] }, { OU: [roleNames[subject.role]] }, { CN: [subject.nodeId] }],
    notBefore: new Date(now - BACKDATE_MS),
    notAfter: new Date(now + expiryMs),
    publicKey,
    signingKey: signer.key,
    signingAlgorithm: signer.algorithm,
    extensions: [
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature | x509.KeyUsageFlags.keyEncipherment, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth, x509.ExtendedKeyUsage.clientAuth]),
      new x509.BasicConstraintsExtension(false, undefined, true),
      await x509.SubjectKeyIdentifierExtension.create(publicKey),
      await authorityKeyIdentifier(issuer),
      new x509.SubjectAlternativeNameExtension(names.map((value) => ({ type: isIP(value) ? 'ip' : 'dns', value }))),
    ],
  });
  return toPem('CERTIFICATE', certificate.rawData) + chain;
}

/** What a node's certificate (the first of the PEM text) says; whether it is to be trusted is `verifyNodeCertificate`'s business. */
export function readNodeCertificate(pem: string): NodeCertificate {
  const certificate = readCertificate(pem);
  const { nodeId, roleName, clusterId } = readSubject(certificate);
  const role = (['manager', 'worker'] as const).find((candidate) => roleNames[candidate] === roleName);
  if (!role) throw notANode();
  return { nodeId, role, clusterId, notBefore: certificate.validFromDate.getTime(), notAfter: certificate.validToDate.getTime() };
}

/** CN, OU and O. Throws AppError `internal` when one is missing. */
export function readSubject({ subject }: X509Certificate): { readonly nodeId: string; readonly roleName: string; readonly clusterId: string } {
  const fields = new Map(subject.split('\n').map((line): [string, string] => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]));
  const [nodeId, roleName, clusterId] = [fields.get('CN'), fields.get('OU'), fields.get('O')];
  if (!roleName || !nodeId || !clusterId) throw notANode();
  return { nodeId, roleName, clusterId };
}

function notANode(): AppError {
  return new AppError('internal', 'the certificate is not that of a swarm node');
}

/** SHA-256 of a public key. */
export function digestOfKey(key: KeyObject): string {
  return createHash('sha256')
    .update(key.export({ format: 'der', type: 'spki' }))
    .digest('hex');
}

/** Reads the certificate and throws AppError `unauthenticated` unless this root signed it and it is valid at `now`. */
export function verifyNodeCertificate(pem: string, rootPem: string, now: number): NodeCertificate {
  const [certificate, root] = [readCertificate(pem), readCertificate(rootPem)];
  const subject = readNodeCertificate(pem);
  if (!certificate.checkIssued(root) || !certificate.verify(root.publicKey)) {
    throw new AppError('unauthenticated', `the certificate of node ${subject.nodeId} was not issued by this swarm's certificate authority`);
  }
  if (now < subject.notBefore || now > subject.notAfter) {
    const [from, to] = [subject.notBefore, subject.notAfter].map((time) => new Date(time).toISOString());
    throw new AppError(
      'unauthenticated',
      `the certificate of node ${subject.nodeId} is valid from ${from} to ${to} only; check the clocks, or join the node again`,
    );
  }
  return subject;
}

async function checkedPublicKey(request: string): Promise<Pkcs10CertificateRequest['publicKey']> {
  const x509 = await import('./x509.ts');
  let publicKey: Pkcs10CertificateRequest['publicKey'] | undefined;
  try {
    const parsed = new x509.Pkcs10CertificateRequest(request);
    if (await parsed.verify()) ({ publicKey } = parsed);
  } catch (error) {
    throw new AppError('invalidArgument', 'the certificate request cannot be read', { cause: error });
  }
  if (!publicKey) throw new AppError('invalidArgument', 'the certificate request is not signed by its own key');
  return publicKey;
}
