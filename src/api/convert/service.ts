// Services: JSON ↔ domain, and the JSON text of a service for lists.

import type { ServiceStatus } from '#control/control.ts';
import type { Service as WireService, ServiceStatus as WireServiceStatus } from '#docker-api/service.ts';
import type { PortConfig as WirePort, ServiceSpec as WireServiceSpec, UpdateConfig as WireUpdateConfig } from '#docker-api/service-spec.ts';
import type { Service } from '#domain/objects.ts';
import type { EndpointSpec, PortConfig, ServiceMode, ServiceSpec, UpdateConfig } from '#domain/spec.ts';
import { compact, invalid, memoized, metaToJson, nonEmpty, oneOf, quoted, sortedMap, timeToJson } from './common.ts';
import { attachmentsFromJson, attachmentsToJson, taskSpecFromJson, taskSpecToJson } from './task-spec.ts';

/** Throws AppError `invalidArgument` in Docker's words. `name` may be empty: the caller makes one up. */
export function serviceSpecFromJson(wire: WireServiceSpec, registryAuth: string | undefined): ServiceSpec {
  return compact<ServiceSpec>({
    name: wire.Name ?? '',
    labels: wire.Labels ?? {},
    task: taskSpecFromJson(wire.TaskTemplate ?? {}, registryAuth),
    update: wire.UpdateConfig && updateConfigFromJson(wire.UpdateConfig),
    rollback: wire.RollbackConfig && updateConfigFromJson(wire.RollbackConfig),
    endpoint: wire.EndpointSpec && endpointSpecFromJson(wire.EndpointSpec),
    mode: modeFromJson(wire.Mode ?? {}),
    networks: attachmentsFromJson(wire.Networks),
  });
}

export const serviceSpecToJson: (spec: ServiceSpec) => WireServiceSpec = memoized((spec) => ({
  Name: nonEmpty(spec.name),
  Labels: sortedMap(spec.labels),
  TaskTemplate: taskSpecToJson(spec.task, { withRuntime: true }),
  Mode: modeToJson(spec.mode),
  UpdateConfig: spec.update && updateConfigToJson(spec.update),
  RollbackConfig: spec.rollback && updateConfigToJson(spec.rollback),
  Networks: attachmentsToJson(spec.networks),
  EndpointSpec: spec.endpoint && endpointSpecToJson(spec.endpoint),
}));

export function serviceToJson(service: Service): WireService {
  return { ...headOfService(service), JobStatus: jobStatusToJson(service) };
}

/** The JSON text of a service, with its status where one is given. */
export function serviceToText(service: Service, status?: ServiceStatus): string {
  const { head, tail } = textsOfService(service);
  if (status === undefined) return head + tail;
  const json: WireServiceStatus = { RunningTasks: status.runningTasks, DesiredTasks: status.desiredTasks, CompletedTasks: status.completedTasks };
  return `${head},"ServiceStatus":${JSON.stringify(json)}${tail}`;
}

/** The text in two parts: the status of a service changes without the service and stands between them. */
const textsOfService = memoized((service: Service) => {
  const job = jobStatusToJson(service);
  return {
    head: JSON.stringify(headOfService(service)).slice(0, -1),
    tail: job === undefined ? '}' : `,"JobStatus":${JSON.stringify(job)}}`,
  };
});

function headOfService(service: Service): WireService {
  return {
    ...metaToJson(service),
    Spec: serviceSpecToJson(service.spec),
    PreviousSpec: service.previousSpec && serviceSpecToJson(service.previousSpec),
    Endpoint: endpointToJson(service),
    UpdateStatus: service.updateStatus && {
      State: service.updateStatus.state,
      StartedAt: service.updateStatus.startedAt === undefined ? undefined : timeToJson(service.updateStatus.startedAt),
      CompletedAt: service.updateStatus.completedAt === undefined ? undefined : timeToJson(service.updateStatus.completedAt),
      Message: nonEmpty(service.updateStatus.message),
    },
  };
}

function jobStatusToJson({ job }: Service): WireService['JobStatus'] {
  return job && { JobIteration: { Index: nonEmpty(job.iteration) }, LastExecution: timeToJson(job.lastExecutionAt) };
}

/** As in Docker, a service that has nothing to allocate (no network, no port) has an empty endpoint. */
function endpointToJson({ endpoint, spec }: Service): WireService['Endpoint'] {
  const networks = spec.task.networks ?? spec.networks ?? [];
  if (endpoint === undefined || (networks.length === 0 && endpoint.ports.length === 0)) return { Spec: {} };
  return {
    Spec: endpointSpecToJson(endpoint.spec),
    Ports: nonEmpty(endpoint.ports.map(portToJson)),
    VirtualIPs: nonEmpty(
      endpoint.virtualIps.map(({ networkId, address, address6 }) => ({ NetworkID: nonEmpty(networkId), Addr: nonEmpty(address), AddrIPv6: address6 })),
    ),
  };
}

function endpointSpecToJson(spec: EndpointSpec) {
  return { Mode: spec.mode ?? 'vip', Ports: nonEmpty(spec.ports?.map(portToJson)) };
}

export function portToJson(port: PortConfig): WirePort {
  return {
    Name: nonEmpty(port.name),
    Protocol: port.protocol,
    TargetPort: nonEmpty(port.targetPort),
    PublishedPort: nonEmpty(port.publishedPort),
    PublishMode: port.publishMode,
  };
}

/** Protocols and modes that do not exist silently become the defaults, as in Docker. */
function portFromJson(wire: WirePort): PortConfig {
  return compact<PortConfig>({
    name: nonEmpty(wire.Name),
    protocol: oneOf(['tcp', 'udp', 'sctp'], wire.Protocol?.toLowerCase()) ?? 'tcp',
    targetPort: wire.TargetPort ?? 0,
    publishedPort: nonEmpty(wire.PublishedPort),
    publishMode: oneOf(['ingress', 'host'], wire.PublishMode?.toLowerCase()) ?? 'ingress',
  });
}

function endpointSpecFromJson(wire: NonNullable<WireServiceSpec['EndpointSpec']>): EndpointSpec {
  const mode = oneOf(['vip', 'dnsrr'], wire.Mode || 'vip');
  if (mode === undefined) throw invalid(`invalid resolution mode: ${quoted(wire.Mode ?? '')}`);
  return compact<EndpointSpec>({ mode, ports: nonEmpty(wire.Ports?.map(portFromJson)) });
}

function updateConfigFromJson(wire: WireUpdateConfig): UpdateConfig {
  const failureAction = oneOf(['pause', 'continue', 'rollback'], wire.FailureAction || 'pause');
  if (failureAction === undefined) throw invalid(`unrecognized update failure action ${wire.FailureAction}`);
  const order = oneOf(['stop-first', 'start-first'], wire.Order || 'stop-first');
  if (order === undefined) throw invalid(`unrecognized update order ${wire.Order}`);
  return compact<UpdateConfig>({
    parallelism: wire.Parallelism ?? 0,
    delayNs: nonEmpty(wire.Delay),
    failureAction,
    monitorNs: nonEmpty(wire.Monitor),
    maxFailureRatio: nonEmpty(wire.MaxFailureRatio),
    order,
  });
}

function updateConfigToJson(config: UpdateConfig): WireUpdateConfig {
  return {
    Parallelism: config.parallelism,
    Delay: nonEmpty(config.delayNs),
    FailureAction: config.failureAction ?? 'pause',
    Monitor: nonEmpty(config.monitorNs),
    MaxFailureRatio: config.maxFailureRatio ?? 0,
    Order: config.order ?? 'stop-first',
  };
}

function modeFromJson(wire: NonNullable<WireServiceSpec['Mode']>): ServiceMode {
  const given = [wire.Global, wire.Replicated, wire.ReplicatedJob, wire.GlobalJob].filter((mode) => mode !== undefined);
  if (given.length > 1) throw invalid('must specify only one service mode');
  if (wire.Global) return { kind: 'global' };
  if (wire.GlobalJob) return { kind: 'global-job' };
  if (wire.ReplicatedJob) {
    const maxConcurrent = wire.ReplicatedJob.MaxConcurrent ?? 1;
    return { kind: 'replicated-job', maxConcurrent, totalCompletions: wire.ReplicatedJob.TotalCompletions ?? maxConcurrent };
  }
  return { kind: 'replicated', replicas: wire.Replicated?.Replicas ?? 1 };
}

function modeToJson(mode: ServiceMode): NonNullable<WireServiceSpec['Mode']> {
  switch (mode.kind) {
    case 'replicated':
      return { Replicated: { Replicas: mode.replicas } };
    case 'global':
      return { Global: {} };
    case 'replicated-job':
      return { ReplicatedJob: { MaxConcurrent: mode.maxConcurrent, TotalCompletions: mode.totalCompletions } };
    case 'global-job':
      return { GlobalJob: {} };
  }
}
