// The JSON of networks: as the engine shows them (`/networks`) and as swarm objects (inside tasks).
import type { ObjectMeta } from './meta.ts';
import type { Driver } from './service-spec.ts';
import { bool, type Infer, list, string, stringMap, struct } from './shape.ts';

export const networkCreateShape = struct('CreateRequest', {
  Name: string,
  CheckDuplicate: bool,
  Driver: string,
  Scope: string,
  EnableIPv4: bool,
  EnableIPv6: bool,
  IPAM: struct('IPAM', {
    Driver: string,
    Options: stringMap,
    Config: list(struct('IPAMConfig', { Subnet: string, IPRange: string, Gateway: string, AuxiliaryAddresses: stringMap })),
  }),
  Internal: bool,
  Attachable: bool,
  Ingress: bool,
  ConfigOnly: bool,
  ConfigFrom: struct('ConfigReference', { Network: string }),
  Options: stringMap,
  Labels: stringMap,
});

export type NetworkCreateRequest = Infer<typeof networkCreateShape>;

export interface NetworkCreateResponse {
  readonly Id: string;
  readonly Warning: string;
}

export interface IpamConfig {
  readonly Subnet?: string | undefined;
  readonly IPRange?: string | undefined;
  readonly Gateway?: string | undefined;
  readonly AuxiliaryAddresses?: Readonly<Record<string, string>> | undefined;
}

export interface NetworkEndpoint {
  readonly Name: string;
  readonly EndpointID: string;
  readonly MacAddress: string;
  readonly IPv4Address: string;
  readonly IPv6Address: string;
}

export interface NetworkServiceInfo {
  readonly VIP: string;
  /** Ours, as the tasks' `EndpointIPv6`: absent on networks without IPv6. */
  readonly VIPv6?: string | undefined;
  readonly Ports: readonly string[];
  readonly LocalLBIndex: number;
  readonly Tasks: readonly {
    readonly Name: string;
    readonly EndpointID: string;
    readonly EndpointIP: string;
    readonly EndpointIPv6?: string | undefined;
    readonly Info: Readonly<Record<string, string>>;
  }[];
}

/** A network in the engine's form. The engine's own networks may have more fields than are named here. */
export interface NetworkResource {
  readonly Name: string;
  readonly Id: string;
  readonly Created: string;
  readonly Scope: string;
  readonly Driver: string;
  readonly EnableIPv4?: boolean | undefined;
  readonly EnableIPv6: boolean;
  readonly IPAM: {
    readonly Driver: string;
    readonly Options: Readonly<Record<string, string>> | null;
    readonly Config: readonly IpamConfig[] | null;
  };
  readonly Internal: boolean;
  readonly Attachable: boolean;
  readonly Ingress: boolean;
  readonly ConfigFrom: { readonly Network: string };
  readonly ConfigOnly: boolean;
  readonly Containers: Readonly<Record<string, NetworkEndpoint>> | null;
  readonly Options: Readonly<Record<string, string>> | null;
  readonly Labels: Readonly<Record<string, string>> | null;
  readonly Peers?: readonly { readonly Name: string; readonly IP: string }[] | undefined;
  readonly Services?: Readonly<Record<string, NetworkServiceInfo>> | undefined;
}

export interface SwarmIpamOptions {
  readonly Driver: Driver;
  readonly Configs?: readonly { readonly Subnet?: string; readonly Range?: string; readonly Gateway?: string }[] | undefined;
}

/** A network as a swarm object. */
export interface SwarmNetwork extends ObjectMeta {
  readonly Spec: {
    readonly Name?: string | undefined;
    readonly Labels: Readonly<Record<string, string>>;
    readonly DriverConfiguration?: Driver | undefined;
    readonly IPv6Enabled?: boolean | undefined;
    readonly Internal?: boolean | undefined;
    readonly Attachable?: boolean | undefined;
    readonly Ingress?: boolean | undefined;
    readonly IPAMOptions?: SwarmIpamOptions | undefined;
    readonly ConfigFrom?: { readonly Network: string } | undefined;
    readonly Scope?: string | undefined;
  };
  readonly DriverState: Driver;
  readonly IPAMOptions?: SwarmIpamOptions | undefined;
}
