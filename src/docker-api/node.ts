// The JSON of nodes.
import type { ObjectMeta } from './meta.ts';
import type { GenericResource } from './service-spec.ts';
import { type Infer, named, string, stringMap, struct } from './shape.ts';

export const nodeSpecShape = struct('NodeSpec', {
  Name: string,
  Labels: stringMap,
  Role: named('swarm.NodeRole'),
  Availability: named('swarm.NodeAvailability'),
});

export type NodeSpec = Infer<typeof nodeSpecShape>;

export interface TlsInfo {
  readonly TrustRoot?: string | undefined;
  /** base64 of DER. */
  readonly CertIssuerSubject?: string | undefined;
  readonly CertIssuerPublicKey?: string | undefined;
}

export interface Node extends ObjectMeta {
  readonly Spec: NodeSpec;
  readonly Description: {
    readonly Hostname?: string | undefined;
    readonly Platform: { readonly Architecture?: string | undefined; readonly OS?: string | undefined };
    readonly Resources: {
      readonly NanoCPUs?: number | undefined;
      readonly MemoryBytes?: number | undefined;
      readonly GenericResources?: readonly GenericResource[] | undefined;
    };
    readonly Engine: {
      readonly EngineVersion?: string | undefined;
      readonly Labels?: Readonly<Record<string, string>> | undefined;
      readonly Plugins?: readonly { readonly Type: string; readonly Name: string }[] | undefined;
    };
    readonly TLSInfo: TlsInfo;
  };
  readonly Status: { readonly State?: string | undefined; readonly Message?: string | undefined; readonly Addr?: string | undefined };
  readonly ManagerStatus?:
    | { readonly Leader?: boolean | undefined; readonly Reachability?: string | undefined; readonly Addr?: string | undefined }
    | undefined;
}
