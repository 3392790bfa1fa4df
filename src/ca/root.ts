// The swarm's root of trust: one self-signed certificate whose key never leaves the managers (sealed in the store), and what nodes tell
// about it. Rotating the root belongs to several nodes and is not here yet.
import { createPrivateKey, createPublicKey, X509Certificate } from 'node:crypto';
import { AppError } from '#lib/errors.ts';
import { certificateAlgorithm, createKeyPair, exportKey, newSerialNumber, toPem } from './keys.ts';

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

/** 630,720,000 s and five minutes of backdating, as SwarmKit's. */
const VALIDITY_MS = 20 * 365 * 24 * 3_600_000;
const BACKDATE_MS = 5 * 60_000;

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
