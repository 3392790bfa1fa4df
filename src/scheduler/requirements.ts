// What a task asks of the node that it is to run on, taken out of its spec once for all tasks of a group. Whether a node has it is for filters.ts and
// board.ts.
import { type Constraint, parseConstraints } from '#domain/constraint.ts';
import type { Task } from '#domain/objects.ts';
import type { Mount, Platform } from '#domain/spec.ts';
import type { View } from '#domain/view.ts';

export interface Requirements {
  /** Equal texts: every node meets both or neither, whatever runs there (constraints, platforms, plugins). */
  readonly staticKey: string;
  /** As `staticKey`, and the nodes' present load included. */
  readonly key: string;
  readonly constraints: readonly Constraint[];
  readonly platforms: readonly Platform[];
  readonly plugins: readonly RequiredPlugin[];
  readonly nanoCpus: number;
  readonly memoryBytes: number;
  readonly generic: readonly { readonly name: string; readonly count: number }[];
  /** "tcp/8080", … */
  readonly hostPorts: readonly string[];
  /** 0: no limit. */
  readonly maxReplicas: number;
  /** Descriptors such as "node.labels.zone", outermost first. */
  readonly spread: readonly string[];
}

export interface RequiredPlugin {
  readonly type: 'Volume' | 'Network' | 'Log';
  readonly name: string;
}

/** Drivers that skepd itself brings to every node, or that mean "none". */
const BUILT_IN_NETWORK_DRIVERS: ReadonlySet<string> = new Set(['overlay', 'bridge', 'host', 'null', 'none']);

export function requirementsOf(task: Task, view: View): Requirements {
  const { placement, resources } = task.spec;
  const platforms = placement?.platforms ?? [];
  const plugins = pluginsOf(task, view);
  const reservations = resources?.reservations;
  const dynamic = {
    nanoCpus: reservations?.nanoCpus ?? 0,
    memoryBytes: reservations?.memoryBytes ?? 0,
    generic: (reservations?.generic ?? []).map((resource) => ({ name: resource.name, count: resource.kind === 'discrete' ? resource.value : 1 })),
    hostPorts: hostPortsOf(task),
    maxReplicas: placement?.maxReplicas ?? 0,
  };
  const staticKey = JSON.stringify([placement?.constraints ?? [], platforms, plugins]);
  return {
    staticKey,
    key: JSON.stringify([staticKey, dynamic, dynamic.maxReplicas > 0 ? task.serviceId : '']),
    constraints: constraintsOf(placement?.constraints ?? []),
    platforms,
    plugins,
    ...dynamic,
    spread: (placement?.preferences ?? []).map((preference) => preference.spread),
  };
}

/** Host-mode ports that a task occupies on its node; a port that the engine chooses is nobody's before. */
export function hostPortsOf(task: Task): readonly string[] {
  const ports: string[] = [];
  for (const port of task.endpoint?.ports ?? []) {
    if (port.publishMode === 'host' && port.publishedPort) ports.push(`${port.protocol}/${port.publishedPort}`);
  }
  return ports;
}

/** Constraints were checked when the service was made; like SwarmKit's, the scheduler ignores a list that it cannot read. */
function constraintsOf(expressions: readonly string[]): readonly Constraint[] {
  try {
    return parseConstraints(expressions);
  } catch {
    return [];
  }
}

function pluginsOf(task: Task, view: View): readonly RequiredPlugin[] {
  const plugins: RequiredPlugin[] = [];
  const { runtime, logDriver = task.logDriver } = task.spec;
  if (runtime.kind === 'container') for (const mount of runtime.container.mounts ?? []) plugins.push(...volumePlugin(mount));
  for (const { networkId } of task.networks) {
    const name = view.get('network', networkId)?.state?.driver.name;
    if (name && !BUILT_IN_NETWORK_DRIVERS.has(name)) plugins.push({ type: 'Network', name });
  }
  if (logDriver && logDriver.name !== 'none' && logDriver.name !== '') plugins.push({ type: 'Log', name: logDriver.name });
  return plugins;
}

function volumePlugin(mount: Mount): readonly RequiredPlugin[] {
  const name = mount.type === 'volume' ? mount.volume?.driver?.name : undefined;
  return name && name !== 'local' ? [{ type: 'Volume', name }] : [];
}
