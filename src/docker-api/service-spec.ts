// The JSON of a service's spec as clients send it and as it is shown. Field order is Docker's: answers are built in this order.
// `goType` names are those of moby's api/types, because error messages show them.
import { bool, bytes, duration, float32, type Infer, int64, list, named, pointers, string, stringMap, strings, struct, uint32, uint64 } from './shape.ts';

export const driverShape = struct('Driver', { Name: string, Options: stringMap });

const mountShape = struct(
  'Mount',
  {
    Type: named('mount.Type'),
    Source: string,
    Target: string,
    ReadOnly: bool,
    Consistency: named('mount.Consistency'),
    BindOptions: struct(
      'BindOptions',
      {
        Propagation: named('mount.Propagation'),
        NonRecursive: bool,
        CreateMountpoint: bool,
        ReadOnlyNonRecursive: bool,
        ReadOnlyForceRecursive: bool,
      },
      'mount',
    ),
    VolumeOptions: struct(
      'VolumeOptions',
      { NoCopy: bool, Labels: stringMap, Subpath: string, DriverConfig: struct('Driver', { Name: string, Options: stringMap }, 'mount') },
      'mount',
    ),
    ImageOptions: struct('ImageOptions', { Subpath: string }, 'mount'),
    TmpfsOptions: struct('TmpfsOptions', { SizeBytes: int64, Mode: uint32, Options: list(strings) }, 'mount'),
    ClusterOptions: struct('ClusterOptions', {}, 'mount'),
  },
  'mount',
);

const fileTargetShape = struct('SecretReferenceFileTarget', { Name: string, UID: string, GID: string, Mode: uint32 });

const privilegesShape = struct('Privileges', {
  CredentialSpec: struct('CredentialSpec', { Config: string, File: string, Registry: string }),
  SELinuxContext: struct('SELinuxContext', { Disable: bool, User: string, Role: string, Type: string, Level: string }),
  Seccomp: struct('SeccompOpts', { Mode: named('swarm.SeccompMode'), Profile: bytes }),
  AppArmor: struct('AppArmorOpts', { Mode: named('swarm.AppArmorMode') }),
  NoNewPrivileges: bool,
});

export const containerSpecShape = struct('ContainerSpec', {
  Image: string,
  Labels: stringMap,
  Command: strings,
  Args: strings,
  Hostname: string,
  Env: strings,
  Dir: string,
  User: string,
  Groups: strings,
  Privileges: privilegesShape,
  Init: bool,
  StopSignal: string,
  TTY: bool,
  OpenStdin: bool,
  ReadOnly: bool,
  Mounts: list(mountShape),
  StopGracePeriod: duration,
  Healthcheck: struct(
    'HealthConfig',
    {
      Test: strings,
      Interval: duration,
      Timeout: duration,
      StartPeriod: duration,
      StartInterval: duration,
      Retries: { ...int64, goType: 'int' },
    },
    'container',
  ),
  Hosts: strings,
  DNSConfig: struct('DNSConfig', { Nameservers: strings, Search: strings, Options: strings }),
  Secrets: pointers(struct('SecretReference', { File: fileTargetShape, SecretID: string, SecretName: string })),
  Configs: pointers(
    struct('ConfigReference', { File: fileTargetShape, Runtime: struct('ConfigReferenceRuntimeTarget', {}), ConfigID: string, ConfigName: string }),
  ),
  Isolation: named('container.Isolation'),
  Sysctls: stringMap,
  CapabilityAdd: strings,
  CapabilityDrop: strings,
  Ulimits: pointers(struct('Ulimit', { Name: string, Hard: int64, Soft: int64 }, 'units')),
  OomScoreAdj: int64,
});

export const genericResourceShape = struct('GenericResource', {
  NamedResourceSpec: struct('NamedGenericResource', { Kind: string, Value: string }),
  DiscreteResourceSpec: struct('DiscreteGenericResource', { Kind: string, Value: int64 }),
});

const resourceRequirementsShape = struct('ResourceRequirements', {
  Limits: struct('Limit', { NanoCPUs: int64, MemoryBytes: int64, Pids: int64 }),
  Reservations: struct('Resources', { NanoCPUs: int64, MemoryBytes: int64, GenericResources: list(genericResourceShape) }),
  SwapBytes: int64,
  MemorySwappiness: int64,
});

const networkAttachmentConfigShape = struct('NetworkAttachmentConfig', { Target: string, Aliases: strings, DriverOpts: stringMap });

export const taskSpecShape = struct('TaskSpec', {
  ContainerSpec: containerSpecShape,
  PluginSpec: struct('PluginSpec', {}, 'runtime'),
  NetworkAttachmentSpec: struct('NetworkAttachmentSpec', { ContainerID: string }),
  Resources: resourceRequirementsShape,
  RestartPolicy: struct('RestartPolicy', { Condition: named('swarm.RestartPolicyCondition'), Delay: duration, MaxAttempts: uint64, Window: duration }),
  Placement: struct('Placement', {
    Constraints: strings,
    Preferences: list(struct('PlacementPreference', { Spread: struct('SpreadOver', { SpreadDescriptor: string }) })),
    MaxReplicas: uint64,
    Platforms: list(struct('Platform', { Architecture: string, OS: string })),
  }),
  Networks: list(networkAttachmentConfigShape),
  LogDriver: driverShape,
  ForceUpdate: uint64,
  Runtime: named('swarm.RuntimeType'),
});

const updateConfigShape = struct('UpdateConfig', {
  Parallelism: uint64,
  Delay: duration,
  FailureAction: string,
  Monitor: duration,
  MaxFailureRatio: float32,
  Order: string,
});

const portConfigShape = struct('PortConfig', {
  Name: string,
  Protocol: named('swarm.PortConfigProtocol'),
  TargetPort: uint32,
  PublishedPort: uint32,
  PublishMode: named('swarm.PortConfigPublishMode'),
});

export const serviceSpecShape = struct('ServiceSpec', {
  Name: string,
  Labels: stringMap,
  TaskTemplate: taskSpecShape,
  Mode: struct('ServiceMode', {
    Replicated: struct('ReplicatedService', { Replicas: uint64 }),
    Global: struct('GlobalService', {}),
    ReplicatedJob: struct('ReplicatedJob', { MaxConcurrent: uint64, TotalCompletions: uint64 }),
    GlobalJob: struct('GlobalJob', {}),
  }),
  UpdateConfig: updateConfigShape,
  RollbackConfig: updateConfigShape,
  Networks: list(networkAttachmentConfigShape),
  EndpointSpec: struct('EndpointSpec', { Mode: named('swarm.ResolutionMode'), Ports: list(portConfigShape) }),
});

export type Driver = Infer<typeof driverShape>;
export type Mount = Infer<typeof mountShape>;
export type FileTarget = Infer<typeof fileTargetShape>;
export type Privileges = Infer<typeof privilegesShape>;
export type ContainerSpec = Infer<typeof containerSpecShape>;
export type GenericResource = Infer<typeof genericResourceShape>;
export type ResourceRequirements = Infer<typeof resourceRequirementsShape>;
export type NetworkAttachmentConfig = Infer<typeof networkAttachmentConfigShape>;
export type TaskSpec = Infer<typeof taskSpecShape>;
export type UpdateConfig = Infer<typeof updateConfigShape>;
export type PortConfig = Infer<typeof portConfigShape>;
export type ServiceSpec = Infer<typeof serviceSpecShape>;
