// Replacing the root of trust while the swarm runs, as SwarmKit does it (manager/controlapi/ca_rotation.go). The old root signs the new one; from then
// on managers sign with the new one and show both; nodes trust both and renew at once; when every node has a certificate of the new root, the old one
// is dropped. Nothing here has a timer or a memory: the cluster object and what the nodes tell of themselves say how far it is.
import type { Cluster } from '#domain/objects.ts';
import { nodeCertExpiryNsOf } from '#domain/defaults.ts';
import type { Decision, StoreEvent, View } from '#domain/view.ts';
import { AppError, rpcError } from '#lib/errors.ts';
import { isKeyOf, normalisePem, readCertificate, splitCertificates, tlsInfoOf } from './root.ts';
import { signingRootOf } from './signing-root.ts';

/** What a node must know to follow the swarm's trust. */
export interface Trust {
  /** PEM of every root that nodes may be signed by. */
  readonly roots: string;
  /** PEM of the root that signs now: a certificate of another one is to be renewed. */
  readonly issuer: string;
  /** The longest life of a certificate. */
  readonly expiryMs: number;
  /** A certificate of an earlier one is to be renewed (epoch.ts). */
  readonly epoch?: number;
}

export function trustOf(cluster: Cluster): Trust {
  const { rootCa, spec, epoch } = cluster;
  const { certificate, rotation } = rootCa;
  return {
    roots: rotation === undefined ? certificate : certificate + rotation.certificate,
    issuer: rotation?.certificate ?? certificate,
    // An external authority decides itself how long its certificates last: nodes would ask for ever for a shorter one.
    expiryMs: signingRootOf(cluster).urls.length > 0 ? Number.MAX_SAFE_INTEGER : nodeCertExpiryNsOf(spec) / 1e6,
    ...(epoch === undefined ? {} : { epoch }),
  };
}

const MIN_ROOT_LIFE_MS = 365 * 24 * 3_600_000;

/** Of a root that a user gave, in the form that digests are made of. Throws AppError in SwarmKit's words when it cannot be one. */
export function checkGivenRoot(pem: string, key: string | undefined, now: number): string {
  const certificates = splitCertificates(pem);
  const [first] = certificates;
  if (first === undefined) throw rpcError('invalidArgument', 'could not parse the desired CA certificate');
  if (certificates.length > 1) throw rpcError('invalidArgument', 'the desired CA certificate cannot contain multiple certificates');
  const normalised = normalisePem(first);
  const { ca, validToDate } = parsed(normalised);
  if (validToDate.getTime() < now + MIN_ROOT_LIFE_MS) throw rpcError('invalidArgument', 'CA certificate expires too soon');
  if (!ca) throw rpcError('invalidArgument', 'the desired CA certificate is not that of a certificate authority');
  if (key !== undefined && !isKeyOf(normalised, key)) throw rpcError('invalidArgument', 'certificate key mismatch');
  return normalised;
}

function parsed(pem: string) {
  try {
    return readCertificate(pem);
  } catch (error) {
    if (error instanceof AppError) throw rpcError('invalidArgument', 'could not parse the desired CA certificate');
    throw error;
  }
}

const KEY = 'rotation';

export function* rotationKeys(): Iterable<string> {
  yield KEY;
}

/** A rotation goes on when a node tells of another certificate, or is gone. */
export function* rotationKeysOfEvent({ object }: StoreEvent): Iterable<string> {
  if (object.kind === 'cluster' || object.kind === 'node') yield KEY;
}

/** Drops the old root once every node has a certificate of the new one. A node that is down holds it up: it comes back, or is removed. */
export function finishRotation(view: View): Decision {
  const [cluster] = view.list('cluster');
  const rotation = cluster?.rootCa.rotation;
  if (cluster === undefined || rotation === undefined) return { changes: [] };
  const { issuerPublicKey, issuerSubject } = tlsInfoOf(rotation.certificate);
  for (const { description } of view.list('node')) {
    const tls = description?.tls;
    if (tls?.issuerPublicKey !== issuerPublicKey || tls.issuerSubject !== issuerSubject) return { changes: [] };
  }
  const { certificate, sealedKey } = rotation;
  const rootCa = { certificate, ...(sealedKey === undefined ? {} : { sealedKey }) };
  return { changes: [{ action: 'update', object: { ...cluster, rootCa, rootRotationInProgress: false } }] };
}
