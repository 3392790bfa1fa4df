// What the engine says of this node, in the swarm's words. Pure.
import type { NodeDescription } from '#domain/objects.ts';
import type { GenericResource } from '#domain/spec.ts';
import type { EngineInfo } from './api-types.ts';

export interface DescribeFacts {
  /** The name that users know the node by; the engine's own when absent. */
  readonly hostname?: string;
  readonly dataPathAddress: string;
  readonly tls?: NodeDescription['tls'];
  readonly encryption?: NodeDescription['encryption'];
  readonly publishes6?: boolean;
}

export function describeNode(info: EngineInfo, { hostname, dataPathAddress, tls, encryption, publishes6 = false }: DescribeFacts): NodeDescription {
  const generic = genericResources(info);
  return {
    hostname: hostname ?? info.Name,
    dataPathAddress,
    ...(encryption === undefined ? {} : { encryption }),
    ...(publishes6 ? { publishes6 } : {}),
    platform: { architecture: machineNames[info.Architecture] ?? info.Architecture, os: info.OSType },
    resources: { nanoCpus: info.NCPU * 1e9, memoryBytes: info.MemTotal, ...(generic.length === 0 ? {} : { generic }) },
    engine: { version: info.ServerVersion, labels: labelsOf(info.Labels ?? []), plugins: pluginsOf(info) },
    ...(tls === undefined ? {} : { tls }),
  };
}

/** Podman names architectures as Go does; users' constraints use the names that Docker shows, the machine's own. */
const machineNames: Readonly<Record<string, string>> = { amd64: 'x86_64', arm64: 'aarch64', '386': 'i686', arm: 'armv7l' };

/** Sorted by type, then name, as Docker's managers show them. */
function pluginsOf({ Plugins }: EngineInfo): NodeDescription['engine']['plugins'] {
  const of = (type: string, names: readonly string[] | null | undefined) => [...(names ?? [])].sort().map((name) => ({ type, name }));
  return [
    ...of('Authorization', Plugins.Authorization),
    ...of('Log', logDrivers(Plugins.Log ?? [])),
    ...of('Network', Plugins.Network),
    ...of('Volume', Plugins.Volume),
  ];
}

/** Podman takes Docker's default for its own, but does not list it. */
function logDrivers(names: readonly string[]): readonly string[] {
  return names.includes('k8s-file') && !names.includes('json-file') ? [...names, 'json-file'] : names;
}

function labelsOf(labels: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    labels.map((label) => {
      const equals = label.indexOf('=');
      return equals < 0 ? [label, ''] : [label.slice(0, equals), label.slice(equals + 1)];
    }),
  );
}

function genericResources({ GenericResources }: EngineInfo): readonly GenericResource[] {
  return (GenericResources ?? []).flatMap(({ NamedResourceSpec: named, DiscreteResourceSpec: discrete }): GenericResource[] => {
    if (named !== undefined) return [{ kind: 'named', name: named.Kind, value: named.Value }];
    return discrete === undefined ? [] : [{ kind: 'discrete', name: discrete.Kind, value: discrete.Value }];
  });
}
