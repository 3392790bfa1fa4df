// Every field of a service spec with every odd value.

export type Json = Record<string, unknown>;

export function base(): Json {
  return {
    Name: 'odd',
    Labels: { a: 'b' },
    TaskTemplate: {
      ContainerSpec: {
        Image: 'nosuch:1',
        Mounts: [{ Type: 'volume', Source: 'v', Target: '/v', VolumeOptions: { DriverConfig: { Name: 'local' } } }],
        Healthcheck: { Test: ['CMD', 'true'], Interval: 1e9 },
        DNSConfig: { Nameservers: ['192.0.2.1'] },
        Privileges: {},
      },
      Resources: { Limits: { NanoCPUs: 1e9 }, Reservations: { GenericResources: [{ DiscreteResourceSpec: { Kind: 'gpu', Value: 1 } }] } },
      RestartPolicy: { Condition: 'any' },
      Placement: { Constraints: ['node.role==manager'], Preferences: [{ Spread: { SpreadDescriptor: 'node.labels.a' } }], Platforms: [{ OS: 'linux' }] },
      LogDriver: { Name: 'json-file' },
    },
    Mode: { Replicated: { Replicas: 0 } },
    UpdateConfig: { Parallelism: 1 },
    RollbackConfig: { Parallelism: 1 },
    EndpointSpec: { Mode: 'vip', Ports: [{ Protocol: 'tcp', TargetPort: 80, PublishedPort: 18_090, PublishMode: 'ingress' }] },
  };
}

const fields = [
  'Name',
  'Labels',
  'TaskTemplate',
  ...[
    '',
    '.Image',
    '.Labels',
    '.Command',
    '.Args',
    '.Hostname',
    '.Env',
    '.Dir',
    '.User',
    '.Groups',
    '.Privileges',
    '.Privileges.CredentialSpec',
    '.StopSignal',
    '.TTY',
  ].map((name) => `TaskTemplate.ContainerSpec${name}`),
  ...[
    'OpenStdin',
    'ReadOnly',
    'Mounts',
    'StopGracePeriod',
    'Healthcheck',
    'Hosts',
    'DNSConfig',
    'Secrets',
    'Configs',
    'Isolation',
    'Sysctls',
    'CapabilityAdd',
    'Ulimits',
    'Init',
  ].map((name) => `TaskTemplate.ContainerSpec.${name}`),
  ...[
    'Type',
    'Source',
    'Target',
    'ReadOnly',
    'Consistency',
    'BindOptions',
    'VolumeOptions',
    'VolumeOptions.NoCopy',
    'VolumeOptions.Labels',
    'VolumeOptions.DriverConfig',
    'TmpfsOptions',
  ].map((name) => `TaskTemplate.ContainerSpec.Mounts.0.${name}`),
  ...['Test', 'Interval', 'Timeout', 'StartPeriod', 'Retries'].map((name) => `TaskTemplate.ContainerSpec.Healthcheck.${name}`),
  ...['Nameservers', 'Search', 'Options'].map((name) => `TaskTemplate.ContainerSpec.DNSConfig.${name}`),
  ...[
    'Limits',
    'Limits.NanoCPUs',
    'Limits.MemoryBytes',
    'Limits.Pids',
    'Reservations',
    'Reservations.NanoCPUs',
    'Reservations.MemoryBytes',
    'Reservations.GenericResources',
  ].map((name) => `TaskTemplate.Resources.${name}`),
  ...['Kind', 'Value'].map((name) => `TaskTemplate.Resources.Reservations.GenericResources.0.DiscreteResourceSpec.${name}`),
  ...['', '.Condition', '.Delay', '.MaxAttempts', '.Window'].map((name) => `TaskTemplate.RestartPolicy${name}`),
  ...[
    '',
    '.Constraints',
    '.Preferences',
    '.Preferences.0.Spread',
    '.Preferences.0.Spread.SpreadDescriptor',
    '.MaxReplicas',
    '.Platforms',
    '.Platforms.0.OS',
  ].map((name) => `TaskTemplate.Placement${name}`),
  ...['ForceUpdate', 'Runtime', 'PluginSpec', 'NetworkAttachmentSpec', 'Networks', 'LogDriver', 'LogDriver.Name', 'LogDriver.Options'].map(
    (name) => `TaskTemplate.${name}`,
  ),
  ...['', '.Replicated', '.Replicated.Replicas', '.Global', '.ReplicatedJob', '.GlobalJob'].map((name) => `Mode${name}`),
  ...['UpdateConfig', 'RollbackConfig'].flatMap((config) =>
    ['', '.Parallelism', '.Delay', '.FailureAction', '.Monitor', '.MaxFailureRatio', '.Order'].map((name) => `${config}${name}`),
  ),
  'Networks',
  ...['', '.Mode', '.Ports', '.Ports.0.Name', '.Ports.0.Protocol', '.Ports.0.TargetPort', '.Ports.0.PublishedPort', '.Ports.0.PublishMode'].map(
    (name) => `EndpointSpec${name}`,
  ),
];

const values: readonly unknown[] = [
  null,
  '',
  'x',
  'a b',
  -1,
  0,
  1.5,
  1e30,
  18_446_744_073_709_551_615n,
  true,
  [],
  {},
  [1],
  [''],
  ['x'],
  [{}],
  { a: 1 },
  { '': '' },
];

function withValue(path: string, value: unknown): Json {
  const body = base();
  const keys = path.split('.');
  let part: Json = body;
  for (const key of keys.slice(0, -1)) part = part[key] as Json;
  part[keys.at(-1) ?? ''] = value;
  return body;
}

/** JSON has numbers beyond those of JavaScript. */
function textOf(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) => (typeof part === 'bigint' ? `<<${part}>>` : part)).replaceAll(/"<<(\d+)>>"/g, '$1');
}

export const eachField: readonly { readonly name: string; readonly body: string }[] = fields.flatMap((field) =>
  values.map((value) => ({ name: `${field} = ${textOf(value)}`, body: textOf(withValue(field, value)) })),
);
