// Shapes of objects as they are shown, for templates: what an answer leaves out is Go's zero value.
import { nodeSpecShape } from '#docker-api/node.ts';
import { configSpecShape, secretSpecShape } from '#docker-api/secret-config.ts';
import { serviceSpecShape, taskSpecShape } from '#docker-api/service-spec.ts';
import { bool, int64, list, named, string, stringMap, strings, struct, uint32, uint64 } from '#docker-api/shape.ts';

const version = struct('Version', { Index: uint64 });
const time = named('time.Time');
const meta = { ID: string, Version: version, CreatedAt: time, UpdatedAt: time };

const endpointSpec = serviceSpecShape.fields.EndpointSpec;
const ports = list(struct('PortConfig', { Name: string, Protocol: string, TargetPort: uint32, PublishedPort: uint32, PublishMode: string }));

export const serviceShape = struct('Service', {
  ...meta,
  Spec: { ...serviceSpecShape, name: 'Spec' },
  PreviousSpec: serviceSpecShape,
  Endpoint: struct('Endpoint', {
    Spec: { ...endpointSpec, name: 'Spec' },
    Ports: ports,
    VirtualIPs: list(struct('EndpointVirtualIP', { NetworkID: string, Addr: string })),
  }),
  UpdateStatus: struct('UpdateStatus', { State: string, StartedAt: time, CompletedAt: time, Message: string }),
  ServiceStatus: struct('ServiceStatus', { RunningTasks: uint64, DesiredTasks: uint64, CompletedTasks: uint64 }),
  JobStatus: struct('JobStatus', { JobIteration: version, LastExecution: string }),
});

export const taskShape = struct('Task', {
  ...meta,
  Labels: stringMap,
  Spec: { ...taskSpecShape, name: 'Spec' },
  ServiceID: string,
  Slot: int64,
  NodeID: string,
  Status: struct('Status', {
    Timestamp: time,
    State: string,
    Message: string,
    Err: string,
    ContainerStatus: struct('ContainerStatus', { ContainerID: string, PID: int64, ExitCode: int64 }),
    PortStatus: struct('PortStatus', { Ports: ports }),
  }),
  DesiredState: string,
  JobIteration: version,
});

const tlsInfo = struct('TLSInfo', { TrustRoot: string, CertIssuerSubject: string, CertIssuerPublicKey: string });

export const nodeShape = struct('Node', {
  ...meta,
  Spec: { ...nodeSpecShape, name: 'Spec' },
  Description: struct('Description', {
    Hostname: string,
    Platform: struct('Platform', { Architecture: string, OS: string }),
    Resources: struct('Resources', { NanoCPUs: int64, MemoryBytes: int64 }),
    Engine: struct('Engine', { EngineVersion: string, Labels: stringMap, Plugins: list(struct('PluginDescription', { Type: string, Name: string })) }),
    TLSInfo: tlsInfo,
  }),
  Status: struct('Status', { State: named('swarm.NodeState'), Message: string, Addr: string }),
  ManagerStatus: struct('ManagerStatus', { Leader: bool, Reachability: string, Addr: string }),
});

export const secretShape = struct('Secret', { ...meta, Spec: { ...secretSpecShape, name: 'Spec' } });
export const configShape = struct('Config', { ...meta, Spec: { ...configSpecShape, name: 'Spec' } });

export const networkShape = struct('NetworkResource', {
  Name: string,
  Id: string,
  Created: time,
  Scope: string,
  Driver: string,
  EnableIPv6: bool,
  IPAM: struct('Spec', { Driver: string, Options: stringMap, Config: list(struct('IPAMConfig', { Subnet: string, IPRange: string, Gateway: string })) }),
  Internal: bool,
  Attachable: bool,
  Ingress: bool,
  ConfigOnly: bool,
  Options: stringMap,
  Labels: stringMap,
});

export const volumeShape = struct('Volume', {
  CreatedAt: string,
  Driver: string,
  Labels: stringMap,
  Mountpoint: string,
  Name: string,
  Options: stringMap,
  Scope: string,
  Links: strings,
});
