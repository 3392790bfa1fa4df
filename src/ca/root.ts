// The swarm's root of trust: one self-signed certificate whose key never leaves the managers (sealed in the store), and what nodes tell
// about it. How it is replaced by another one is rotation.ts.
import { createPrivateKey, createPublicKey, X509Certificate } from 'node:crypto';
import { AppError } from '#lib/errors.ts';
import { certificateAlgorithm, createKeyPair, exportKey, importSigningKey, newSerialNumber, toPem } from './keys.ts';
import type * as x509 from './x509.ts';

export interface RootCa {
  /** PEM with a final newline: join tokens carry a digest over exactly this text. */
  readonly certificate: string;
  /** PEM (PKCS #8). Sealed wherever it is kept; never logged. */
  readonly key: string;
}

/** What a node's description says of its certificate's issuer; base64 of DER but for the root's PEM. */
export interface TlsInfo {
  readonly trustRoot: string;
  readonly issuerSubject: string;
  readonly issuerPublicKey: string;
}

/** 630,720,000 s, as SwarmKit's. It begins as early as nodes' certificates do: a clock that is behind must not be stopped by the root. */
const VALIDITY_MS = 20 * 365 * 24 * 3_600_000;
const BACKDATE_MS = 3_600_000;

export async function createRootCa({ now }: { readonly now: number }): Promise<RootCa> {
  const { BasicConstraintsExtension, KeyUsageFlags, KeyUsagesExtension, SubjectKeyIdentifierExtension, X509CertificateGenerator } = await import('./x509.ts');
  const keys = await createKeyPair();
  const certificate = await X509CertificateGenerator.createSelfSigned({
    serialNumber: newSerialNumber(),
    name: [{ CN: ['swarm-ca'] }],
    notBefore: new Date(now - BACKDATE_MS),
    notAfter: new Date(now - BACKDATE_MS + VALIDITY_MS),
    signingAlgorithm: certificateAlgorithm,
    keys,
    extensions: [
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      new BasicConstraintsExtension(true, undefined, true),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { certificate: toPem('CERTIFICATE', certificate.rawData), key: await exportKey(keys) };
}

/** The root (PEM) as another root signs it: who trusts `signer` trusts what the root signs, if it is shown this certificate. */
export async function crossSign(signer: RootCa, rootPem: string): Promise<string> {
  const { X509Certificate: Certificate, X509CertificateGenerator } = await import('./x509.ts');
  const [issuer, root] = [new Certificate(signer.certificate), new Certificate(rootPem)];
  const { key, algorithm } = await importSigningKey(signer.key);
  const certificate = await X509CertificateGenerator.create({
    serialNumber: newSerialNumber(),
    issuer: issuer.subjectName,
    subject: root.subjectName,
    notBefore: root.notBefore,
    // Longer than its signer it would not be trusted anyway.
    notAfter: root.notAfter < issuer.notAfter ? root.notAfter : issuer.notAfter,
    publicKey: root.publicKey,
    signingKey: key,
    signingAlgorithm: algorithm,
    extensions: [...root.extensions.filter(({ type }) => type !== AUTHORITY_KEY_IDENTIFIER), await authorityKeyIdentifier(issuer)],
  });
  return toPem('CERTIFICATE', certificate.rawData);
}

const AUTHORITY_KEY_IDENTIFIER = '2.5.29.35';

/** Names the issuer's key as the issuer's own certificate does: a root that a user made may identify its key in a way of its own. */
export async function authorityKeyIdentifier(issuer: x509.X509Certificate): Promise<x509.AuthorityKeyIdentifierExtension> {
  const { AuthorityKeyIdentifierExtension, SubjectKeyIdentifierExtension } = await import('./x509.ts');
  const own = issuer.getExtension(SubjectKeyIdentifierExtension);
  return own === null ? AuthorityKeyIdentifierExtension.create(issuer.publicKey) : new AuthorityKeyIdentifierExtension(own.keyId);
}

/** The certificates of a PEM text, one by one, each with a final newline. */
export function splitCertificates(pem: string): readonly string[] {
  return (pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []).map((one) => `${one}\n`);
}

/** In the form that digests are made of: no blanks around lines, no empty lines, a final newline. */
export function normalisePem(pem: string): string {
  const lines = pem.split('\n').map((line) => line.trim());
  return `${lines.filter((line) => line !== '').join('\n')}\n`;
}

/** True when the holder of the root's key signed the first certificate of `pem`. */
export function isSignedBy(pem: string, rootPem: string): boolean {
  const [certificate, root] = [readCertificate(pem), readCertificate(rootPem)];
  return certificate.checkIssued(root) && certificate.verify(root.publicKey);
}

/** By one of the roots, or by what follows the certificate, if that is signed by one of the roots. */
export function isChainTrusted(certificate: string, roots: string): boolean {
  const [leaf = '', ...chain] = splitCertificates(certificate);
  const trusted = splitCertificates(roots);
  const intermediates = chain.filter((one) => trusted.some((root) => isSignedBy(one, root)));
  return [...trusted, ...intermediates].some((root) => isSignedBy(leaf, root));
}

/** What a node tells of its own certificate: the roots that it trusts, and which of them (or of its chain) signed it. */
export function tlsInfoOfNode({ certificate, roots }: { readonly certificate: string; readonly roots: string }): TlsInfo {
  const [leaf = '', ...chain] = splitCertificates(certificate);
  const trusted = splitCertificates(roots);
  const issuer = [...trusted, ...chain].find((candidate) => isSignedBy(leaf, candidate));
  return { ...tlsInfoOf(issuer ?? trusted[0] ?? roots), trustRoot: roots };
}

/** The root certificate, parsed. Throws AppError `internal` when the text is none; the text itself stays out of the error. */
export function readCertificate(pem: string): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch (error) {
    throw new AppError('internal', 'the certificate cannot be read: it is not a certificate in PEM form', { cause: error });
  }
}

export function tlsInfoOf(rootPem: string): TlsInfo {
  const certificate = readCertificate(rootPem);
  return {
    trustRoot: rootPem,
    issuerSubject: derOfSubject(certificate),
    issuerPublicKey: certificate.publicKey.export({ format: 'der', type: 'spki' }).toString('base64'),
  };
}

/** True when the key (PEM) belongs to the certificate (PEM). */
export function isKeyOf(certificatePem: string, keyPem: string): boolean {
  const certified = readCertificate(certificatePem).publicKey;
  try {
    return createPublicKey(createPrivateKey(keyPem)).equals(certified);
  } catch {
    return false;
  }
}

/** The subject's name is cut out of the certificate, so that it is byte for byte what the issuer wrote. */
function derOfSubject({ raw }: X509Certificate): string {
  // Certificate ::= SEQUENCE { tbs SEQUENCE { [0] version, serial, algorithm, issuer, validity, subject, … } … }
  let position = contentStart(raw, contentStart(raw, 0));
  for (let skipped = 0; skipped < 5; skipped++) position = elementEnd(raw, position);
  return raw.subarray(position, elementEnd(raw, position)).toString('base64');
}

/** Where the content of the DER element at `position` begins. */
function contentStart(der: Buffer, position: number): number {
  const length = der.readUInt8(position + 1);
  return position + 2 + (length < 0x80 ? 0 : length & 0x7f);
}

function elementEnd(der: Buffer, position: number): number {
  const length = der.readUInt8(position + 1);
  const start = contentStart(der, position);
  return start + (length < 0x80 ? length : der.readUIntBE(position + 2, length & 0x7f));
}
