// The two parts of a root certificate that the API shows as DER: whom it names, and its public key.
// node:crypto gives the key but not the name's bytes, so the few ASN.1 headers on the way to it are read here.
import { X509Certificate } from 'node:crypto';

export interface CertificateIssuer {
  /** base64 of DER. */
  readonly subject: string;
  readonly publicKey: string;
}

/** Of the first certificate in `pem`; undefined when there is none that can be read. */
export function issuerOf(pem: string): CertificateIssuer | undefined {
  try {
    const certificate = new X509Certificate(pem);
    return {
      subject: subjectOf(certificate.raw).toString('base64'),
      publicKey: certificate.publicKey.export({ type: 'spki', format: 'der' }).toString('base64'),
    };
  } catch {
    return undefined;
  }
}

interface Element {
  readonly tag: number;
  readonly start: number;
  readonly contentStart: number;
  readonly end: number;
}

const EXPLICIT_VERSION = 0xa0;

/** Certificate ::= SEQUENCE { tbs SEQUENCE { [0] version?, serial, algorithm, issuer, validity, subject … } … } (RFC 5280 §4.1). */
function subjectOf(der: Buffer): Buffer {
  const certificate = readElement(der, 0);
  const tbs = readElement(der, certificate.contentStart);
  let element = readElement(der, tbs.contentStart);
  if (element.tag === EXPLICIT_VERSION) element = readElement(der, element.end);
  for (let skipped = 0; skipped < 4; skipped += 1) element = readElement(der, element.end);
  return der.subarray(element.start, element.end);
}

function readElement(der: Buffer, start: number): Element {
  const first = der.readUInt8(start + 1);
  const lengthBytes = first < 0x80 ? 0 : first & 0x7f;
  const contentStart = start + 2 + lengthBytes;
  const length = lengthBytes === 0 ? first : der.readUIntBE(start + 2, lengthBytes);
  return { tag: der.readUInt8(start), start, contentStart, end: contentStart + length };
}
