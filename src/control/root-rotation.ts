// What a new cluster spec means for the swarm's root of trust. Rules and texts are SwarmKit's (manager/controlapi/ca_rotation.go), but for external
// authorities, which this swarm does not use: it says so.
import { createRootCa, crossSign, type RootCa } from '#ca/root.ts';
import { checkGivenRoot } from '#ca/rotation.ts';
import type { Cluster } from '#domain/objects.ts';
import type { ClusterSpec } from '#domain/spec.ts';
import { equalSpecs } from '#lib/equal.ts';
import { rpcError } from '#lib/errors.ts';
import { sealContexts } from '#store/seal-contexts.ts';
import type { ControlDependencies } from './dependencies.ts';

type Dependencies = Pick<ControlDependencies, 'sealer' | 'clock'>;

/** The root as it is, or with the rotation that the spec asks for begun, or given up. */
export async function nextRoot(
  cluster: Cluster,
  wanted: ClusterSpec['ca'],
  signingCaKey: string | undefined,
  dependencies: Dependencies,
): Promise<Cluster['rootCa']> {
  const { rootCa, spec } = cluster;
  const { sealer, clock } = dependencies;
  const given = wanted.signingCaCert?.trim() ?? '';
  if (signingCaKey && given === '') throw rpcError('invalidArgument', 'if a signing CA key is provided, the signing CA cert must also be provided');
  const hasNewExternalCas = (wanted.externalCas ?? []).length > 0 && !equalSpecs(wanted.externalCas, spec.ca.externalCas);
  if (hasNewExternalCas) throw rpcError('unimplemented', 'external CAs are not supported: this swarm signs all certificates with its own CA');
  if (given === '') {
    if ((wanted.forceRotate ?? 0) === (spec.ca.forceRotate ?? 0)) return rootCa;
    return begin(rootCa, await createRootCa({ now: clock.now() }), dependencies);
  }
  const certificate = checkGivenRoot(given, signingCaKey, clock.now());
  if (signingCaKey === undefined) {
    const message = 'there must be at least one valid, reachable external CA corresponding to the desired CA certificate';
    throw rpcError('invalidArgument', message);
  }
  const sealedKey = sealer.seal(Buffer.from(signingCaKey), sealContexts.rootKey);
  // Back to the root that everybody trusts: nothing has to be signed, and nodes that went ahead come back.
  if (certificate === rootCa.certificate) return { certificate, sealedKey };
  if (certificate === rootCa.rotation?.certificate) return rootCa;
  return begin(rootCa, { certificate, key: signingCaKey }, dependencies);
}

async function begin({ certificate, sealedKey }: Cluster['rootCa'], next: RootCa, { sealer }: Dependencies): Promise<Cluster['rootCa']> {
  const current = { certificate, key: Buffer.from(sealer.open(sealedKey, sealContexts.rootKey)).toString() };
  const crossSigned = await crossSign(current, next.certificate);
  const sealedNext = sealer.seal(Buffer.from(next.key), sealContexts.rootKey);
  return { certificate, sealedKey, rotation: { certificate: next.certificate, sealedKey: sealedNext, crossSigned } };
}
