// Networks: the engine's form (`/networks`) and the swarm's form (inside tasks).
import type { NetworkCreateRequest, NetworkEndpoint, NetworkResource, NetworkServiceInfo, SwarmIpamOptions, SwarmNetwork } from '#docker-api/network.ts';
import type { Network } from '#domain/objects.ts';
import type { IpamConfig, IpamPool, NetworkSpec } from '#domain/spec.ts';
import { parseCidr, subnetsOverlap } from '#lib/ip.ts';
import { compact, memoized, metaToJson, nonEmpty, optionalMap, sortedMap, timeToJson } from './common.ts';

/** Where other tools look for a network's VXLAN ids. */
const VXLAN_IDS = 'com.docker.network.driver.overlay.vxlanid_list';
/** First API version that says whether a network has IPv4. */
export const API_WITH_ENABLE_IPV4 = 48;

/** What is known of a network beyond its object: who is on it here, and which nodes are on it. */
export interface NetworkDetails {
  readonly containers?: Readonly<Record<string, NetworkEndpoint>> | undefined;
  readonly peers?: readonly { readonly Name: string; readonly IP: string }[] | undefined;
  readonly services?: Readonly<Record<string, NetworkServiceInfo>> | undefined;
}

export function networkSpecFromJson(wire: NetworkCreateRequest): NetworkSpec {
  return compact<NetworkSpec>({
    name: wire.Name ?? '',
    labels: wire.Labels ?? {},
    driver: compact({ name: wire.Driver ?? '', options: nonEmpty(wire.Options) }),
    ipv6: wire.EnableIPv6 ?? false,
    internal: wire.Internal ?? false,
    attachable: wire.Attachable ?? false,
    ingress: wire.Ingress ?? false,
    ipam: wire.IPAM && ipamFromJson(wire.IPAM),
    configFrom: nonEmpty(wire.ConfigFrom?.Network),
    scope: 'swarm',
  });
}

/** Docker reads Config.IPRange and Gateway, but keeps no auxiliary addresses; we reserve them. */
function ipamFromJson(wire: NonNullable<NetworkCreateRequest['IPAM']>): IpamConfig {
  return {
    driver: compact({ name: wire.Driver || 'default', options: nonEmpty(wire.Options) }),
    configs: (wire.Config ?? []).map(({ Subnet, IPRange, Gateway, AuxiliaryAddresses }) =>
      compact<IpamPool>({
        subnet: nonEmpty(Subnet),
        range: nonEmpty(IPRange),
        gateway: nonEmpty(Gateway),
        reserved: nonEmpty(AuxiliaryAddresses),
      }),
    ),
  };
}

/** Unless a network is in use on this node, its maps are null, as in Docker. */
export function networkToResource(network: Network, apiVersion: number, details: NetworkDetails = {}): NetworkResource {
  const { spec, state } = network;
  const hasLocalPart = details.containers !== undefined;
  return {
    Name: spec.name,
    Id: network.id,
    Created: timeToJson(network.createdAt),
    Scope: 'swarm',
    Driver: state?.driver.name ?? '',
    EnableIPv4: apiVersion >= API_WITH_ENABLE_IPV4 ? true : undefined,
    EnableIPv6: spec.ipv6,
    IPAM: ipamToResource(network),
    Internal: spec.internal,
    Attachable: spec.attachable,
    Ingress: spec.ingress,
    ConfigFrom: { Network: spec.configFrom ?? '' },
    ConfigOnly: false,
    Containers: details.containers ?? null,
    Options: driverStateOptions(network) ?? null,
    Labels: optionalMap(spec.labels) ?? (hasLocalPart ? {} : null),
    Peers: nonEmpty(details.peers),
    Services: details.services,
  };
}

function ipamToResource({ spec, state }: Network): NetworkResource['IPAM'] {
  if (state === undefined) return { Driver: '', Options: null, Config: null };
  if (state.vxlanId === undefined && state.pools.length === 0) return { Driver: '', Options: null, Config: [] };
  return {
    Driver: spec.ipam?.driver?.name || 'default',
    Options: ipamStateOptions(spec) ?? null,
    Config: state.pools.map(({ subnet, gateway, range }) => ({
      Subnet: subnet,
      IPRange: range,
      Gateway: nonEmpty(gateway),
      AuxiliaryAddresses: optionalMap(reservedIn(subnet, spec)),
    })),
  };
}

/** Where a user gives options, SwarmKit's allocator adds how it gives addresses: one after the other, as ours does. */
function ipamStateOptions({ ipam }: NetworkSpec): Readonly<Record<string, string>> | undefined {
  const options = ipam?.driver?.options;
  return options === undefined || Object.keys(options).length === 0 ? options : { ...options, 'com.docker.network.ipam.serial': 'true' };
}

/** Of the configuration that the subnet comes from. */
function reservedIn(text: string, { ipam }: NetworkSpec): IpamPool['reserved'] {
  const subnet = parseCidr(text)?.subnet;
  return ipam?.configs.find((config) => {
    const wished = parseCidr(config.subnet ?? '')?.subnet;
    return wished !== undefined && subnet !== undefined && subnetsOverlap(wished, subnet);
  })?.reserved;
}

/** The network as a swarm object. */
export function networkToSwarmJson(network: Network): SwarmNetwork {
  const { spec, state } = network;
  return {
    ...metaToJson(network),
    Spec: {
      Name: nonEmpty(spec.name),
      Labels: sortedMap(spec.labels),
      DriverConfiguration: spec.driver && { Name: nonEmpty(spec.driver.name), Options: optionalMap(spec.driver.options) },
      IPv6Enabled: nonEmpty(spec.ipv6),
      Internal: nonEmpty(spec.internal),
      Attachable: nonEmpty(spec.attachable),
      Ingress: nonEmpty(spec.ingress),
      IPAMOptions: spec.ipam && ipamSpecToJson(spec.ipam),
      ConfigFrom: spec.configFrom ? { Network: spec.configFrom } : undefined,
      Scope: 'swarm',
    },
    DriverState: state ? { Name: nonEmpty(state.driver.name), Options: driverStateOptions(network) } : {},
    IPAMOptions: state && {
      Driver: { Name: spec.ipam?.driver?.name || 'default', Options: optionalMap(ipamStateOptions(spec)) },
      Configs: nonEmpty(state.pools.map(({ subnet, range, gateway }) => poolToJson({ subnet, gateway, ...(range ? { range } : {}) }))),
    },
  };
}

/** Part of the JSON of every task on the network. */
export const networkToSwarmText = memoized((network: Network) => JSON.stringify(networkToSwarmJson(network)));

function ipamSpecToJson(ipam: IpamConfig): SwarmIpamOptions {
  return {
    Driver: { Name: nonEmpty(ipam.driver?.name), Options: optionalMap(ipam.driver?.options) },
    Configs: nonEmpty(ipam.configs.map(poolToJson)),
  };
}

function poolToJson({ subnet, range, gateway }: IpamPool) {
  return { ...(subnet ? { Subnet: subnet } : {}), ...(range ? { Range: range } : {}), ...(gateway ? { Gateway: gateway } : {}) };
}

function driverStateOptions({ state }: Network): Readonly<Record<string, string>> | undefined {
  if (state === undefined) return undefined;
  const vxlan = state.vxlanId === undefined ? {} : { [VXLAN_IDS]: String(state.vxlanId) };
  return optionalMap({ ...state.driver.options, ...vxlan });
}
