// Keys and serial numbers. All keys are ECDSA P-256, SwarmKit's choice.
import { randomBytes, webcrypto } from 'node:crypto';
import { PemConverter } from './x509.ts';
import { AppError } from '#lib/errors.ts';

const keyAlgorithm = { name: 'ECDSA', namedCurve: 'P-256' } as const;
export const certificateAlgorithm = { name: 'ECDSA', hash: 'SHA-256' } as const;

export function createKeyPair(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(keyAlgorithm, true, ['sign', 'verify']);
}

/** The private key as PEM (PKCS #8). */
export async function exportKey({ privateKey }: webcrypto.CryptoKeyPair): Promise<string> {
  return `${PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', privateKey), 'PRIVATE KEY').trimEnd()}\n`;
}

/** For signing. The error says nothing of the key. */
export async function importSigningKey(pem: string): Promise<webcrypto.CryptoKey> {
  const [der] = PemConverter.isPem(pem) ? PemConverter.decode(pem) : [];
  try {
    return await webcrypto.subtle.importKey('pkcs8', der ?? new ArrayBuffer(0), keyAlgorithm, false, ['sign']);
  } catch {
    throw new AppError('internal', 'the signing key cannot be read: it must be an ECDSA P-256 key in PKCS #8 PEM form');
  }
}

/** 20 bytes, positive and never zero, as RFC 5280 asks. */
export function newSerialNumber(): string {
  const bytes = randomBytes(20);
  bytes.writeUInt8((bytes.readUInt8(0) & 0x7f) | 0x40, 0);
  return bytes.toString('hex');
}
