// `service inspect --pretty`.
import type { ContainerSpec, TaskSpec, UpdateConfig } from '#docker-api/service-spec.ts';
import type { Service } from '#docker-api/service.ts';
import { ago, goDuration } from '../format/duration.ts';
import { bytesSize, significant } from '../format/size.ts';
import { labelLines } from '../node/pretty.ts';

export function prettyService(service: Service, networks: readonly string[], nowMs: number): string {
  const { Spec } = service;
  const { TaskTemplate: task = {} } = Spec;
  const container = task.ContainerSpec ?? {};
  const lines = ['', `ID:\t\t${service.ID}`, `Name:\t\t${Spec.Name ?? ''}`, ...labelLines('Labels', Spec.Labels, ' '), ...modeLines(service)];
  lines.push(...updateStatusLines(service, nowMs), ...placementLines(task));
  lines.push(...updateConfigLines('UpdateConfig', 'Update', Spec.UpdateConfig), ...updateConfigLines('RollbackConfig', 'Rollback', Spec.RollbackConfig));
  lines.push(...containerLines(container), ...fileLines(container), ...logLines(task), ...resourceLines(task));
  if (networks.length > 0) lines.push(`Networks:${networks.map((name) => ` ${name}`).join('')} `);
  lines.push(`Endpoint Mode:\t${service.Endpoint.Spec.Mode ?? Spec.EndpointSpec?.Mode ?? ''}`, ...portLines(service));
  return `${lines.join('\n')}${healthText(container)}\n`;
}

function modeLines({ Spec: { Mode = {} } }: Service): readonly string[] {
  if (Mode.Global) return ['Service Mode:\tGlobal'];
  if (Mode.Replicated) return ['Service Mode:\tReplicated', ` Replicas:\t${Mode.Replicated.Replicas ?? 0}`];
  if (Mode.ReplicatedJob)
    return [
      'Service Mode:\tReplicatedJob',
      ` Max Concurrent:\t${Mode.ReplicatedJob.MaxConcurrent ?? 1}`,
      ` Total Completions:\t${Mode.ReplicatedJob.TotalCompletions ?? 1}`,
    ];
  return ['Service Mode:\tGlobalJob'];
}

function updateStatusLines({ UpdateStatus: status }: Service, nowMs: number): readonly string[] {
  if (!status?.State) return [];
  return [
    'UpdateStatus:',
    ` State:\t\t${status.State}`,
    ...(status.StartedAt ? [` Started:\t${ago(status.StartedAt, nowMs)}`] : []),
    ...(status.State === 'completed' && status.CompletedAt ? [` Completed:\t${ago(status.CompletedAt, nowMs)}`] : []),
    ` Message:\t${status.Message ?? ''}`,
  ];
}

function placementLines({ Placement = {} }: TaskSpec): readonly string[] {
  const { Constraints = [], Preferences = [], MaxReplicas = 0 } = Placement;
  const spread = Preferences.flatMap(({ Spread }) => (Spread === undefined ? [] : [`spread=${Spread.SpreadDescriptor ?? ''}`]));
  return [
    'Placement:',
    ...(Constraints.length > 0 ? [` Constraints:\t[${Constraints.join(' ')}]`] : []),
    ...(spread.length > 0 ? [` Preferences:   [${spread.join(' ')}]`] : []),
    ...(MaxReplicas > 0 ? [` Max Replicas Per Node:   ${MaxReplicas}`] : []),
  ];
}

function updateConfigLines(title: string, word: string, config: UpdateConfig | undefined): readonly string[] {
  if (config === undefined) return [];
  const { Parallelism = 0, Delay = 0, FailureAction = '', Monitor = 0, MaxFailureRatio = 0, Order = '' } = config;
  return [
    `${title}:`,
    ` Parallelism:\t${Parallelism}`,
    ...(Delay > 0 ? [` Delay:\t\t${goDuration(Delay)}`] : []),
    ` On failure:\t${FailureAction}`,
    ...(Monitor > 0 ? [` Monitoring Period: ${goDuration(Monitor)}`] : []),
    ` Max failure ratio: ${significant(MaxFailureRatio, 7)}`,
    `${` ${word} order:`.padEnd(20)}${Order}`,
  ];
}

function containerLines(container: ContainerSpec): readonly string[] {
  const { Image = '', Args = [], Env = [], Dir, Init, User, CapabilityAdd = [], CapabilityDrop = [], Sysctls = {}, Ulimits = [], Mounts = [] } = container;
  const capabilities = [
    ...(CapabilityAdd.length > 0 ? [` Add: ${CapabilityAdd.join(', ')}`] : []),
    ...(CapabilityDrop.length > 0 ? [` Drop: ${CapabilityDrop.join(', ')}`] : []),
  ];
  const sysctls = Object.entries(Sysctls).sort(([a], [b]) => (a < b ? -1 : 1));
  const ulimits = [...Ulimits].sort((a, b) => ((a.Name ?? '') < (b.Name ?? '') ? -1 : 1));
  return [
    'ContainerSpec:',
    ` Image:\t\t${Image}`,
    ...(Args.length > 0 ? [` Args:\t\t${Args.map((arg) => `${arg} `).join('')}`] : []),
    ...(Env.length > 0 ? [` Env:\t\t${Env.map((variable) => `${variable} `).join('')}`] : []),
    ...(Dir ? [` Dir:\t\t${Dir}`] : []),
    ...(Init === undefined ? [] : [` Init:\t\t${Init}`]),
    ...(User ? [` User: ${User}`] : []),
    ...(capabilities.length > 0 ? ['Capabilities:', ...capabilities] : []),
    ...(sysctls.length > 0 ? ['SysCtls:', ...sysctls.map(([key, value]) => ` ${key}${value === '' ? '' : `: ${value}`}`)] : []),
    ...(ulimits.length > 0 ? ['Ulimits:', ...ulimits.map(({ Name, Soft = 0, Hard = 0 }) => ` ${Name}: ${Soft}:${Hard}`)] : []),
    ...(Mounts.length > 0 ? ['Mounts:'] : []),
    ...Mounts.flatMap(({ Target = '', Source = '', ReadOnly = false, Type = '' }) => [
      ` Target:\t${Target}`,
      `  Source:\t${Source}`,
      `  ReadOnly:\t${ReadOnly}`,
      `  Type:\t\t${Type}`,
    ]),
  ];
}

function fileLines({ Configs = [], Secrets = [] }: ContainerSpec): readonly string[] {
  return [
    ...(Configs.length > 0
      ? ['Configs:', ...Configs.flatMap(({ File, ConfigName }) => [` Target:\t${File?.Name ?? ''}`, `  Source:\t${ConfigName ?? ''}`])]
      : []),
    ...(Secrets.length > 0
      ? ['Secrets:', ...Secrets.flatMap(({ File, SecretName }) => [` Target:\t${File?.Name ?? ''}`, `  Source:\t${SecretName ?? ''}`])]
      : []),
  ];
}

function logLines({ LogDriver: driver }: TaskSpec): readonly string[] {
  if (driver === undefined) return [];
  const options = Object.entries(driver.Options ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
  return [
    'Log Driver:',
    ...(driver.Name ? [` Name:\t\t${driver.Name}`] : []),
    ...(options.length > 0 ? [' LogOpts:', ...options.map(([key, value]) => `  ${key}${value === '' ? '' : `:       ${value}`}`)] : []),
    '',
  ];
}

function resourceLines({ Resources: resources }: TaskSpec): readonly string[] {
  if (resources === undefined) return [];
  const { Reservations = {}, Limits = {} } = resources;
  const amounts = ({ NanoCPUs = 0, MemoryBytes = 0 }: { readonly NanoCPUs?: number | undefined; readonly MemoryBytes?: number | undefined }) => [
    ...(NanoCPUs > 0 ? [`  CPU:\t\t${significant(NanoCPUs / 1e9, 12)}`] : []),
    ...(MemoryBytes > 0 ? [`  Memory:\t${bytesSize(MemoryBytes)}`] : []),
  ];
  const reservations = amounts(Reservations);
  const limits = amounts(Limits);
  const { Pids = 0 } = Limits;
  return [
    'Resources:',
    ...(reservations.length > 0 ? [' Reservations:', ...reservations] : []),
    ...(limits.length > 0 || Pids > 0 ? [' Limits:', ...limits] : []),
    ...(Pids > 0 ? [`  PIDs:\t\t${Pids}`] : []),
  ];
}

function portLines({ Endpoint }: Service): readonly string[] {
  const ports = Endpoint.Ports ?? [];
  if (ports.length === 0) return [];
  const lines = ports.flatMap(({ PublishedPort = 0, Protocol = '', TargetPort = 0, PublishMode = '' }) => [
    ` PublishedPort = ${PublishedPort}`,
    `  Protocol = ${Protocol}`,
    `  TargetPort = ${TargetPort}`,
    `  PublishMode = ${PublishMode}`,
  ]);
  return ['Ports:', ...lines.slice(0, -1), `${lines.at(-1)} `];
}

function healthText({ Healthcheck: health }: ContainerSpec): string {
  if (health === undefined) return '';
  const { Interval = 0, Retries = 0, StartPeriod = 0, Timeout = 0, Test = [] } = health;
  const tests = Test.length === 0 ? '' : `\n  Tests:${Test.map((test) => `\n\t Test = ${test}`).join('')} `;
  return `\n Healthcheck:\n  Interval = ${goDuration(Interval)}\n  Retries = ${Retries}\n  StartPeriod =\t${goDuration(StartPeriod)}\n  Timeout =\t${goDuration(Timeout)}${tests}`;
}
