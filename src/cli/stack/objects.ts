// The swarm's objects as compose/ compares them: JSON of the API → values of the domain. Revisions and snapshots of stacks are ours and no part of any stack.
import type { Client } from '#client/client.ts';
import type { ExistingObjects, NetworkStep } from '#compose/index.ts';
import type { NetworkResource, SwarmIpamOptions } from '#docker-api/network.ts';
import type { Config, Secret } from '#docker-api/secret-config.ts';
import type { Driver } from '#docker-api/service-spec.ts';
import type { Task } from '#docker-api/task.ts';
import type { Service } from '#docker-api/service.ts';
import { AppError } from '#lib/errors.ts';
import type { SpecConverters } from '../context.ts';
import { segment } from '../shared/each.ts';
import { REVISION_LABEL } from './revisions.ts';

export const NAMESPACE_LABEL = 'com.docker.stack.namespace';
/** On the config that holds the services of a deactivated stack. */
export const INACTIVE_LABEL = 'com.docker.skep.stack.inactive';

type NetworkSpec = Extract<NetworkStep, { action: 'create' }>['spec'];

export async function readObjects(client: Client, { serviceFromJson }: SpecConverters): Promise<ExistingObjects> {
  const [services, networks, secrets, configs, tasks] = await Promise.all([
    client.call<Service[]>('GET', '/services', { query: { insertDefaults: false } }),
    client.call<NetworkResource[]>('GET', '/networks'),
    client.call<Secret[]>('GET', '/secrets'),
    client.call<Config[]>('GET', '/configs'),
    client.call<Task[]>('GET', '/tasks'),
  ]);
  const pools = wantedPools(tasks);
  const standIns = await Promise.all(unlisted(services, networks).map((id) => client.call<NetworkResource>('GET', `/networks/${segment(id)}`).catch(absent)));
  return {
    services: services.map(({ ID, Spec, PreviousSpec }) => ({
      id: ID,
      spec: serviceFromJson(Spec),
      ...(PreviousSpec === undefined ? {} : { previousSpec: serviceFromJson(PreviousSpec) }),
    })),
    networks: [...networks, ...standIns.filter((network) => network !== undefined)].map((network) => ({
      id: network.Id,
      spec: networkSpec(network, pools.get(network.Id)),
    })),
    secrets: secrets.map(({ ID, Spec }) => ({
      id: ID,
      spec: { name: Spec.Name ?? '', labels: Spec.Labels ?? {}, ...driver('driver', Spec.Driver), ...driver('templating', Spec.Templating) },
    })),
    configs: configs
      .filter(({ Spec }) => Spec.Labels?.[REVISION_LABEL] === undefined && Spec.Labels?.[INACTIVE_LABEL] === undefined)
      .map(({ ID, Spec }) => ({
        id: ID,
        spec: { name: Spec.Name ?? '', labels: Spec.Labels ?? {}, data: Spec.Data ?? '', ...driver('templating', Spec.Templating) },
      })),
  };
}

/** Networks of services that no list shows: the swarm's stand-ins for `host` and `bridge`, which services name by their ids. */
function unlisted(services: readonly Service[], networks: readonly NetworkResource[]): readonly string[] {
  const listed = new Set(networks.map(({ Id }) => Id));
  const targets = services.flatMap(({ Spec, PreviousSpec }) => [Spec, PreviousSpec].flatMap((spec) => spec?.TaskTemplate?.Networks ?? []));
  return [...new Set(targets.map(({ Target = '' }) => Target))].filter((target) => target !== '' && !listed.has(target));
}

/** Gone since, or of a previous spec only: then its id is its name. */
function absent(error: unknown): undefined {
  if (error instanceof AppError && error.code === 'notFound') return undefined;
  throw error;
}

function driver<K extends string>(
  key: K,
  value: Driver | undefined,
): { readonly [P in K]?: { readonly name: string; readonly options?: Readonly<Record<string, string>> } } {
  if (value === undefined) return {};
  return { [key]: { name: value.Name ?? '', ...(value.Options === undefined ? {} : { options: value.Options }) } } as never;
}

/** The subnets that users asked for. Lists of networks show those that were given, asked for or not; tasks tell the two apart. */
function wantedPools(tasks: readonly Task[]): ReadonlyMap<string, SwarmIpamOptions> {
  const attachments = tasks.flatMap(({ NetworksAttachments = [] }) => NetworksAttachments);
  return new Map(attachments.flatMap(({ Network: { ID, Spec } }) => (Spec.IPAMOptions === undefined ? [] : [[ID, Spec.IPAMOptions] as const])));
}

/** VXLAN ids are the swarm's choice, not the user's. */
const OWN_OPTION = 'com.docker.network.driver.overlay.vxlanid_list';

function networkSpec(network: NetworkResource, wanted: SwarmIpamOptions | undefined): NetworkSpec {
  const options = Object.fromEntries(Object.entries(network.Options ?? {}).filter(([name]) => name !== OWN_OPTION));
  return {
    name: network.Name,
    labels: network.Labels ?? {},
    driver: { name: network.Driver, ...(Object.keys(options).length > 0 ? { options } : {}) },
    ipv6: network.EnableIPv6,
    internal: network.Internal,
    attachable: network.Attachable,
    ingress: network.Ingress,
    ...(wanted === undefined
      ? {}
      : {
          ipam: {
            driver: { name: wanted.Driver?.Name || 'default', ...(wanted.Driver?.Options === undefined ? {} : { options: wanted.Driver.Options }) },
            configs: (wanted.Configs ?? []).map(({ Subnet, Range, Gateway }) => ({
              ...(Subnet === undefined ? {} : { subnet: Subnet }),
              ...(Range === undefined ? {} : { range: Range }),
              ...(Gateway === undefined ? {} : { gateway: Gateway }),
              ...reservedIn(network, Subnet),
            })),
          },
        }),
    scope: network.Scope,
  };
}

/** Addresses that users kept for themselves, which only the list of networks shows. */
function reservedIn({ IPAM }: NetworkResource, subnet: string | undefined): { readonly reserved?: Readonly<Record<string, string>> } {
  const reserved = IPAM?.Config?.find(({ Subnet }) => Subnet === subnet)?.AuxiliaryAddresses ?? {};
  return Object.keys(reserved).length === 0 ? {} : { reserved };
}

/** What creates a network. */
export function networkRequest(spec: NetworkSpec): Record<string, unknown> {
  return {
    Name: spec.name,
    Driver: spec.driver?.name || 'overlay',
    Options: spec.driver?.options ?? {},
    Labels: spec.labels,
    EnableIPv6: spec.ipv6,
    Internal: spec.internal,
    Attachable: spec.attachable,
    Ingress: spec.ingress,
    Scope: 'swarm',
    ...(spec.ipam === undefined
      ? {}
      : {
          IPAM: {
            Driver: spec.ipam.driver?.name || 'default',
            Options: spec.ipam.driver?.options ?? {},
            Config: spec.ipam.configs.map(({ subnet, range, gateway, reserved }) => ({
              Subnet: subnet,
              IPRange: range,
              Gateway: gateway,
              AuxiliaryAddresses: reserved,
            })),
          },
        }),
  };
}

interface FileSpec {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly data?: string;
  readonly driver?: { readonly name: string; readonly options?: Readonly<Record<string, string>> };
  readonly templating?: { readonly name: string; readonly options?: Readonly<Record<string, string>> };
}

/** What creates or updates a secret or a config. */
export function fileRequest({ name, labels, data, driver: secretDriver, templating }: FileSpec): Record<string, unknown> {
  const json = (value: NonNullable<FileSpec['driver']>) => ({ Name: value.name, ...(value.options === undefined ? {} : { Options: value.options }) });
  return {
    Name: name,
    Labels: labels,
    ...(data === undefined ? {} : { Data: data }),
    ...(secretDriver === undefined ? {} : { Driver: json(secretDriver) }),
    ...(templating === undefined ? {} : { Templating: json(templating) }),
  };
}
