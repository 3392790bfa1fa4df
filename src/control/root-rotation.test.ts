// What a cluster spec makes of the root of trust, where authorities outside the swarm have a part in it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ExternalSigner } from '#ca/external.ts';
import { createRootCa, crossSign, type RootCa } from '#ca/root.ts';
import { trustOf } from '#ca/rotation.ts';
import { signingRootOf } from '#ca/signing-root.ts';
import type { Cluster } from '#domain/objects.ts';
import type { ClusterSpec } from '#domain/spec.ts';
import { createFakeClock, createSeededRandom } from '#lib/testing/fake-clock.ts';
import { createSealer } from '#store/seal.ts';
import { sealContexts } from '#store/seal-contexts.ts';
import { makeCluster } from '../../test/lib/swarm.ts';
import { nextRoot } from './root-rotation.ts';

const clock = createFakeClock(Date.now());
const sealer = createSealer(new Uint8Array(32).fill(1), createSeededRandom(1));
const seal = (root: RootCa) => sealer.seal(Buffer.from(root.key), sealContexts.rootKey);
const externalCa = (root: RootCa | undefined, url = 'https://ca') => ({ protocol: 'cfssl', url, caCert: root?.certificate ?? '' });
const refusal = (text: string) => ({ code: 'invalidArgument', message: `rpc error: code = InvalidArgument desc = ${text}` });

/** Authorities that have the keys of these roots, at any address but those that are said to be off. */
function authorities(...roots: readonly RootCa[]): ExternalSigner & { readonly off: Set<string> } {
  const off = new Set<string>();
  return {
    off,
    sign: () => Promise.reject(new Error('not asked for')),
    crossSign: ({ root }, next) => crossSign(roots.find(({ certificate }) => certificate === root) as RootCa, next.certificate),
    firstReachable: ({ urls }) => Promise.resolve(urls.find((url) => !off.has(url))),
  };
}

async function setUp() {
  const [own, outside, further] = await Promise.all([
    createRootCa({ now: clock.now() }),
    createRootCa({ now: clock.now() }),
    createRootCa({ now: clock.now() }),
  ]);
  const externalSigner = authorities(outside, further);
  const cluster = (rootCa: Cluster['rootCa'], ca: ClusterSpec['ca'] = {}): Cluster => ({ ...makeCluster({ rootCa }), spec: { ...makeCluster({}).spec, ca } });
  const next = (from: Cluster, ca: ClusterSpec['ca'], key?: string) => nextRoot(from, ca, key, { sealer, clock, externalSigner });
  return { own, outside, further, externalSigner, cluster, next };
}

test('from a root of its own to an external one and back, with the key or with a new root', async () => {
  const { own, outside, externalSigner, cluster, next } = await setUp();
  const internal = cluster({ certificate: own.certificate, sealedKey: seal(own) });
  const wanted = { externalCas: [externalCa(outside)], signingCaCert: outside.certificate };
  const desired = refusal('there must be at least one valid, reachable external CA corresponding to the desired CA certificate');
  await assert.rejects(next(internal, { signingCaCert: outside.certificate }), desired);
  externalSigner.off.add('https://ca');
  await assert.rejects(next(internal, wanted), desired);
  externalSigner.off.clear();
  const { rotation } = await next(internal, wanted);
  assert.deepEqual([rotation?.certificate, rotation?.sealedKey], [outside.certificate, undefined]);
  const external = cluster({ certificate: outside.certificate }, { externalCas: [externalCa(undefined)] });
  assert.deepEqual(signingRootOf(external), { root: outside.certificate, urls: ['https://ca'] });
  assert.equal(trustOf(external).expiryMs, Number.MAX_SAFE_INTEGER);
  const away = await next(external, { externalCas: [externalCa(outside)], forceRotate: 1 });
  assert.equal(away.sealedKey, undefined);
  assert.ok(away.rotation?.sealedKey !== undefined && away.rotation.crossSigned !== '');
  const withKey = await next(external, { externalCas: [], signingCaCert: outside.certificate }, outside.key);
  assert.ok(withKey.sealedKey !== undefined && withKey.rotation === undefined);
});

test('a root whose key the managers do not have keeps an address that signs for it, and is not replaced by another such root', async () => {
  const { outside, further, cluster, next } = await setUp();
  const external = cluster({ certificate: outside.certificate }, { externalCas: [externalCa(outside)] });
  await assert.rejects(next(external, {}), refusal('there must be at least one valid, reachable external CA corresponding to the current CA certificate'));
  const both = { externalCas: [externalCa(outside), externalCa(further, 'https://other')], signingCaCert: further.certificate };
  await assert.rejects(next(external, both), refusal('rotating from one external CA to a different external CA is not supported'));
});

test('a rotation to an external root needs its address until it is over, and another rotation replaces it', async () => {
  const { own, outside, cluster, next } = await setUp();
  const internal = cluster({ certificate: own.certificate, sealedKey: seal(own) });
  const wanted = { externalCas: [externalCa(outside)], signingCaCert: outside.certificate };
  const rotating = cluster(await next(internal, wanted), { externalCas: wanted.externalCas });
  await assert.rejects(next(rotating, {}), refusal('there must be at least one valid, reachable external CA corresponding to the next CA certificate'));
  assert.equal(await next(rotating, { externalCas: wanted.externalCas }), rotating.rootCa);
  const known = await next(rotating, { ...wanted }, outside.key);
  assert.equal(known.rotation?.crossSigned, rotating.rootCa.rotation?.crossSigned);
  assert.ok(known.rotation?.sealedKey !== undefined);
  const anew = await next(rotating, { externalCas: wanted.externalCas, forceRotate: 1 });
  assert.notEqual(anew.rotation?.certificate, outside.certificate);
  assert.equal(anew.certificate, own.certificate);
});

test('a certificate with the key of the present root is refused', async () => {
  const { own, cluster, next } = await setUp();
  const internal = cluster({ certificate: own.certificate, sealedKey: seal(own) });
  const again = await crossSign(own, own.certificate);
  await assert.rejects(next(internal, { signingCaCert: again }, own.key), refusal('Cannot update to a cert with an identical key'));
});
