// The requests of inputs.ts: each field with odd values, and what is odd only together.
import { base, eachField, type Json } from './odd-fields.ts';

export interface OddInput {
  readonly name: string;
  /** Text is sent as it is. */
  readonly body: unknown;
  /** An update of the service `existing`; else a new service. */
  readonly update?: boolean;
  readonly query?: string;
}

const port = (more: Json): Json => ({ Protocol: 'tcp', TargetPort: 80, PublishedPort: 18_091, PublishMode: 'ingress', ...more });
const container = (more: Json): Json => ({ ...base(), TaskTemplate: { ContainerSpec: { Image: 'nosuch:1', ...more } } });
const mounted = (...mounts: readonly Json[]) => container({ Mounts: mounts });
const ports = (...list: readonly Json[]): Json => ({ ...base(), EndpointSpec: { Ports: list } });
const mode = (value: unknown, more: Json = {}): Json => ({ ...base(), Mode: value, ...more });
const placed = (...constraints: readonly string[]): Json => ({
  ...base(),
  TaskTemplate: { ContainerSpec: { Image: 'nosuch:1' }, Placement: { Constraints: constraints } },
});

const together: readonly (readonly [string, unknown])[] = [
  ['no body', ''],
  ['no JSON', 'nonsense'],
  ['half a JSON', '{"Name":'],
  ['two JSON values', '{} {}'],
  ['a list', '[]'],
  ['null', 'null'],
  ['a name that is taken', { ...base(), Name: 'existing' }],
  ['a name that is taken, in capitals', { ...base(), Name: 'EXISTING' }],
  ['a name of 63 letters', { ...base(), Name: 'a'.repeat(63) }],
  ['a name of 64 letters', { ...base(), Name: 'a'.repeat(64) }],
  ['a name with a dot', { ...base(), Name: 'a.b' }],
  ['a name with a line break', { ...base(), Name: 'a\nb' }],
  ['keys in other capitals', '{"nAmE":"odd","TASKTEMPLATE":{"containerspec":{"image":"nosuch:1"}},"mode":{"replicated":{"replicas":0}}}'],
  ['unknown keys', { ...base(), Nonsense: 1 }],
  ['a key twice', '{"Name":"a","Name":"odd","TaskTemplate":{"ContainerSpec":{"Image":"nosuch:1"}},"Mode":{"Replicated":{"Replicas":0}}}'],
  ['both modes', mode({ Replicated: { Replicas: 0 }, Global: {} })],
  ['no mode', mode({})],
  ['a job with updates', mode({ ReplicatedJob: { TotalCompletions: 0 } })],
  ['a job', mode({ ReplicatedJob: { TotalCompletions: 0 } }, { UpdateConfig: undefined, RollbackConfig: undefined })],
  ['a job with condition any', mode({ ReplicatedJob: { TotalCompletions: 0, MaxConcurrent: 3 } }, { UpdateConfig: undefined })],
  ['a global job with a number', mode({ GlobalJob: { TotalCompletions: 3 } }, { UpdateConfig: undefined, RollbackConfig: undefined })],
  ['too many replicas', mode({ Replicated: { Replicas: 2 ** 63 } })],
  ['a port twice', ports(port({}), port({}))],
  ['a port twice with another protocol', ports(port({}), port({ Protocol: 'udp' }))],
  ['a port twice with another target', ports(port({}), port({ TargetPort: 81 }))],
  ['a target twice', ports(port({}), port({ PublishedPort: 18_092 }))],
  ['a port as host and ingress', ports(port({}), port({ PublishMode: 'host' }))],
  ['a host port twice', ports(port({ PublishMode: 'host' }), port({ PublishMode: 'host', TargetPort: 81 }))],
  ['a port of 65535', ports(port({ PublishedPort: 65_535 }))],
  ['a protocol in capitals', ports(port({ Protocol: 'TCP' }))],
  ['dnsrr with an ingress port', { ...base(), EndpointSpec: { Mode: 'dnsrr', Ports: [port({})] } }],
  ['dnsrr with a host port', { ...base(), EndpointSpec: { Mode: 'dnsrr', Ports: [port({ PublishMode: 'host' })] } }],
  ['a mount twice', mounted({ Type: 'volume', Source: 'a', Target: '/a' }, { Type: 'tmpfs', Target: '/a' })],
  ['a mount twice, spelt differently', mounted({ Type: 'volume', Source: 'a', Target: '/a' }, { Type: 'tmpfs', Target: '/a/' })],
  ['a bind without source', mounted({ Type: 'bind', Target: '/a' })],
  ['a relative bind', mounted({ Type: 'bind', Source: 'a', Target: '/a' })],
  ['a bind with options of volumes', mounted({ Type: 'bind', Source: '/a', Target: '/a', VolumeOptions: { NoCopy: true } })],
  ['a volume with options of binds', mounted({ Type: 'volume', Source: 'a', Target: '/a', BindOptions: { Propagation: 'rshared' } })],
  ['a bind with an unknown propagation', mounted({ Type: 'bind', Source: '/a', Target: '/a', BindOptions: { Propagation: 'x' } })],
  ['a tmpfs with a source', mounted({ Type: 'tmpfs', Source: 'a', Target: '/a' })],
  ['a tmpfs with a negative size', mounted({ Type: 'tmpfs', Target: '/a', TmpfsOptions: { SizeBytes: -1 } })],
  ['a named pipe', mounted({ Type: 'npipe', Source: '\\\\.\\pipe\\a', Target: '/a' })],
  ['a cluster volume', mounted({ Type: 'cluster', Source: 'a', Target: '/a' })],
  ['a mount of /', mounted({ Type: 'volume', Source: 'a', Target: '/' })],
  ['a bad template', container({ Env: ['A={{.Bad'] })],
  ['a template with an unknown field', container({ Env: ['A={{.Nonsense}}'] })],
  ['a template with an unknown function', container({ Hostname: '{{nonsense 1}}' })],
  ['a good template', container({ Hostname: '{{.Node.Hostname}}-{{.Task.Slot}}', Env: ['A={{index .Service.Labels "x"}}'] })],
  ['a bad template of a mount', mounted({ Type: 'volume', Source: '{{.Bad', Target: '/a' })],
  ['a check that is too often', container({ Healthcheck: { Test: ['CMD', 'true'], Interval: 1 } })],
  ['a check with a short time limit', container({ Healthcheck: { Test: ['CMD', 'true'], Timeout: 999_999 } })],
  ['a check with a short beginning', container({ Healthcheck: { Test: ['CMD', 'true'], StartPeriod: 1 } })],
  ['a check with negative retries', container({ Healthcheck: { Test: ['CMD', 'true'], Retries: -1 } })],
  ['no check', container({ Healthcheck: { Test: ['NONE'] } })],
  ['an image without a name', container({ Image: ':1' })],
  ['an image in capitals', container({ Image: 'NoSuch:1' })],
  ['an image with a bad digest', container({ Image: 'nosuch@sha256:12' })],
  ['an image of a registry with a port', container({ Image: 'localhost:5000/a/b:c' })],
  ['a secret that is not there', container({ Secrets: [{ SecretID: 'nosuch', SecretName: 'y', File: { Name: 'y', UID: '0', GID: '0', Mode: 292 } }] })],
  ['two secrets that are not there', container({ Secrets: ['y', 'z'].map((name) => ({ SecretID: `no${name}`, SecretName: name, File: { Name: name } })) })],
  ['a secret without a target', container({ Secrets: [{ SecretID: 'nosuch', SecretName: 'y' }] })],
  ['a secret with an empty target', container({ Secrets: [{ SecretID: 'nosuch', SecretName: 'y', File: { Name: '' } }] })],
  ['a secret without a name', container({ Secrets: [{ SecretID: 'nosuch', File: { Name: 'y' } }] })],
  ['two secrets with one target', container({ Secrets: ['y', 'z'].map((name) => ({ SecretID: `no${name}`, SecretName: name, File: { Name: 't' } })) })],
  ['a config that is not there', container({ Configs: [{ ConfigID: 'nosuch', ConfigName: 'y', File: { Name: 'y', UID: '0', GID: '0', Mode: 292 } }] })],
  ['a config without a target', container({ Configs: [{ ConfigID: 'nosuch', ConfigName: 'y' }] })],
  ['a config with two targets', container({ Configs: [{ ConfigID: 'nosuch', ConfigName: 'y', File: { Name: 'y' }, Runtime: {} }] })],
  ['two configs with one target', container({ Configs: ['y', 'z'].map((name) => ({ ConfigID: `no${name}`, ConfigName: name, File: { Name: 't' } })) })],
  ['credentials of two sources', container({ Privileges: { CredentialSpec: { File: 'a', Registry: 'b' } } })],
  ['credentials of no source', container({ Privileges: { CredentialSpec: {} } })],
  ['credentials of a config', container({ Privileges: { CredentialSpec: { Config: 'zz' } } })],
  ['SELinux options', container({ Privileges: { SELinuxContext: { Disable: true, User: 'u' } } })],
  ['a network that is not there', { ...base(), TaskTemplate: { ContainerSpec: { Image: 'nosuch:1' }, Networks: [{ Target: 'nosuch' }] } }],
  ['a network of this node', { ...base(), TaskTemplate: { ContainerSpec: { Image: 'nosuch:1' }, Networks: [{ Target: 'bridge' }] } }],
  ['the network host', { ...base(), EndpointSpec: undefined, TaskTemplate: { ContainerSpec: { Image: 'nosuch:1' }, Networks: [{ Target: 'host' }] } }],
  ['the network ingress', { ...base(), TaskTemplate: { ContainerSpec: { Image: 'nosuch:1' }, Networks: [{ Target: 'ingress' }] } }],
  [
    'a network twice in two places',
    { ...base(), Networks: [{ Target: 'nosuch' }], TaskTemplate: { ContainerSpec: { Image: 'nosuch:1' }, Networks: [{ Target: 'nosuch' }] } },
  ],
  ...[
    'a',
    '==',
    'a==',
    '==b',
    'a=b',
    'a == b',
    'node.role = manager',
    'node.role==manager==x',
    'node.labels.a!=b',
    'node.ip==10.0.0.0/8',
    'node.ip==x',
    'nonsense==x',
    'node.id==*',
    'a b==c',
    'node.labels.ä==b',
  ].map((constraint): readonly [string, unknown] => [`constraint ${constraint}`, placed(constraint)]),
  ['a runtime that is none', { ...base(), TaskTemplate: { ContainerSpec: { Image: 'nosuch:1' }, Runtime: 'nonsense' } }],
  ['a plugin without a spec', { ...base(), TaskTemplate: { Runtime: 'plugin' } }],
  ['a container and a plugin', { ...base(), TaskTemplate: { ContainerSpec: { Image: 'nosuch:1' }, PluginSpec: { Name: 'a', Remote: 'b' } } }],
  ['an attachment', { ...base(), TaskTemplate: { NetworkAttachmentSpec: { ContainerID: 'a' }, Runtime: 'attachment' } }],
  ['no task', { ...base(), TaskTemplate: {} }],
  [
    'a named resource',
    {
      ...base(),
      TaskTemplate: {
        ContainerSpec: { Image: 'nosuch:1' },
        Resources: { Reservations: { GenericResources: [{ NamedResourceSpec: { Kind: 'a', Value: 'b' } }] } },
      },
    },
  ],
  [
    'a resource twice',
    {
      ...base(),
      TaskTemplate: {
        ContainerSpec: { Image: 'nosuch:1' },
        Resources: { Reservations: { GenericResources: [1, 2].map((Value) => ({ DiscreteResourceSpec: { Kind: 'a', Value } })) } },
      },
    },
  ],
  ['little memory', { ...base(), TaskTemplate: { ContainerSpec: { Image: 'nosuch:1' }, Resources: { Limits: { MemoryBytes: 4 * 2 ** 20 - 1 } } } }],
  ['a sliver of a processor', { ...base(), TaskTemplate: { ContainerSpec: { Image: 'nosuch:1' }, Resources: { Limits: { NanoCPUs: 999_999 } } } }],
  [
    'a limit below the reservation',
    {
      ...base(),
      TaskTemplate: { ContainerSpec: { Image: 'nosuch:1' }, Resources: { Limits: { MemoryBytes: 2 ** 23 }, Reservations: { MemoryBytes: 2 ** 24 } } },
    },
  ],
  ['a name that is only a label', { ...base(), Name: '', Labels: { 'com.docker.stack.namespace': 'x' } }],
  ...[-0.1, 1.1, 1, 0.5].map((ratio): readonly [string, unknown] => [`ratio ${ratio}`, { ...base(), UpdateConfig: { MaxFailureRatio: ratio } }]),
];

const existing = (more: Json = {}): Json => ({
  Name: 'existing',
  TaskTemplate: { ContainerSpec: { Image: 'nosuch:1' } },
  Mode: { Replicated: { Replicas: 0 } },
  ...more,
});
const updates: readonly OddInput[] = [
  { name: 'update to itself', body: existing() },
  { name: 'update with another name', body: existing({ Name: 'other' }) },
  { name: 'update without a name', body: existing({ Name: '' }) },
  { name: 'update to a global service', body: existing({ Mode: { Global: {} } }) },
  { name: 'update to a job', body: existing({ Mode: { ReplicatedJob: { TotalCompletions: 0 } } }) },
  { name: 'update without a mode', body: existing({ Mode: {} }) },
  { name: 'update without a task', body: existing({ TaskTemplate: {} }) },
  { name: 'update to nothing', body: {} },
  { name: 'update without a body', body: '' },
  { name: 'update of no JSON', body: 'nonsense' },
  { name: 'update with a bad rollback', body: existing(), query: '&rollback=nonsense' },
  { name: 'update with credentials of nowhere', body: existing(), query: '&registryAuthFrom=nonsense' },
  { name: 'update with the credentials before', body: existing(), query: '&registryAuthFrom=previous-spec' },
  { name: 'update that takes a port', body: existing({ EndpointSpec: { Ports: [port({ PublishedPort: 0 })] } }) },
  { name: 'update to dnsrr with that port', body: existing({ EndpointSpec: { Mode: 'dnsrr', Ports: [port({})] } }) },
  { name: 'rollback', body: existing(), query: '&rollback=previous' },
  { name: 'rollback with a bad body', body: existing({ Name: 'other' }), query: '&rollback=previous' },
  { name: 'rollback with a body that is none', body: 'nonsense', query: '&rollback=previous' },
  { name: 'update with an odd version', body: existing(), query: '&version=abc' },
].map((update) => ({ ...update, update: true }));

export const whole: readonly OddInput[] = [...eachField, ...together.map(([name, body]) => ({ name, body })), ...updates];
