// Secrets and configs: names and sizes.
import { AppError, rpcError } from '#lib/errors.ts';
import type { ConfigSpec, SecretSpec } from '../spec.ts';
import { validateFileAnnotations } from './annotations.ts';

/** Sizes are below these; the texts say so. */
const SECRET_LIMIT_BYTES = 500 * 1024;
const CONFIG_LIMIT_BYTES = 1000 * 1024;

/** The plain bytes of a new secret; empty when a driver is to provide them. Throws AppError in Docker's words. */
export function validateSecretSpec(spec: SecretSpec): Uint8Array {
  const data = decodeBase64(spec.data ?? '');
  validateFileAnnotations(spec);
  if (spec.driver !== undefined) {
    if (spec.driver.name === '') throw rpcError('invalidArgument', 'secret driver must have a name');
    return data;
  }
  if (data.length === 0 || data.length >= SECRET_LIMIT_BYTES) {
    throw rpcError('invalidArgument', `secret data must be larger than 0 and less than ${SECRET_LIMIT_BYTES} bytes`);
  }
  return data;
}

/** The plain bytes of a new config. Throws AppError in Docker's words. */
export function validateConfigSpec(spec: ConfigSpec): Uint8Array {
  const data = decodeBase64(spec.data);
  validateFileAnnotations(spec);
  if (data.length === 0 || data.length >= CONFIG_LIMIT_BYTES) {
    throw rpcError('invalidArgument', `config data must be larger than 0 and less than ${CONFIG_LIMIT_BYTES} bytes`);
  }
  return data;
}

/** Standard base64 with padding; line breaks are skipped, as Go's decoder does. Throws AppError that tells the first byte that is none. */
export function decodeBase64(text: string): Uint8Array {
  const wrong = firstWrongByte(text);
  if (wrong !== undefined) throw new AppError('invalidArgument', `illegal base64 data at input byte ${wrong}`);
  return Buffer.from(text, 'base64');
}

function firstWrongByte(text: string): number | undefined {
  const compact = text.replaceAll(/[\r\n]/g, '');
  const body = /^[A-Za-z0-9+/]*/.exec(compact)?.[0] ?? '';
  const padding = compact.slice(body.length);
  const expected = ['', undefined, '==', '='][body.length % 4];
  return padding === expected ? undefined : body.length;
}
