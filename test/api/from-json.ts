// Recorded JSON of swarm objects → domain objects, so that conversions can be compared with what a real daemon answered.
// The program itself never reads whole objects back; only specs come in.
import { nodeSpecShape } from '#docker-api/node.ts';
import { configSpecShape, secretSpecShape } from '#docker-api/secret-config.ts';
import { serviceSpecShape } from '#docker-api/service-spec.ts';
import { decodeBody } from '#docker-api/shape.ts';
import { swarmSpecShape } from '#docker-api/swarm.ts';
import type { Cluster, Config, Network, Node, ObjectMeta, Secret, Service, Task } from '#domain/objects.ts';
import type { GenericResource, PortConfig } from '#domain/spec.ts';
import { configSpecFromJson } from '../../src/api/convert/config.ts';
import { nodeSpecFromJson } from '../../src/api/convert/node.ts';
import { secretSpecFromJson } from '../../src/api/convert/secret.ts';
import { serviceSpecFromJson } from '../../src/api/convert/service.ts';
import { swarmSpecFromJson } from '../../src/api/convert/swarm.ts';
import { taskSpecFromJson } from '../../src/api/convert/task-spec.ts';
import type { Recorded } from './shared-data.ts';

function metaOf(wire: Recorded): ObjectMeta {
  return {
    id: wire['ID'],
    version: wire['Version']?.Index ?? 0,
    createdAt: Date.parse(wire['CreatedAt']),
    updatedAt: Date.parse(wire['UpdatedAt']),
  };
}

/** An object without its undefined fields. */
function defined<T extends object>(value: { [K in keyof T]: T[K] | undefined }): T {
  return Object.fromEntries(Object.entries(value).filter(([, field]) => field !== undefined)) as T;
}

export function serviceFromJson(wire: Recorded): Service {
  const spec = (json: unknown) => serviceSpecFromJson(decodeBody(serviceSpecShape, json), undefined);
  const { Endpoint: endpoint, UpdateStatus: update, JobStatus: job } = wire;
  return defined<Service>({
    ...metaOf(wire),
    kind: 'service',
    spec: spec(wire['Spec']),
    previousSpec: wire['PreviousSpec'] && spec(wire['PreviousSpec']),
    specVersion: 1,
    endpoint: endpoint?.Spec?.Mode && {
      spec: { mode: endpoint.Spec.Mode, ports: (endpoint.Spec.Ports ?? []).map(portFromJson) },
      ports: (endpoint.Ports ?? []).map(portFromJson),
      virtualIps: (endpoint.VirtualIPs ?? []).map((vip: Recorded) => ({ networkId: vip['NetworkID'], address: vip['Addr'] })),
    },
    updateStatus: update && {
      state: update.State,
      ...(update.StartedAt ? { startedAt: Date.parse(update.StartedAt) } : {}),
      ...(update.CompletedAt ? { completedAt: Date.parse(update.CompletedAt) } : {}),
      message: update.Message ?? '',
    },
    job: job && { iteration: job.JobIteration?.Index ?? 0, lastExecutionAt: Date.parse(job.LastExecution) },
  } as Service);
}

export function portFromJson(wire: Recorded): PortConfig {
  return defined<PortConfig>({
    name: wire['Name'],
    protocol: wire['Protocol'],
    targetPort: wire['TargetPort'],
    publishedPort: wire['PublishedPort'],
    publishMode: wire['PublishMode'],
  });
}

function genericFromJson({ NamedResourceSpec: named, DiscreteResourceSpec: discrete }: Recorded): GenericResource {
  return named ? { kind: 'named', name: named.Kind, value: named.Value } : { kind: 'discrete', name: discrete.Kind, value: discrete.Value };
}

export function networkFromSwarmJson(wire: Recorded): Network {
  const { Spec: spec, DriverState: state, IPAMOptions: ipam } = wire;
  const { 'com.docker.network.driver.overlay.vxlanid_list': vxlan, ...options } = (state?.Options ?? {}) as Record<string, string>;
  return defined<Network>({
    ...metaOf(wire),
    kind: 'network',
    spec: {
      name: spec.Name,
      labels: spec.Labels,
      ...(spec.DriverConfiguration ? { driver: { name: spec.DriverConfiguration.Name ?? '', ...optionsOf(spec.DriverConfiguration) } } : {}),
      ipv6: spec.IPv6Enabled ?? false,
      internal: spec.Internal ?? false,
      attachable: spec.Attachable ?? false,
      ingress: spec.Ingress ?? false,
      ...(spec.IPAMOptions
        ? {
            ipam: {
              driver: { name: spec.IPAMOptions.Driver?.Name ?? '', ...optionsOf(spec.IPAMOptions.Driver ?? {}) },
              configs: (spec.IPAMOptions.Configs ?? []).map(poolFromJson),
            },
          }
        : {}),
      scope: 'swarm',
    },
    state:
      state?.Name &&
      ({
        driver: { name: state.Name, ...(Object.keys(options).length > 0 ? { options } : {}) },
        ...(vxlan === undefined ? {} : { vxlanId: Number(vxlan) }),
        pools: (ipam?.Configs ?? []).map(poolFromJson),
      } as Network['state']),
  } as Network);
}

function optionsOf(wire: Recorded) {
  return wire['Options'] ? { options: wire['Options'] } : {};
}

function poolFromJson(wire: Recorded) {
  return defined({ subnet: wire['Subnet'], gateway: wire['Gateway'], range: wire['Range'] });
}

/** The task, and the networks that its JSON holds in full. */
export function taskFromJson(wire: Recorded): { readonly task: Task; readonly networks: ReadonlyMap<string, Network> } {
  const { Status: status, NetworksAttachments: attachments = [] } = wire;
  const networks = new Map<string, Network>(attachments.map((item: Recorded) => [item['Network'].ID, networkFromSwarmJson(item['Network'])]));
  const container = status.ContainerStatus;
  const task = defined<Task>({
    ...metaOf(wire),
    kind: 'task',
    serviceId: wire['ServiceID'],
    slot: wire['Slot'],
    nodeId: wire['NodeID'],
    spec: taskSpecFromJson(decodeBody(serviceSpecShape, { TaskTemplate: wire['Spec'] }).TaskTemplate ?? {}, undefined),
    serviceName: 'unknown',
    serviceLabels: {},
    status: defined({
      state: status.State,
      timestamp: Date.parse(status.Timestamp),
      message: status.Message ?? '',
      error: status.Err,
      container: container && { containerId: container.ContainerID, pid: container.PID, exitCode: container.ExitCode },
      hostPorts: status.PortStatus?.Ports?.map(portFromJson),
    }),
    desiredState: wire['DesiredState'],
    networks: attachments.map((item: Recorded) => ({ networkId: item['Network'].ID, addresses: item['Addresses'] ?? [], aliases: [] })),
    genericResources: wire['GenericResources']?.map(genericFromJson),
    jobIteration: wire['JobIteration'] && (wire['JobIteration'].Index ?? 0),
  } as Task);
  return { task, networks };
}

export function nodeFromJson(wire: Recorded): Node {
  const { Description: description, Status: status, ManagerStatus: manager } = wire;
  return defined<Node>({
    ...metaOf(wire),
    kind: 'node',
    spec: nodeSpecFromJson(decodeBody(nodeSpecShape, wire['Spec'])),
    description: {
      hostname: description.Hostname,
      dataPathAddress: status.Addr,
      platform: { architecture: description.Platform.Architecture, os: description.Platform.OS },
      resources: defined({
        nanoCpus: description.Resources.NanoCPUs,
        memoryBytes: description.Resources.MemoryBytes,
        generic: description.Resources.GenericResources?.map(genericFromJson),
      }),
      engine: {
        version: description.Engine.EngineVersion,
        labels: description.Engine.Labels ?? {},
        plugins: (description.Engine.Plugins ?? []).map((plugin: Recorded) => ({ type: plugin['Type'], name: plugin['Name'] })),
      },
      tls: {
        trustRoot: description.TLSInfo.TrustRoot,
        issuerSubject: description.TLSInfo.CertIssuerSubject,
        issuerPublicKey: description.TLSInfo.CertIssuerPublicKey,
      },
    },
    status: defined({ state: status.State, message: status.Message, address: status.Addr ?? '' }),
    manager: manager && { leader: manager.Leader ?? false, reachability: manager.Reachability, address: manager.Addr },
    index: 1,
    role: wire['Spec'].Role,
  } as Node);
}

export function clusterFromJson(wire: Recorded): Cluster {
  return {
    ...metaOf(wire),
    kind: 'cluster',
    spec: swarmSpecFromJson(decodeBody(swarmSpecShape, wire['Spec'])),
    rootCa: { certificate: wire['TLSInfo'].TrustRoot, sealedKey: '' },
    sealedJoinTokens: { worker: '', manager: '' },
    defaultAddressPools: wire['DefaultAddrPool'] ?? [],
    subnetSize: wire['SubnetSize'],
    dataPathPort: wire['DataPathPort'],
    rootRotationInProgress: wire['RootRotationInProgress'],
  };
}

export function secretFromJson(wire: Recorded): Secret {
  return { ...metaOf(wire), kind: 'secret', spec: secretSpecFromJson(decodeBody(secretSpecShape, wire['Spec'])) };
}

export function configFromJson(wire: Recorded): Config {
  return { ...metaOf(wire), kind: 'config', spec: configSpecFromJson(decodeBody(configSpecShape, wire['Spec'])) };
}
