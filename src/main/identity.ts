// This node's certificate, key and roots on disk. A crash between two files leaves a certificate and its key: the new key waits beside the old one
// until its certificate is there.
import { renameSync } from 'node:fs';
import { join } from 'node:path';
import { readFileSync } from 'node:fs';
import { type NodeCertificate, readNodeCertificate } from '#ca/node-certificate.ts';
import { isKeyOf } from '#ca/root.ts';
import { ensurePrivateDirectory, readFileIfPresent, writeFileAtomically } from '#platform/files.ts';
import type { TlsMaterial } from '#transport/server.ts';

const files = { roots: 'root.crt', certificate: 'node.crt', key: 'node.key', nextKey: 'node.key.next' } as const;

export function writeIdentity(folder: string, { roots, certificate, key }: TlsMaterial): void {
  ensurePrivateDirectory(folder);
  writeFileAtomically(join(folder, files.nextKey), key);
  writeFileAtomically(join(folder, files.roots), roots);
  writeFileAtomically(join(folder, files.certificate), certificate);
  renameSync(join(folder, files.nextKey), join(folder, files.key));
}

export function readIdentity(folder: string): TlsMaterial {
  const read = (part: keyof typeof files) => readFileSync(join(folder, files[part]), 'utf8');
  const certificate = read('certificate');
  const next = readFileIfPresent(join(folder, files.nextKey));
  const key = next !== undefined && isKeyOf(certificate, next) ? next : read('key');
  return { roots: read('roots'), certificate, key };
}

/** What this node's certificate says; undefined when it cannot be read. */
export function certificateOf(folder: string): NodeCertificate | undefined {
  try {
    return readNodeCertificate(readFileSync(join(folder, files.certificate), 'utf8'));
  } catch {
    return undefined;
  }
}
