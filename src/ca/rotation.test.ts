import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Cluster } from '#domain/objects.ts';
import { present } from '#lib/assert.ts';
import { createSwarm, makeCluster, makeNode } from '../../test/lib/swarm.ts';
import { createCertificateRequest, signCertificateRequest } from './node-certificate.ts';
import { createRootCa, crossSign, isSignedBy, splitCertificates, tlsInfoOf, tlsInfoOfNode } from './root.ts';
import { checkGivenRoot, finishRotation, trustOf } from './rotation.ts';

const now = Date.now();
const day = 24 * 3_600_000;
const subject = { nodeId: 'n1', role: 'worker', clusterId: 'c1' } as const;

function verifies(trusted: string, chain: string): boolean {
  const folder = mkdtempSync(join(tmpdir(), 'skep-rotation-'));
  try {
    writeFileSync(join(folder, 'roots.pem'), trusted);
    writeFileSync(join(folder, 'chain.pem'), chain);
    execFileSync('openssl', ['verify', '-CAfile', join(folder, 'roots.pem'), '-untrusted', join(folder, 'chain.pem'), join(folder, 'chain.pem')], {
      stdio: 'pipe',
    });
    return true;
  } catch {
    return false;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** A root that openssl makes, as a user would. */
function ownRoot(...options: readonly string[]): { readonly certificate: string; readonly key: string } {
  const folder = mkdtempSync(join(tmpdir(), 'skep-rotation-'));
  const [key, certificate] = [join(folder, 'key'), join(folder, 'crt')];
  try {
    execFileSync('openssl', ['req', '-x509', '-nodes', '-subj', '/O=us/CN=our own', '-keyout', key, '-out', certificate, ...options], { stdio: 'pipe' });
    return { certificate: readFileSync(certificate, 'utf8'), key: readFileSync(key, 'utf8') };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test('a certificate of the new root is trusted by whoever trusts the old one, the new one, or both; not by others', async () => {
  const old = await createRootCa({ now });
  const rsa = ownRoot('-newkey', 'rsa:2048', '-days', '3650');
  const curve = ownRoot('-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:secp384r1', '-days', '3650');
  const other = await createRootCa({ now });
  for (const next of [await createRootCa({ now }), rsa, curve]) {
    const crossSigned = await crossSign(old, next.certificate);
    const { request } = await createCertificateRequest();
    const chain = await signCertificateRequest(next, request, subject, { now, chain: crossSigned });
    for (const roots of [old.certificate, next.certificate, old.certificate + next.certificate]) {
      assert.ok(verifies(roots, chain));
      const { issuerPublicKey, trustRoot } = tlsInfoOfNode({ certificate: chain, roots });
      assert.deepEqual([issuerPublicKey, trustRoot], [tlsInfoOf(next.certificate).issuerPublicKey, roots]);
    }
    assert.ok(!verifies(other.certificate, chain));
    assert.equal(splitCertificates(chain).length, 2);
    assert.ok(isSignedBy(chain, next.certificate) && !isSignedBy(chain, old.certificate));
  }
  // And back: an RSA root signs its successor.
  const back = await crossSign(rsa, old.certificate);
  const { request } = await createCertificateRequest();
  assert.ok(verifies(rsa.certificate, await signCertificateRequest(old, request, subject, { now, chain: back })));
});

test('a root of the user’s own is checked in the words of SwarmKit', () => {
  const good = ownRoot('-newkey', 'rsa:2048', '-days', '3650');
  const spaced = `\n  ${good.certificate.trim().split('\n').join('  \n')}\n\n`;
  assert.equal(checkGivenRoot(spaced, good.key, now), good.certificate);
  const refused = (pem: string, key: string | undefined, text: string) =>
    assert.throws(() => checkGivenRoot(pem, key, now), { code: 'invalidArgument', message: `rpc error: code = InvalidArgument desc = ${text}` });
  refused('nonsense', undefined, 'could not parse the desired CA certificate');
  refused('-----BEGIN CERTIFICATE-----\nbm9uc2Vuc2U=\n-----END CERTIFICATE-----\n', undefined, 'could not parse the desired CA certificate');
  refused(good.certificate + good.certificate, good.key, 'the desired CA certificate cannot contain multiple certificates');
  const short = ownRoot('-newkey', 'rsa:2048', '-days', '300');
  refused(short.certificate, short.key, 'CA certificate expires too soon');
  refused(good.certificate, short.key, 'certificate key mismatch');
  refused(good.certificate, 'no key', 'certificate key mismatch');
});

test('the old root is dropped when every node tells of a certificate of the new one, and not before', async () => {
  const [old, next] = await Promise.all([createRootCa({ now }), createRootCa({ now })]);
  const rotation = { certificate: next.certificate, sealedKey: 'next', crossSigned: 'x' };
  const cluster = makeCluster({ rootCa: { certificate: old.certificate, sealedKey: 'old', rotation }, rootRotationInProgress: true });
  const node = (index: number, root?: string) => {
    const { description, ...rest } = makeNode(index);
    return { ...rest, ...(description === undefined ? {} : { description: { ...description, ...(root === undefined ? {} : { tls: tlsInfoOf(root) }) } }) };
  };
  const decide = (...nodes: ReturnType<typeof node>[]) => finishRotation(createSwarm([cluster, ...nodes]).view).changes;
  assert.deepEqual(decide(node(1, next.certificate), node(2, old.certificate)), []);
  assert.deepEqual(decide(node(1, next.certificate), node(2)), []);
  const [change] = decide(node(1, next.certificate), node(2, next.certificate));
  const done = present(change, 'a change').object as Cluster;
  const { rootCa, rootRotationInProgress } = done;
  assert.deepEqual([rootCa, rootRotationInProgress], [{ certificate: next.certificate, sealedKey: 'next' }, false]);
  assert.deepEqual(trustOf(cluster), { roots: old.certificate + next.certificate, issuer: next.certificate, expiryMs: 90 * day });
  assert.deepEqual(finishRotation(createSwarm([done]).view).changes, []);
});
