import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, renameSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { createCertificateRequest, readNodeCertificate, signCertificateRequest } from '#ca/node-certificate.ts';
import { createRootCa, crossSign, isSignedBy, type RootCa } from '#ca/root.ts';
import { silentLogger } from '#lib/log.ts';
import { createFakeClock, createSeededRandom } from '#lib/testing/fake-clock.ts';
import { createCertificateKeeper } from './certificate-keeper.ts';
import { readIdentity, writeIdentity } from './identity.ts';

const day = 24 * 3_600_000;
/** Keys are made off the fake clock, by threads that a busy machine may keep waiting: moments of real time, 10 s of them at least. */
const realMoment = () => delay(2);
const PATIENCE = 5_000;
const subject = { nodeId: 'n1', role: 'worker', clusterId: 'c1' } as const;

async function setUp(context: TestContext) {
  const folder = mkdtempSync(join(tmpdir(), 'skep-keeper-'));
  const clock = createFakeClock(Date.now());
  const root = await createRootCa({ now: clock.now() });
  /** What the managers sign with now. */
  const authority: { root: RootCa; chain?: string; expiryMs: number; failures: number } = { root, expiryMs: 10 * day, failures: 0 };
  const { request, key } = await createCertificateRequest();
  writeIdentity(folder, { roots: root.certificate, key, certificate: await sign(request) });
  function sign(text: string) {
    const { chain } = authority;
    return signCertificateRequest(authority.root, text, subject, { now: clock.now(), expiryMs: authority.expiryMs, ...(chain === undefined ? {} : { chain }) });
  }
  let issued = 0;
  const issue = async (text: string) => {
    if (authority.failures-- > 0) throw new Error('no manager answers');
    issued++;
    return sign(text);
  };
  const keeper = createCertificateKeeper({ folder, issue, clock, random: createSeededRandom(5), log: silentLogger });
  const stop = new AbortController();
  const running = keeper.run(stop.signal);
  context.after(async () => {
    stop.abort();
    await running;
    rmSync(folder, { recursive: true });
  });
  const certificates = new Set([keeper.identity().certificate]);
  keeper.onChange(({ certificate }) => certificates.add(certificate));
  /** Lets time stand until the keeper has taken so many certificates. */
  const untilTaken = async (count: number) => {
    for (let round = 0; round < PATIENCE && certificates.size <= count; round++) await realMoment();
    assert.deepEqual([certificates.size, issued], [count + 1, count]);
    assert.equal(readIdentity(folder).certificate, keeper.identity().certificate);
  };
  const trust = { roots: root.certificate, issuer: root.certificate, expiryMs: 10 * day };
  return { folder, clock, root, authority, keeper, trust, untilTaken, issued: () => issued };
}

test('a certificate is renewed between half and four fifths of its life, and tried again while no manager answers', async (context) => {
  const { clock, authority, keeper, trust, untilTaken, issued } = await setUp(context);
  keeper.follow(trust);
  const { serial, notAfter } = { serial: keeper.identity().certificate, ...readNodeCertificate(keeper.identity().certificate) };
  await clock.advance(4.9 * day);
  assert.equal(issued(), 0);
  authority.failures = 2;
  await clock.advance(3.2 * day);
  for (let round = 0; round < PATIENCE && issued() === 0; round++) {
    await realMoment();
    await clock.advance(1_000);
  }
  await untilTaken(1);
  assert.notEqual(keeper.identity().certificate, serial);
  assert.ok(readNodeCertificate(keeper.identity().certificate).notAfter > notAfter);
});

test('a life that is shortened below the certificate’s own makes it renew at once, one that is lengthened does not', async (context) => {
  const { authority, keeper, trust, untilTaken, clock, issued } = await setUp(context);
  keeper.follow({ ...trust, expiryMs: 20 * day });
  for (let round = 0; round < 50; round++) await clock.settle();
  assert.equal(issued(), 0);
  authority.expiryMs = 2 * day;
  keeper.follow({ ...trust, expiryMs: 2 * day });
  await untilTaken(1);
});

test('while the root is rotated both are trusted and the certificate is of the new one; then the old one is forgotten', async (context) => {
  const { folder, authority, keeper, trust, root, untilTaken, clock } = await setUp(context);
  const heard: string[] = [];
  keeper.onChange(({ roots }) => heard.push(roots));
  const next = await createRootCa({ now: clock.now() });
  Object.assign(authority, { root: next, chain: await crossSign(root, next.certificate) });
  keeper.follow({ ...trust, roots: root.certificate + next.certificate, issuer: next.certificate });
  await untilTaken(1);
  assert.ok(isSignedBy(keeper.identity().certificate, next.certificate));
  assert.equal(keeper.tlsInfo().trustRoot, root.certificate + next.certificate);
  keeper.follow({ ...trust, roots: next.certificate, issuer: next.certificate });
  assert.equal(readIdentity(folder).roots, next.certificate);
  assert.deepEqual(keeper.tlsInfo().trustRoot, next.certificate);
  assert.equal(heard.length, 3);
  await untilTaken(1);
});

test('a certificate of a root that nobody announced is not taken', async (context) => {
  const { authority, keeper, trust, clock, issued } = await setUp(context);
  const before = keeper.identity().certificate;
  authority.root = await createRootCa({ now: clock.now() });
  authority.expiryMs = 2 * day;
  keeper.follow({ ...trust, expiryMs: 2 * day });
  for (let round = 0; round < PATIENCE && issued() === 0; round++) await realMoment();
  for (let round = 0; round < 20; round++) await clock.settle();
  assert.equal(keeper.identity().certificate, before);
});

test('a crash between the files of a new identity leaves a certificate with its key', async (context) => {
  const { folder, root, clock } = await setUp(context);
  const old = readIdentity(folder);
  const { request, key } = await createCertificateRequest();
  writeFileSync(join(folder, 'node.key.next'), key);
  assert.deepEqual(readIdentity(folder), old);
  writeFileSync(join(folder, 'node.crt.new'), await signCertificateRequest(root, request, subject, { now: clock.now() }));
  renameSync(join(folder, 'node.crt.new'), join(folder, 'node.crt'));
  assert.equal(readIdentity(folder).key, key);
});

test('what a full disk did not take, a certificate or roots, is tried again until it has', async (context) => {
  const { folder, clock, root, keeper, trust, issued } = await setUp(context);
  const until = async (isReached: () => boolean) => {
    for (let round = 0; round < PATIENCE && !isReached(); round++) {
      await realMoment();
      await clock.advance(1_000);
    }
    assert(isReached());
  };
  // Nothing can be written where a folder is.
  const inTheWay = join(folder, 'node.key.next.new');
  const old = keeper.identity().certificate;
  keeper.follow(trust);
  mkdirSync(inTheWay);
  await clock.advance(8.1 * day);
  await until(() => issued() >= 2);
  assert.equal(keeper.identity().certificate, old);
  rmdirSync(inTheWay);
  await until(() => keeper.identity().certificate !== old);
  mkdirSync(inTheWay);
  const roots = root.certificate + (await createRootCa({ now: clock.now() })).certificate;
  keeper.follow({ ...trust, roots });
  assert.equal(readIdentity(folder).roots, root.certificate);
  rmdirSync(inTheWay);
  await until(() => keeper.identity().roots === roots);
  assert.equal(readIdentity(folder).roots, roots);
});
