// One etcd member alone, run as managers run theirs, for tests of what stands on it.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createCertificateRequest, signCertificateRequest } from '#ca/node-certificate.ts';
import { createRootCa } from '#ca/root.ts';
import { type EtcdProcess, startEtcd } from '#etcd/process.ts';
import type { Logger } from '#lib/log.ts';
import { systemClock } from '#platform/clock.ts';

export interface TestEtcd {
  readonly process: EtcdProcess;
  readonly folder: string;
  stop(): Promise<void>;
}

const ignore = () => {};
export const quietLog: Logger = { debug: ignore, info: ignore, warn: ignore, error: ignore };

export async function startTestEtcd(options: { readonly quotaBytes?: number } = {}): Promise<TestEtcd> {
  const folder = mkdtempSync(join(tmpdir(), 'skep-etcd-'));
  const root = await createRootCa({ now: Date.now() });
  const { request, key } = await createCertificateRequest();
  const certificate = await signCertificateRequest(root, request, { nodeId: 'n1', role: 'manager', clusterId: 'c' }, { now: Date.now(), hosts: ['127.0.0.1'] });
  for (const [file, text] of Object.entries({ 'ca.crt': root.certificate, 'peer.crt': certificate })) writeFileSync(join(folder, file), text);
  const url = `https://127.0.0.1:${await freePort()}`;
  const settings = { name: 'n1', listenPeerUrl: url, peerUrl: url, initialCluster: `n1=${url}`, isNew: true };
  const process = startEtcd({ folder, peerKey: key, settings, ...options, clock: systemClock, log: quietLog });
  await process.answering(new AbortController().signal);
  return {
    process,
    folder,
    async stop() {
      await process.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}
