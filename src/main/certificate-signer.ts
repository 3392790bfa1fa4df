// Signs certificates of nodes for a manager: with the root's key where the managers have it, else through the external authority of the root.
import type { ExternalSigner } from '#ca/external.ts';
import { type NodeSubject, signCertificateRequest } from '#ca/node-certificate.ts';
import { type SigningRoot, signingRootOf } from '#ca/signing-root.ts';
import { nodeCertExpiryNsOf } from '#domain/defaults.ts';
import type { Cluster } from '#domain/objects.ts';
import type { Clock } from '#lib/clock.ts';
import { AppError } from '#lib/errors.ts';
import { sealContexts } from '#store/seal-contexts.ts';
import type { Sealer } from '#store/seal.ts';

export interface CertificateSigner {
  /** The certificate with its chain, both PEM. Rejects with `deadlineExceeded` while no external authority answers. */
  sign(request: string, subject: Omit<NodeSubject, 'clusterId' | 'epoch'>, address: string): Promise<string>;
}

export interface CertificateSignerOptions {
  readonly cluster: () => Cluster;
  readonly sealer: Sealer;
  readonly external: ExternalSigner;
  readonly clock: Clock;
}

export function createCertificateSigner({ cluster, sealer, external, clock }: CertificateSignerOptions): CertificateSigner {
  const keyOf = ({ sealedKey }: SigningRoot): string => {
    if (sealedKey === undefined)
      throw new AppError('failedPrecondition', "the managers do not have the root's key, and no external CA is known that signs for it");
    return Buffer.from(sealer.open(sealedKey, sealContexts.rootKey)).toString();
  };
  return {
    async sign(request, { nodeId, role }, address) {
      const { id: clusterId, rootCa, spec, epoch } = cluster();
      const signing = signingRootOf(cluster());
      const chain = rootCa.rotation?.crossSigned ?? signing.root;
      const subject = { nodeId, role, clusterId, epoch };
      if (signing.urls.length > 0) return (await external.sign(signing, request, subject, [address])) + chain;
      const root = { certificate: signing.root, key: keyOf(signing) };
      return signCertificateRequest(root, request, subject, { now: clock.now(), expiryMs: nodeCertExpiryNsOf(spec) / 1e6, hosts: [address], chain });
    },
  };
}
