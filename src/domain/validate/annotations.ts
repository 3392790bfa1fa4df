// Names and labels of objects. Patterns and texts are SwarmKit's (manager/controlapi/common.go).
import { rpcError } from '#lib/errors.ts';
import type { Annotations } from '../spec.ts';

// SwarmKit's patterns, written so that no text makes the match slow.
const DNS_NAME_PATTERN = /^[a-zA-Z0-9](?:[-_A-Za-z0-9]*[A-Za-z0-9])?$/;
const MAX_DNS_NAME_LENGTH = 63;
const FILE_NAME_PATTERN = /^[a-zA-Z0-9](?:[a-zA-Z0-9\-_.]*[a-zA-Z0-9])?$/;
const MAX_FILE_NAME_LENGTH = 64;

/** Services and networks: their names become DNS names. */
export function validateAnnotations({ name }: Annotations): void {
  if (name === '') throw rpcError('invalidArgument', 'meta: name must be provided');
  if (!DNS_NAME_PATTERN.test(name)) throw rpcError('invalidArgument', 'name must be valid as a DNS name component');
  if (name.length > MAX_DNS_NAME_LENGTH) throw rpcError('invalidArgument', `name must be ${MAX_DNS_NAME_LENGTH} characters or fewer`);
}

/** Secrets and configs: their names become file names. */
export function validateFileAnnotations({ name }: Annotations): void {
  if (name === '') throw rpcError('invalidArgument', 'name must be provided');
  if (name.length <= MAX_FILE_NAME_LENGTH && FILE_NAME_PATTERN.test(name)) return;
  const rule = `only ${MAX_FILE_NAME_LENGTH} [a-zA-Z0-9-_.] characters allowed, and the start and end character must be [a-zA-Z0-9]`;
  throw rpcError('invalidArgument', `invalid name, ${rule}`);
}
