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

export interface SigningKey {
  readonly key: webcrypto.CryptoKey;
  readonly algorithm: { readonly name: string; readonly hash: string };
}

/** Curves that a root of the user's own may have, with the digest that fits each. */
const curves: Readonly<Record<string, { readonly namedCurve: string; readonly hash: string }>> = {
  prime256v1: { namedCurve: 'P-256', hash: 'SHA-256' },
  secp384r1: { namedCurve: 'P-384', hash: 'SHA-384' },
  secp521r1: { namedCurve: 'P-521', hash: 'SHA-512' },
};

/** For signing. Our own keys are ECDSA P-256; a user's root may have another curve, or RSA. The error says nothing of the key. */
export async function importSigningKey(pem: string): Promise<SigningKey> {
  try {
    const key = createPrivateKey(pem);
    const der = key.export({ format: 'der', type: 'pkcs8' });
    const { namedCurve, hash } = curves[key.asymmetricKeyDetails?.namedCurve ?? ''] ?? { namedCurve: undefined, hash: 'SHA-256' };
    const algorithm = namedCurve === undefined ? { name: 'RSASSA-PKCS1-v1_5', hash } : { name: 'ECDSA', hash };
    const imported = { ...algorithm, ...(namedCurve === undefined ? {} : { namedCurve }) };
    return { key: await webcrypto.subtle.importKey('pkcs8', der, imported, false, ['sign']), algorithm };
  } catch {
    throw new AppError('internal', 'the signing key cannot be read: it must be an ECDSA or RSA key in PEM form');
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
