// Which root signs certificates now, and by whom: with its key, which the managers have sealed in the store, or by external authorities.
import type { Cluster } from '#domain/objects.ts';
import type { ClusterSpec } from '#domain/spec.ts';
import type { ExternalTarget } from './external.ts';
import { normalisePem } from './root.ts';

export interface SigningRoot extends ExternalTarget {
  /** Absent when the managers do not have the key. */
  readonly sealedKey?: string;
}

/** While the root is rotated, the next one signs. Where there is an external authority for it, that is asked, and nobody else (as in SwarmKit). */
export function signingRootOf({ rootCa, spec }: Pick<Cluster, 'rootCa' | 'spec'>): SigningRoot {
  const { certificate, sealedKey } = rootCa.rotation ?? rootCa;
  return { root: certificate, ...(sealedKey === undefined ? {} : { sealedKey }), urls: externalUrls(spec.ca, certificate, rootCa.certificate) };
}

/** The addresses that sign for a root. One that does not say for which signs for the current root. */
export function externalUrls({ externalCas = [] }: ClusterSpec['ca'], root: string, currentRoot: string): readonly string[] {
  return externalCas
    .filter(({ protocol, caCert }) => protocol === 'cfssl' && (caCert.trim() === '' ? currentRoot : normalisePem(caCert)) === root)
    .map(({ url }) => url);
}
