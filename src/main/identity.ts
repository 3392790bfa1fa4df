// This node's certificate, key and roots on disk. A crash between two files leaves a certificate and its key: the new key waits beside the old one
// until its certificate is there.
import { renameSync } from 'node:fs';
import { join } from 'node:path';
import { readFileSync } from 'node:fs';
import { type NodeCertificate, readNodeCertificate } from '#ca/node-certificate.ts';
import { isKeyOf } from '#ca/root.ts';
import { ensurePrivateDirectory, readFileIfPresent, writeFileAtomically } from '#platform/files.ts';
import type { Sealer } from '#store/seal.ts';
import type { TlsMaterial } from '#transport/server.ts';
import { keepKeyFile, keyText, openKey } from './key-file.ts';

const files = { roots: 'root.crt', certificate: 'node.crt', key: 'node.key', nextKey: 'node.key.next' } as const;

/** With a sealer the key is locked by it. */
export function writeIdentity(folder: string, { roots, certificate, key }: TlsMaterial, lockedBy?: Sealer): void {
  ensurePrivateDirectory(folder);
  writeFileAtomically(join(folder, files.nextKey), keyText(key, lockedBy));
  writeFileAtomically(join(folder, files.roots), roots);
  writeFileAtomically(join(folder, files.certificate), certificate);
  renameSync(join(folder, files.nextKey), join(folder, files.key));
}

/** A manager's key may be locked; its sealer opens it. */
export function readIdentity(folder: string, sealer?: Sealer): TlsMaterial {
  const read = (part: keyof typeof files) => readFileSync(join(folder, files[part]), 'utf8');
  const certificate = read('certificate');
  const nextText = readFileIfPresent(join(folder, files.nextKey));
  const next = nextText === undefined ? undefined : openKey(nextText, sealer);
  const key = next !== undefined && isKeyOf(certificate, next) ? next : openKey(read('key'), sealer);
  return { roots: read('roots'), certificate, key };
}

/** Locks or unlocks a manager's key where it lies. A worker's is never locked: nobody would unlock it. */
export function keepIdentityLocked(folder: string, sealer: Sealer, isLocked: boolean): void {
  if (certificateOf(folder)?.role !== 'manager') return;
  for (const file of [files.key, files.nextKey]) keepKeyFile(join(folder, file), sealer, isLocked);
}

/** What this node's certificate says; undefined when it cannot be read. */
export function certificateOf(folder: string): NodeCertificate | undefined {
  try {
    return readNodeCertificate(readFileSync(join(folder, files.certificate), 'utf8'));
  } catch {
    return undefined;
  }
}
