// Networks of the stack, what services attach to, and the ports that they publish.
import type { EndpointSpec, IpamPool, NetworkAttachmentConfig, NetworkSpec, PortConfig } from '#domain/spec.ts';
import type { Network, Port, Service } from '../project.ts';
import type { ResolvedNetwork } from '../stack.ts';
import { hasNoNetwork } from './extras.ts';
import { byText, checkName, compact, type ConvertContext, mistakeAt, nonEmpty, nonZero, scoped, stackLabels, unsupported } from './common.ts';

const DEFAULT_NETWORK = 'default';
const DEFAULT_DRIVER = 'overlay';
/** Networks of a node itself; nobody has a name there. */
const NODE_NETWORKS = new Set(['host', 'bridge', 'none', 'default']);
/** Of `network_mode`: the modes that are networks which a service can be on. */
export const NETWORK_MODES: ReadonlySet<string> = new Set(['host', 'bridge']);

/** The networks that the services are on, by name. A network that is only declared is not made, as with Docker. */
export function convertNetworks(context: ConvertContext): readonly ResolvedNetwork[] {
  const declared = context.loaded.project.networks ?? {};
  const used = new Set(Object.values(context.loaded.project.services).flatMap(networkKeys));
  return [...used].map((key) => convertNetwork(context, key, Object.hasOwn(declared, key) ? (declared[key] ?? {}) : {})).sort(byText(({ spec }) => spec.name));
}

function networkKeys(service: Service): readonly string[] {
  if (usesNetworkMode(service) || hasNoNetwork(service)) return [];
  const keys = Object.keys(service.networks ?? {});
  return keys.length === 0 ? [DEFAULT_NETWORK] : keys;
}

function usesNetworkMode({ network_mode: mode, networks }: Service): boolean {
  return mode !== undefined && NETWORK_MODES.has(mode) && nonEmpty(networks) === undefined;
}

function convertNetwork(context: ConvertContext, key: string, network: Network): ResolvedNetwork {
  const { stack } = context;
  const { ipam, driver_opts: options } = network;
  const hasIpam = ipam !== undefined && (ipam.driver !== undefined || nonEmpty(ipam.config) !== undefined || nonEmpty(ipam.options) !== undefined);
  const spec = compact<NetworkSpec>({
    name: network.name ?? scoped(stack, key),
    labels: network.external ? { ...network.labels } : stackLabels(stack, network.labels),
    driver: compact({ name: network.driver ?? DEFAULT_DRIVER, options: nonEmpty(options) }),
    ipv6: network.enable_ipv6 ?? false,
    internal: network.internal ?? false,
    attachable: network.attachable ?? false,
    ingress: false,
    ipam: hasIpam
      ? {
          driver: compact({ name: ipam.driver ?? 'default', options: nonEmpty(ipam.options) }),
          configs: (ipam.config ?? []).map((pool) =>
            compact<IpamPool>({ subnet: pool.subnet, range: pool.ip_range, gateway: pool.gateway, reserved: nonEmpty(pool.aux_addresses) }),
          ),
        }
      : undefined,
    scope: 'swarm',
  });
  if (network.external !== true) checkName(context, 'network', key, spec.name);
  return { key, external: network.external ?? false, spec };
}

const IGNORED_OF_ATTACHMENT = ['ipv4_address', 'ipv6_address', 'link_local_ips', 'mac_address', 'interface_name', 'priority', 'gw_priority'] as const;

/** In order of the networks' names. A service is known by its key on each of them, besides the aliases that it is given. */
export function convertAttachments(context: ConvertContext, key: string, service: Service): readonly NetworkAttachmentConfig[] {
  if (usesNetworkMode(service)) return [{ target: service.network_mode ?? '' }];
  const declared = context.loaded.project.networks ?? {};
  return networkKeys(service)
    .map((networkKey) => {
      const network = Object.hasOwn(declared, networkKey) ? declared[networkKey] : undefined;
      if (network === undefined && networkKey !== DEFAULT_NETWORK) {
        throw mistakeAt(context, `services.${key}.networks.${networkKey}`, `service ${key}: undefined network ${JSON.stringify(networkKey)}`);
      }
      const given = service.networks?.[networkKey] ?? undefined;
      for (const name of IGNORED_OF_ATTACHMENT) if (given?.[name] !== undefined) unsupported(context, key, `networks.${name}`);
      const target = network?.name ?? scoped(context.stack, networkKey);
      const aliases = NODE_NETWORKS.has(target) ? (given?.aliases ?? []) : [...(given?.aliases ?? []), key];
      return compact<NetworkAttachmentConfig>({ target, aliases: nonEmpty(aliases), driverOptions: nonEmpty(given?.driver_opts) });
    })
    .sort(byText(({ target }) => target));
}

export function convertEndpoint(context: ConvertContext, key: string, { deploy, ports = [] }: Service): EndpointSpec {
  const mode = deploy?.endpoint_mode || 'vip';
  if (mode !== 'vip' && mode !== 'dnsrr') throw mistakeAt(context, `services.${key}.deploy.endpoint_mode`, `invalid resolution mode: ${JSON.stringify(mode)}`);
  const converted = ports.map((port, index) => convertPort(context, key, port, `services.${key}.ports.${index}`));
  return compact<EndpointSpec>({ mode, ports: nonEmpty(converted.sort((a, b) => (a.publishedPort ?? 0) - (b.publishedPort ?? 0))) });
}

function convertPort(context: ConvertContext, key: string, port: Port, path: string): PortConfig {
  const { target, published, host_ip: address } = port;
  if (target === undefined) throw mistakeAt(context, path, `service ${key}: a port has no target`);
  const protocol = (port.protocol ?? 'tcp').toLowerCase();
  if (protocol !== 'tcp' && protocol !== 'udp' && protocol !== 'sctp')
    throw mistakeAt(context, `${path}.protocol`, `service ${key}: invalid protocol ${JSON.stringify(protocol)}`);
  const mode = port.mode || 'ingress';
  if (mode !== 'ingress' && mode !== 'host') throw mistakeAt(context, `${path}.mode`, `service ${key}: invalid publish mode ${JSON.stringify(mode)}`);
  if (address !== undefined && address !== '0.0.0.0' && address !== '::') {
    const shown = `${address.includes(':') ? `[${address}]` : address}:${published ?? ''}:${target}/${protocol}`;
    context.warn({ kind: 'notice', name: 'ports.host_ip', service: key, message: `ignoring IP-address (${shown}) service will listen on '0.0.0.0'` });
  }
  return compact<PortConfig>({
    name: port.name,
    protocol,
    targetPort: target,
    publishedPort: nonZero(publishedPort(context, key, published, path)),
    publishMode: mode,
  });
}

/** Of a range, the first: a swarm publishes one port on all its nodes, or chooses one itself. */
function publishedPort(context: ConvertContext, key: string, published: Port['published'], path: string): number | undefined {
  if (typeof published !== 'string') return published;
  if (published === '') return undefined;
  const range = /^([0-9]+)-[0-9]+$/.exec(published);
  if (!range) throw mistakeAt(context, `${path}.published`, `service ${key}: invalid published port ${JSON.stringify(published)}`);
  context.warn({
    kind: 'notice',
    name: 'ports.published',
    service: key,
    message: `service ${key}: of the range ${published} of published ports, ${range[1]} is used`,
  });
  return Number(range[1]);
}
