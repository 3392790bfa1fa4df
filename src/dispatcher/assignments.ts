// What a node is told about its tasks: the full set, and the difference since the last message. Pure but for the opened secrets.
import type { Config, Network, Secret, Task } from '#domain/objects.ts';
import type { ContainerSpec } from '#domain/spec.ts';
import { isTerminal, taskStateRank } from '#domain/task-state.ts';
import type { View } from '#domain/view.ts';
import type { AssignedConfig, AssignedNetwork, AssignedSecret, AssignedTask, AssignmentChange, AssignmentSet } from '#protocol/messages.ts';
import { mtuOf } from './network-state.ts';

/** Opens what the store keeps sealed. */
export interface SealedReader {
  /** The plain bytes of a secret. */
  secretData(secret: Secret): Uint8Array;
  /** The registry credentials of a task's spec as the user gave them. */
  registryAuth(sealed: string): string;
}

/** Remembers what one node was told, so that nothing is told twice. */
export class AssignmentTracker {
  private readonly nodeId: string;
  private readonly sealed: SealedReader;
  private readonly sent = new Map<string, Task>();
  private readonly secretUsers = new Map<string, number>();
  private readonly configUsers = new Map<string, number>();

  constructor(nodeId: string, sealed: SealedReader) {
    this.nodeId = nodeId;
    this.sealed = sealed;
  }

  /** The whole set as of `view`; resets what was told before. */
  complete(view: View): AssignmentSet {
    this.sent.clear();
    this.secretUsers.clear();
    this.configUsers.clear();
    const tasks = [...view.tasksOfNode(this.nodeId)].filter(isAssigned);
    for (const task of tasks) this.remember(task);
    return {
      tasks: tasks.map((task) => this.assignedTask(view, task)),
      secrets: this.secrets(view, [...this.secretUsers.keys()]),
      configs: configs(view, [...this.configUsers.keys()]),
    };
  }

  /** What changed for the objects with these ids, or undefined when the node need not know. */
  change(
    view: View,
    dirty: { readonly tasks: ReadonlySet<string>; readonly secrets: ReadonlySet<string>; readonly configs: ReadonlySet<string> },
  ): AssignmentChange | undefined {
    const tasks: AssignedTask[] = [];
    const removedTaskIds: string[] = [];
    const usedBefore = { secrets: new Set(this.secretUsers.keys()), configs: new Set(this.configUsers.keys()) };
    for (const id of [...dirty.tasks].sort()) {
      const task = view.get('task', id);
      const previous = this.sent.get(id);
      if (task === undefined || task.nodeId !== this.nodeId || !isAssigned(task)) {
        if (previous === undefined) continue;
        this.forget(previous);
        removedTaskIds.push(id);
      } else if (previous === undefined || !sameAssignment(previous, task)) {
        if (previous !== undefined) this.forget(previous);
        this.remember(task);
        tasks.push(this.assignedTask(view, task));
      } else if (needsFiles(previous) !== needsFiles(task)) {
        this.forget(previous);
        this.remember(task);
      }
    }
    const change: AssignmentChange = {
      tasks,
      removedTaskIds,
      secrets: this.secrets(view, toSend(this.secretUsers, usedBefore.secrets, dirty.secrets)),
      removedSecretIds: gone(this.secretUsers, usedBefore.secrets),
      configs: configs(view, toSend(this.configUsers, usedBefore.configs, dirty.configs)),
      removedConfigIds: gone(this.configUsers, usedBefore.configs),
    };
    return Object.values(change).some((list) => list.length > 0) ? change : undefined;
  }

  private assignedTask(view: View, task: Task): AssignedTask {
    return {
      task: withPlainRegistryAuth(task, this.sealed),
      serviceLabels: task.serviceLabels,
      networks: task.networks.flatMap((attachment) => {
        const network = view.get('network', attachment.networkId);
        return network === undefined ? [] : [assignedNetwork(network)];
      }),
    };
  }

  private secrets(view: View, ids: readonly string[]): AssignedSecret[] {
    return ids.flatMap((id) => {
      const secret = view.get('secret', id);
      return secret === undefined ? [] : [{ ...fileIdentity(secret), data: this.sealed.secretData(secret) }];
    });
  }

  private remember(task: Task): void {
    this.sent.set(task.id, task);
    count(task, 1, this.secretUsers, this.configUsers);
  }

  private forget(task: Task): void {
    this.sent.delete(task.id);
    count(task, -1, this.secretUsers, this.configUsers);
  }
}

function isAssigned(task: Task): boolean {
  return taskStateRank[task.status.state] >= taskStateRank.assigned;
}

/** Secrets go only to nodes with a task that still needs them. */
function needsFiles(task: Task): boolean {
  return !isTerminal(task.status.state);
}

/** Status is the agent's own news: it is not told back. */
function sameAssignment(a: Task, b: Task): boolean {
  return a.desiredState === b.desiredState && a.spec === b.spec && a.networks === b.networks && a.genericResources === b.genericResources;
}

function containerOf(task: Task): ContainerSpec | undefined {
  return task.spec.runtime.kind === 'container' ? task.spec.runtime.container : undefined;
}

function count(task: Task, by: 1 | -1, secretUsers: Map<string, number>, configUsers: Map<string, number>): void {
  if (!needsFiles(task)) return;
  const container = containerOf(task);
  for (const { secretId } of container?.secrets ?? []) add(secretUsers, secretId, by);
  for (const { configId } of container?.configs ?? []) add(configUsers, configId, by);
}

function add(users: Map<string, number>, id: string, by: number): void {
  const next = (users.get(id) ?? 0) + by;
  if (next > 0) users.set(id, next);
  else users.delete(id);
}

function toSend(now: ReadonlyMap<string, number>, before: ReadonlySet<string>, changed: ReadonlySet<string>): string[] {
  return [...now.keys()].filter((id) => !before.has(id) || changed.has(id));
}

function gone(now: ReadonlyMap<string, number>, before: ReadonlySet<string>): string[] {
  return [...before].filter((id) => !now.has(id));
}

function configs(view: View, ids: readonly string[]): AssignedConfig[] {
  return ids.flatMap((id) => {
    const config = view.get('config', id);
    return config === undefined ? [] : [{ ...fileIdentity(config), data: Buffer.from(config.spec.data, 'base64') }];
  });
}

function fileIdentity(object: Secret | Config) {
  const { templating } = object.spec;
  return { id: object.id, version: object.version, name: object.spec.name, ...(templating === undefined ? {} : { templating }) };
}

function withPlainRegistryAuth(task: Task, sealed: SealedReader): Task {
  const container = containerOf(task);
  if (container?.registryAuth === undefined) return task;
  return {
    ...task,
    spec: { ...task.spec, runtime: { kind: 'container', container: { ...container, registryAuth: sealed.registryAuth(container.registryAuth) } } },
  };
}

function assignedNetwork(network: Network): AssignedNetwork {
  const { spec, state } = network;
  const mtu = mtuOf(network);
  return {
    id: network.id,
    name: spec.name,
    driver: state?.driver ?? spec.driver ?? { name: 'overlay' },
    ...(state?.vxlanId === undefined ? {} : { vxlanId: state.vxlanId }),
    subnets: (state?.pools ?? []).map(({ subnet, gateway }) => ({ subnet, gateway })),
    internal: spec.internal,
    attachable: spec.attachable,
    labels: spec.labels,
    ...(mtu === undefined ? {} : { mtu }),
  };
}
