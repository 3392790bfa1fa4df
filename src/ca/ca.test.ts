import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { connect, createServer } from 'node:tls';
import fc from 'fast-check';
import type { Random } from '#lib/clock.ts';
import { AppError } from '#lib/errors.ts';
import { assertRootDigest, createJoinSecret, digestOfRoot, formatJoinToken, isSameSecret, parseJoinToken } from './join-token.ts';
import { createCertificateRequest, readNodeCertificate, signCertificateRequest, verifyNodeCertificate } from './node-certificate.ts';
import { renewalTime } from './renewal.ts';
import { createRootCa, isKeyOf, tlsInfoOf } from './root.ts';

const now = Date.now();
const day = 24 * 3_600_000;
const random: Random = { bytes: (count) => randomBytes(count) };
const subject = { nodeId: 'rijuah6mglois0antm3nbobvg', role: 'manager', clusterId: 'ovjqcrwgoi4y3csd3vqqypw00' } as const;

/** A root that Docker 20.10 made, with what its API said of it. */
const docker = {
  root: `-----BEGIN CERTIFICATE-----
MIIBajCCARCgAwIBAgIUBP/nNh7NMkj6kp1valtd4cwLk70wCgYIKoZIzj0EAwIw
EzERMA8GA1UEAxMIc3dhcm0tY2EwHhcNMjYxMTIwMTEzNzAwWhcNNDYxMTE1MTEz
NzAwWjATMREwDwYDVQQDEwhzd2FybS1jYTBZMBMGByqGSM49AgEGCCqGSM49AwEH
A0IABMoiOEcrl7JUI1YEcTNIW4DDVOCFCV3JtqJxXkmo6sqWehV9CmxUTql5iXPH
8XAWa+pml4mXplzE1brPQqDfZFijQjBAMA4GA1UdDwEB/wQEAwIBBjAPBgNVHRMB
Af8EBTADAQH/MB0GA1UdDgQWBBSXkiL0xJLjbQilezXPItDJsvCJtzAKBggqhkjO
PQQDAgNIADBFAiEA4gHAXYvHNvHdDc1pVunuHjjSrPJw5MKfBdaDtIBywHcCIFV+
0kWcU3TcuahL5rMkkYuf7uhgJwcHI1r9stSv1+Ss
-----END CERTIFICATE-----
`,
  subject: 'MBMxETAPBgNVBAMTCHN3YXJtLWNh',
  publicKey: 'MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEyiI4RyuXslQjVgRxM0hbgMNU4IUJXcm2onFeSajqypZ6FX0KbFROqXmJc8fxcBZr6maXiZemXMTVus9CoN9kWA==',
  token: 'SWMTKN-1-2ws7k49e8f5ktz79ldm5jin1h5sx8rpwsutco8y1ysm2joaq9z-f0kvftdyjki3ti70dfqsbcklg',
};

test('tokens and issuer facts of a root that Docker made are those that Docker told', () => {
  const { secret, rootDigest } = parseJoinToken(docker.token);
  assert.equal(formatJoinToken(docker.root, secret), docker.token);
  assert.equal(rootDigest, digestOfRoot(docker.root));
  assert.deepEqual(tlsInfoOf(docker.root), { trustRoot: docker.root, issuerSubject: docker.subject, issuerPublicKey: docker.publicKey });
});

test('a new root is like Docker’s: swarm-ca, twenty years, able to sign certificates only', async () => {
  const root = await createRootCa({ now });
  assert.match(root.certificate, /^-----BEGIN CERTIFICATE-----\n(?:[A-Za-z0-9+/=]{1,64}\n)+-----END CERTIFICATE-----\n$/);
  assert.equal(tlsInfoOf(root.certificate).issuerSubject, docker.subject);
  assert.ok(isKeyOf(root.certificate, root.key));
  assert.ok(!isKeyOf(docker.root, root.key));
  const text = execFileSync('openssl', ['x509', '-noout', '-text'], { input: root.certificate, encoding: 'utf8' });
  assert.match(text, /Subject: CN = ?swarm-ca/);
  assert.match(text, /NIST CURVE: P-256/);
  assert.match(text, /X509v3 Key Usage: critical\s+Certificate Sign, CRL Sign/);
  assert.match(text, /X509v3 Basic Constraints: critical\s+CA:TRUE/);
  const [, notBefore = '', notAfter = ''] = /Not Before: (.*)\n\s*Not After : (.*)\n/.exec(text) ?? [];
  assert.equal((Date.parse(notAfter) - Date.parse(notBefore)) / 1_000, 630_720_000);
});

test('a node certificate says who, what and which swarm, and openssl verifies it against the root', async () => {
  const root = await createRootCa({ now });
  const { request, key } = await createCertificateRequest();
  const chain = await signCertificateRequest(root, request, subject, { now, expiryMs: 10 * day, hosts: ['192.0.2.7', 'fd00::1', 'node1'] });
  assert.ok(chain.endsWith(root.certificate));
  assert.ok(isKeyOf(chain, key));
  const read = verifyNodeCertificate(chain, root.certificate, now);
  assert.deepEqual({ nodeId: read.nodeId, role: read.role, clusterId: read.clusterId }, subject);
  assert.ok(Math.abs(read.notAfter - (now + 10 * day)) < 1_000 && Math.abs(read.notBefore - (now - 3_600_000)) < 1_000);

  const folder = mkdtempSync(join(tmpdir(), 'skep-ca-'));
  try {
    writeFileSync(join(folder, 'root.pem'), root.certificate);
    writeFileSync(join(folder, 'node.pem'), chain);
    assert.match(execFileSync('openssl', ['verify', '-CAfile', join(folder, 'root.pem'), join(folder, 'node.pem')], { encoding: 'utf8' }), /: OK/);
    const text = execFileSync('openssl', ['x509', '-noout', '-text', '-in', join(folder, 'node.pem')], { encoding: 'utf8' });
    assert.match(text, /Subject: O = ?ovjqcrwgoi4y3csd3vqqypw00, OU = ?swarm-manager, CN = ?rijuah6mglois0antm3nbobvg/);
    assert.match(text, /DNS:swarm-manager, DNS:rijuah6mglois0antm3nbobvg, DNS:swarm-ca, IP Address:192\.0\.2\.7, IP Address:FD00:0:0:0:0:0:0:1, DNS:node1/);
    assert.match(text, /TLS Web Server Authentication, TLS Web Client Authentication/);
    assert.match(readFileSync(join(folder, 'node.pem'), 'utf8'), /^-----BEGIN CERTIFICATE-----/);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('a certificate of another root, or out of its time, is not trusted', async () => {
  const [root, other] = await Promise.all([createRootCa({ now }), createRootCa({ now })]);
  const { request } = await createCertificateRequest();
  const chain = await signCertificateRequest(root, request, { ...subject, role: 'worker' }, { now });
  assert.equal(readNodeCertificate(chain).role, 'worker');
  assert.ok(Math.abs(readNodeCertificate(chain).notAfter - (now + 90 * day)) < 1_000);
  assert.throws(() => verifyNodeCertificate(chain, other.certificate, now), /was not issued by this swarm/);
  assert.throws(() => verifyNodeCertificate(chain, root.certificate, now + 91 * day), /is valid from .* only/);
  assert.throws(() => readNodeCertificate(root.certificate), /not that of a swarm node/);
  assert.throws(() => readNodeCertificate('nonsense'), AppError);
});

test('bad requests and keys are refused without telling their content', async () => {
  const root = await createRootCa({ now });
  const { request, key } = await createCertificateRequest();
  const lines = request.split('\n');
  const forged = Buffer.from(lines.slice(1, -2).join(''), 'base64');
  forged[forged.length - 5] = (forged.at(-5) ?? 0) ^ 1;
  const forgedPem = `-----BEGIN CERTIFICATE REQUEST-----\n${forged.toString('base64')}\n-----END CERTIFICATE REQUEST-----\n`;
  for (const bad of ['', 'nonsense', key, forgedPem]) {
    await assert.rejects(
      signCertificateRequest(root, bad, subject, { now }),
      (error) => error instanceof AppError && error.code === 'invalidArgument' && !error.message.includes('MI'),
    );
  }
  const brokenKey = root.key.replace(/\n[A-Za-z0-9+/]{20}/, '\nAAAAAAAAAAAAAAAAAAAA');
  await assert.rejects(
    signCertificateRequest({ ...root, key: brokenKey }, request, subject, { now }),
    (error) => error instanceof AppError && !error.message.includes('AAAA') && error.cause === undefined,
  );
});

test('two nodes talk over mutual TLS with their certificates', async () => {
  const root = await createRootCa({ now });
  const identity = async (role: 'manager' | 'worker', nodeId: string) => {
    const { request, key } = await createCertificateRequest();
    return { cert: await signCertificateRequest(root, request, { ...subject, role, nodeId }, { now }), key, ca: root.certificate };
  };
  const [manager, worker] = await Promise.all([identity('manager', 'm'), identity('worker', 'w')]);
  const server = createServer({ ...manager, requestCert: true, rejectUnauthorized: true, minVersion: 'TLSv1.3' }, (socket) => {
    const peer = socket.getPeerX509Certificate();
    socket.end(peer ? readNodeCertificate(peer.toString()).nodeId : '');
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  assert.ok(address && typeof address === 'object');
  const client = connect({ ...worker, host: '127.0.0.1', port: address.port, servername: 'swarm-manager' });
  let text = '';
  client.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  await once(client, 'end');
  client.destroy();
  server.close();
  assert.equal(text, 'w');
});

test('tokens come back as they were, malformed ones and those of another swarm are refused in Docker’s words', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), fc.string({ minLength: 1 }), (bytes, root) => {
      const secret = createJoinSecret({ bytes: () => bytes });
      assert.match(secret, /^[0-9a-z]{25}$/);
      const token = formatJoinToken(root, secret);
      assert.match(token, /^SWMTKN-1-[0-9a-z]{50}-[0-9a-z]{25}$/);
      assert.deepEqual(parseJoinToken(token), { rootDigest: digestOfRoot(root), secret });
    }),
  );
  const valid = docker.token;
  assert.throws(() => parseJoinToken(''), { message: 'rpc error: code = InvalidArgument desc = A valid join token is necessary to join this cluster' });
  for (const wrong of ['banana', `${valid}x`, valid.slice(0, -1), valid.toUpperCase(), valid.replace('-1-', '-2-'), valid.replace(/-2ws7k/, '-zzzzz')]) {
    assert.throws(
      () => parseJoinToken(wrong),
      (error) => error instanceof AppError && error.message === 'invalid join token' && error.httpStatus === 500,
    );
  }
  assertRootDigest(docker.root, parseJoinToken(valid));
  assert.throws(() => assertRootDigest(`${docker.root}\n`, parseJoinToken(valid)), /^AppError: remote CA does not match fingerprint\. Expected: [0-9a-f]{64}$/);
  assert.ok(isSameSecret('abc', 'abc'));
  assert.ok(!isSameSecret('abc', 'abd') && !isSameSecret('abc', 'ab'));
});

test('renewal falls between half and four fifths of a certificate’s life', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 1e12 }), fc.integer({ min: 3_600_000, max: 1e11 }), (notBefore, life) => {
      const at = renewalTime({ notBefore, notAfter: notBefore + life }, random);
      assert.ok(at >= notBefore + life * 0.5 - 1 && at <= notBefore + life * 0.8);
    }),
  );
});
