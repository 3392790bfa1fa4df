// What holds where a user said nothing. The values are SwarmKit's (api/defaults, manager.go); durations are nanoseconds, as in specs.
// Stored specs keep what the user said: these functions give the effective value, or a filled-in copy where the API asks for one.
import type { ClusterSpec, ContainerSpec, RestartPolicy, ServiceSpec, TaskSpec, UpdateConfig } from './spec.ts';

const SECOND_NS = 1_000_000_000;
const HOUR_NS = 3_600 * SECOND_NS;

export const DEFAULT_STOP_GRACE_PERIOD_NS = 10 * SECOND_NS;
export const DEFAULT_HEARTBEAT_PERIOD_NS = 5 * SECOND_NS;
export const DEFAULT_TASK_HISTORY_LIMIT = 5;
/** 90 days. */
export const DEFAULT_NODE_CERT_EXPIRY_NS = 2_160 * HOUR_NS;
export const DEFAULT_ADDRESS_POOL = '10.0.0.0/8';
export const DEFAULT_SUBNET_SIZE = 24;
/** Of networks with IPv6 that name no subnet. */
export const IPV6_SUBNET_SIZE = 64;
export const DEFAULT_DATA_PATH_PORT = 4789;

export const defaultRestartPolicy = { condition: 'any', delayNs: 5 * SECOND_NS, maxAttempts: 0, windowNs: 0 } as const satisfies Required<RestartPolicy>;

export const defaultUpdateConfig = {
  parallelism: 1,
  delayNs: 0,
  failureAction: 'pause',
  monitorNs: 5 * SECOND_NS,
  maxFailureRatio: 0,
  order: 'stop-first',
} as const satisfies Required<UpdateConfig>;

/** The restart policy in force for a task. */
export function restartPolicyOf(task: TaskSpec): Required<RestartPolicy> {
  return { ...defaultRestartPolicy, ...defined(task.restart ?? {}) };
}

/** The update settings in force; an absent config means a parallelism of 1, a given 0 means all at once. */
export function updateConfigOf(spec: ServiceSpec): Required<UpdateConfig> {
  return { ...defaultUpdateConfig, ...defined(spec.update ?? {}) };
}

/** The settings in force while a service rolls back. */
export function rollbackConfigOf(spec: ServiceSpec): Required<UpdateConfig> {
  return { ...defaultUpdateConfig, ...defined(spec.rollback ?? {}) };
}

export function stopGracePeriodNsOf(container: ContainerSpec): number {
  return container.stopGracePeriodNs ?? DEFAULT_STOP_GRACE_PERIOD_NS;
}

/** Zero, which a user may store, means the default. */
export function heartbeatPeriodNsOf(spec: ClusterSpec): number {
  return spec.dispatcher.heartbeatPeriodNs || DEFAULT_HEARTBEAT_PERIOD_NS;
}

/** Old tasks to keep per slot, the live one included; negative: all. */
export function taskHistoryLimitOf(spec: ClusterSpec): number {
  return spec.orchestration.taskHistoryRetentionLimit ?? DEFAULT_TASK_HISTORY_LIMIT;
}

export function nodeCertExpiryNsOf(spec: ClusterSpec): number {
  return spec.ca.nodeCertExpiryNs || DEFAULT_NODE_CERT_EXPIRY_NS;
}

/** What `insertDefaults=true` shows: SwarmKit's InterpolateService. It fills exactly these fields and leaves the endpoint alone. */
export function insertServiceDefaults(spec: ServiceSpec): ServiceSpec {
  return {
    ...spec,
    task: insertTaskDefaults(spec.task),
    update: insertUpdateDefaults(spec.update),
    rollback: insertUpdateDefaults(spec.rollback),
  };
}

function insertTaskDefaults(task: TaskSpec): TaskSpec {
  const restart = task.restart ?? { condition: 'any' };
  return {
    ...task,
    runtime: task.runtime.kind === 'container' ? { kind: 'container', container: insertContainerDefaults(task.runtime.container) } : task.runtime,
    resources: task.resources ?? {},
    // SwarmKit's default policy has no window: an absent one is not filled in.
    restart: { maxAttempts: 0, ...restart, delayNs: restart.delayNs ?? defaultRestartPolicy.delayNs },
    placement: task.placement ?? {},
  };
}

function insertContainerDefaults(container: ContainerSpec): ContainerSpec {
  return { ...container, stopGracePeriodNs: stopGracePeriodNsOf(container), dns: container.dns ?? {} };
}

/** A missing config is the default one; a given one only gets its monitor period, and says nothing about a delay that it does not have. */
function insertUpdateDefaults(config: UpdateConfig | undefined): UpdateConfig {
  if (config === undefined) {
    const { delayNs: _zero, ...visible } = defaultUpdateConfig;
    return visible;
  }
  return { ...config, monitorNs: config.monitorNs ?? defaultUpdateConfig.monitorNs };
}

export const defaultClusterSpec: ClusterSpec = {
  name: 'default',
  labels: {},
  orchestration: { taskHistoryRetentionLimit: DEFAULT_TASK_HISTORY_LIMIT },
  raft: { snapshotInterval: 10_000, keepOldSnapshots: 0, logEntriesForSlowFollowers: 500, electionTick: 10, heartbeatTick: 1 },
  dispatcher: { heartbeatPeriodNs: DEFAULT_HEARTBEAT_PERIOD_NS },
  ca: { nodeCertExpiryNs: DEFAULT_NODE_CERT_EXPIRY_NS },
  taskDefaults: {},
  encryption: { autoLockManagers: false },
};

/** The spec that a new swarm gets: on `swarm init`, everything that is absent or zero means the default. */
export function insertClusterDefaults(spec: ClusterSpec): ClusterSpec {
  const defaults = defaultClusterSpec;
  return {
    ...spec,
    name: 'default',
    orchestration: { taskHistoryRetentionLimit: taskHistoryLimitOf(spec) },
    raft: {
      snapshotInterval: spec.raft.snapshotInterval || (defaults.raft.snapshotInterval ?? 0),
      keepOldSnapshots: spec.raft.keepOldSnapshots ?? 0,
      logEntriesForSlowFollowers: spec.raft.logEntriesForSlowFollowers || (defaults.raft.logEntriesForSlowFollowers ?? 0),
      electionTick: spec.raft.electionTick || defaults.raft.electionTick,
      heartbeatTick: spec.raft.heartbeatTick || defaults.raft.heartbeatTick,
    },
    dispatcher: { heartbeatPeriodNs: heartbeatPeriodNsOf(spec) },
    ca: { ...spec.ca, nodeCertExpiryNs: nodeCertExpiryNsOf(spec) },
  };
}

/** A copy without the keys whose value is undefined, so that a spread does not overwrite with nothing. */
function defined<T extends object>(value: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, item]) => item !== undefined)) as { [K in keyof T]?: Exclude<T[K], undefined> };
}
