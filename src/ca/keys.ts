// Keys, serial numbers and PEM. All keys are ECDSA P-256, SwarmKit's choice.
import { createPrivateKey, randomBytes, webcrypto } from 'node:crypto';
import { AppError } from '#lib/errors.ts';

const keyAlgorithm = { name: 'ECDSA', namedCurve: 'P-256' } as const;
export const certificateAlgorithm = { name: 'ECDSA', hash: 'SHA-256' } as const;

export function createKeyPair(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(keyAlgorithm, true, ['sign', 'verify']);
}

/** The private key as PEM (PKCS #8). */
export async function exportKey({ privateKey }: webcrypto.CryptoKeyPair): Promise<string> {
  return toPem('PRIVATE KEY', await webcrypto.subtle.exportKey('pkcs8', privateKey));
}

/** For signing. The error says nothing of the key. */
export async function importSigningKey(pem: string): Promise<webcrypto.CryptoKey> {
  try {
    const der = createPrivateKey(pem).export({ format: 'der', type: 'pkcs8' });
    return await webcrypto.subtle.importKey('pkcs8', der, keyAlgorithm, false, ['sign']);
  } catch {
    throw new AppError('internal', 'the signing key cannot be read: it must be an ECDSA P-256 key in PEM form');
  }
}

/** 20 bytes, positive and never zero, as RFC 5280 asks. */
export function newSerialNumber(): string {
  const bytes = randomBytes(20);
  bytes.writeUInt8((bytes.readUInt8(0) & 0x7f) | 0x40, 0);
  return bytes.toString('hex');
}

/** Lines of 64 characters and a final newline, as openssl and Go write it. */
export function toPem(label: string, der: ArrayBuffer): string {
  const lines =
    Buffer.from(der)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ''].join('\n');
}
