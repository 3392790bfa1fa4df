// This node's certificate, key and root on disk.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TlsMaterial } from '#transport/server.ts';
import { ensurePrivateDirectory, writeFileAtomically } from '#platform/files.ts';

const files = { roots: 'root.crt', certificate: 'node.crt', key: 'node.key' } as const;

export function writeIdentity(folder: string, identity: TlsMaterial): void {
  ensurePrivateDirectory(folder);
  // The key first: a certificate without its key would be of no use, an old certificate beside a new key is noticed when it is used.
  for (const part of ['key', 'roots', 'certificate'] as const) writeFileAtomically(join(folder, files[part]), identity[part]);
}

export function readIdentity(folder: string): TlsMaterial {
  const read = (part: keyof typeof files) => readFileSync(join(folder, files[part]), 'utf8');
  return { roots: read('roots'), certificate: read('certificate'), key: read('key') };
}
