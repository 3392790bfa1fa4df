// What a new cluster spec means for the swarm's root of trust. Rules and texts are SwarmKit's (manager/controlapi/ca_rotation.go).
import type { ExternalSigner, ExternalTarget } from '#ca/external.ts';
import { createRootCa, crossSign, normalisePem, type RootCa } from '#ca/root.ts';
import { checkGivenRoot } from '#ca/rotation.ts';
import { externalUrls } from '#ca/signing-root.ts';
import type { Cluster } from '#domain/objects.ts';
import type { ClusterSpec } from '#domain/spec.ts';
import { rpcError } from '#lib/errors.ts';
import { sealContexts } from '#store/seal-contexts.ts';
import type { ControlDependencies } from './dependencies.ts';

type Dependencies = Pick<ControlDependencies, 'sealer' | 'clock' | 'externalSigner'>;
type Root = Cluster['rootCa'];

/** The root as it is, or with the rotation that the spec asks for begun, or given up. */
export async function nextRoot(
  { rootCa, spec }: Cluster,
  wanted: ClusterSpec['ca'],
  signingCaKey: string | undefined,
  dependencies: Dependencies,
): Promise<Root> {
  const { sealer, clock, externalSigner } = dependencies;
  const given = wanted.signingCaCert?.trim() ?? '';
  if (signingCaKey && given === '') throw rpcError('invalidArgument', 'if a signing CA key is provided, the signing CA cert must also be provided');
  const seal = (key: string) => ({ sealedKey: sealer.seal(Buffer.from(key), sealContexts.rootKey) });
  const target = (root: string): ExternalTarget => ({ root, urls: externalUrls(wanted, root, rootCa.certificate) });
  const { certificate: current } = rootCa;
  if (rootCa.sealedKey === undefined) {
    // The key of the external authority is given: nobody else is needed any more.
    if (signingCaKey && normalisePem(given) === current) return { certificate: checkGivenRoot(given, signingCaKey, clock.now()), ...seal(signingCaKey) };
    await assertReachable(externalSigner, target(current), 'current');
  }
  if (given === '') {
    if ((wanted.forceRotate ?? 0) !== (spec.ca.forceRotate ?? 0)) return begin(rootCa, await createRootCa({ now: clock.now() }), target(current), dependencies);
    const { rotation } = rootCa;
    if (rotation !== undefined && rotation.sealedKey === undefined) await assertReachable(externalSigner, target(rotation.certificate), 'next');
    return rootCa;
  }
  const certificate = checkGivenRoot(given, signingCaKey, clock.now());
  if (signingCaKey === undefined) await assertReachable(externalSigner, target(certificate), 'desired');
  const key = signingCaKey === undefined ? {} : seal(signingCaKey);
  // Back to the root that everybody trusts: nothing has to be signed, and nodes that went ahead come back.
  if (certificate === current) return { certificate, ...key };
  assertOtherKey(rootCa, signingCaKey, dependencies);
  if (certificate === rootCa.rotation?.certificate) {
    const { sealedKey: _old, ...rotation } = rootCa.rotation;
    return { ...rootCa, rotation: { ...rotation, ...key } };
  }
  return begin(rootCa, { certificate, ...(signingCaKey === undefined ? {} : { key: signingCaKey }) }, target(current), dependencies);
}

async function assertReachable(signer: ExternalSigner, target: ExternalTarget, which: 'current' | 'desired' | 'next'): Promise<void> {
  if (target.urls.length > 0 && (await signer.firstReachable(target)) !== undefined) return;
  throw rpcError('invalidArgument', `there must be at least one valid, reachable external CA corresponding to the ${which} CA certificate`);
}

/** A chain with two certificates of one key cannot be verified. */
function assertOtherKey({ sealedKey }: Root, signingCaKey: string | undefined, { sealer }: Dependencies): void {
  if (sealedKey === undefined || signingCaKey === undefined) return;
  const current = Buffer.from(sealer.open(sealedKey, sealContexts.rootKey)).toString();
  if (current.trim() === signingCaKey.trim()) throw rpcError('invalidArgument', 'Cannot update to a cert with an identical key');
}

async function begin(
  current: Root,
  next: Omit<RootCa, 'key'> & { readonly key?: string },
  external: ExternalTarget,
  dependencies: Dependencies,
): Promise<Root> {
  const { sealer } = dependencies;
  const { certificate, sealedKey } = current;
  const crossSigned = await crossSignedBy(current, next, external, dependencies);
  const sealedNext = next.key === undefined ? {} : { sealedKey: sealer.seal(Buffer.from(next.key), sealContexts.rootKey) };
  return {
    certificate,
    ...(sealedKey === undefined ? {} : { sealedKey }),
    rotation: { certificate: next.certificate, ...sealedNext, crossSigned },
  };
}

async function crossSignedBy(
  { certificate, sealedKey }: Root,
  next: Omit<RootCa, 'key'> & { readonly key?: string },
  external: ExternalTarget,
  { sealer, externalSigner }: Dependencies,
): Promise<string> {
  if (sealedKey !== undefined) return crossSign({ certificate, key: Buffer.from(sealer.open(sealedKey, sealContexts.rootKey)).toString() }, next.certificate);
  if (next.key === undefined) throw rpcError('invalidArgument', 'rotating from one external CA to a different external CA is not supported');
  try {
    return await externalSigner.crossSign(external, { certificate: next.certificate, key: next.key });
  } catch (cause) {
    const reason = cause instanceof Error ? `: ${cause.message}` : '';
    throw rpcError('internal', `unable to generate a cross-signed certificate for root rotation${reason}`, { cause });
  }
}
