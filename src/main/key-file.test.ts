// Private keys on the disk of a manager, open and locked.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { createCertificateRequest, signCertificateRequest } from '#ca/node-certificate.ts';
import { createRootCa } from '#ca/root.ts';
import { createDataKey, createSealer } from '#store/seal.ts';
import { keepIdentityLocked, readIdentity, writeIdentity } from './identity.ts';
import { keepKeyFile, openKey } from './key-file.ts';

function makeFolder(context: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'skep-key-file-'));
  context.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

async function identity(role: 'manager' | 'worker') {
  const root = await createRootCa({ now: Date.now() });
  const { request, key } = await createCertificateRequest();
  const certificate = await signCertificateRequest(root, request, { nodeId: 'n1', role, clusterId: 'c1' }, { now: Date.now() });
  return { roots: root.certificate, certificate, key };
}

test('a key that is locked is not in its file, opens with its own sealer only, and lies open again afterwards', (context) => {
  const path = join(makeFolder(context), 'peer.key');
  const [sealer, other] = [createSealer(createDataKey()), createSealer(createDataKey())];
  const key = '-----BEGIN PRIVATE KEY-----\nthe-key\n-----END PRIVATE KEY-----\n';
  keepKeyFile(path, sealer, true);
  writeFileSync(path, key);
  keepKeyFile(path, sealer, true);
  const locked = readFileSync(path, 'utf8');
  assert.ok(!locked.includes('the-key') && !locked.includes('PRIVATE'));
  assert.equal(statSync(path).mode & 0o777, 0o600);
  assert.equal(openKey(locked, sealer), key);
  assert.throws(() => openKey(locked, other), /node-key cannot be unsealed/);
  assert.throws(() => openKey(locked, undefined), /this node's private key is locked with the swarm's unlock key/);
  // What is as it should be is not written again.
  keepKeyFile(path, sealer, true);
  assert.equal(readFileSync(path, 'utf8'), locked);
  keepKeyFile(path, sealer, false);
  assert.equal(readFileSync(path, 'utf8'), key);
});

test('a manager’s identity is locked, also one that a crash left between its files; a worker’s never is', async (context) => {
  const sealer = createSealer(createDataKey());
  const folder = makeFolder(context);
  const [manager, next] = [await identity('manager'), await identity('manager')];
  writeIdentity(folder, manager, sealer);
  assert.deepEqual(readIdentity(folder, sealer), manager);
  assert.throws(() => readIdentity(folder), /is locked/);
  // The certificate is the new one already, its key waits beside the old one.
  for (const [file, text] of Object.entries({ 'root.crt': next.roots, 'node.crt': next.certificate, 'node.key.next': next.key }))
    writeFileSync(join(folder, file), text);
  keepIdentityLocked(folder, sealer, true);
  for (const file of ['node.key', 'node.key.next']) assert.ok(!readFileSync(join(folder, file), 'utf8').includes('PRIVATE KEY'), file);
  assert.deepEqual(readIdentity(folder, sealer), next);
  const worker = await identity('worker');
  writeIdentity(folder, worker);
  keepIdentityLocked(folder, sealer, true);
  assert.deepEqual(readIdentity(folder), worker);
});
