// What the scheduler knows of the whole swarm without looking at every task again: what the tasks of each node hold, how many tasks of each service run
// where, which tasks failed lately, and which wait for a node. It is derived from the view alone and kept up by the store's events: a new index gives
// the same contents (cluster-index.test.ts holds it to that). It takes no decisions.
import type { Task } from '#domain/objects.ts';
import { isTerminal, taskStateRank } from '#domain/task-state.ts';
import type { StoreEvent, View } from '#domain/view.ts';
import { addUse, type GenericUse } from './generic-resources.ts';
import { hostPortsOf } from './requirements.ts';

/** What the tasks of one node hold. */
export interface NodeUse {
  /** Tasks that are there and wanted. */
  activeTasks: number;
  /** Tasks that are there, wanted or not: while there is one, this record is kept. */
  tasks: number;
  nanoCpus: number;
  memoryBytes: number;
  readonly generic: GenericUse;
}

export interface ClusterIndex {
  readonly nodes: ReadonlyMap<string, NodeUse>;
  /** Service id → node id → active tasks. */
  readonly activeByService: ReadonlyMap<string, ReadonlyMap<string, number>>;
  /** "tcp/8080" → node id → tasks that hold it. */
  readonly hostPorts: ReadonlyMap<string, ReadonlyMap<string, number>>;
  /** Group → node id → when its tasks failed there, by task. */
  readonly failures: ReadonlyMap<string, ReadonlyMap<string, ReadonlyMap<string, number>>>;
  /** Group → ids of tasks that wait for a node. */
  readonly waiting: ReadonlyMap<string, ReadonlySet<string>>;
  /** Node id → ids of tasks that were made for this node and wait for its consent. */
  readonly preassigned: ReadonlyMap<string, ReadonlySet<string>>;
  apply(event: StoreEvent): void;
  /** Forgets everything and reads the view. */
  rebuild(view: View): void;
}

/** Tasks of one service and spec version are alike for the scheduler; a task without is a group of its own. */
export function groupOf(task: Task): string {
  return task.serviceId === undefined || task.specVersion === undefined ? `task/${task.id}` : `group/${task.serviceId}/${task.specVersion}`;
}

/** Does the task hold resources of its node? From its assignment until it has stopped, whatever is wanted of it. */
export function isOnNode(task: Task): boolean {
  const { state } = task.status;
  return task.nodeId !== undefined && taskStateRank[state] >= taskStateRank.assigned && !isTerminal(state);
}

/** Is the task counted when tasks are spread? */
export function isActive(task: Task): boolean {
  return isOnNode(task) && isWanted(task);
}

export function isWaiting(task: Task): boolean {
  return task.status.state === 'pending' && isWanted(task);
}

function isWanted(task: Task): boolean {
  return taskStateRank[task.desiredState] <= taskStateRank.complete;
}

export function createClusterIndex(): ClusterIndex {
  const nodes = new Map<string, NodeUse>();
  const activeByService = new Map<string, Map<string, number>>();
  const hostPorts = new Map<string, Map<string, number>>();
  const failures = new Map<string, Map<string, Map<string, number>>>();
  const waiting = new Map<string, Set<string>>();
  const preassigned = new Map<string, Set<string>>();

  function add(task: Task, sign: 1 | -1): void {
    if (isOnNode(task)) addToNode(task, task.nodeId ?? '', sign);
    else if (isWaiting(task)) {
      if (task.nodeId === undefined) changeSet(waiting, groupOf(task), task.id, sign);
      else changeSet(preassigned, task.nodeId, task.id, sign);
    } else if (task.nodeId !== undefined && (task.status.state === 'failed' || task.status.state === 'rejected')) {
      changeFailure(failures, groupOf(task), task.nodeId, task, sign);
    }
  }

  function addToNode(task: Task, nodeId: string, sign: 1 | -1): void {
    let use = nodes.get(nodeId);
    if (use === undefined) nodes.set(nodeId, (use = { activeTasks: 0, tasks: 0, nanoCpus: 0, memoryBytes: 0, generic: new Map() }));
    const reservations = task.spec.resources?.reservations;
    use.tasks += sign;
    use.nanoCpus += sign * (reservations?.nanoCpus ?? 0);
    use.memoryBytes += sign * (reservations?.memoryBytes ?? 0);
    if (task.genericResources) addUse(use.generic, task.genericResources, sign);
    if (task.endpoint) for (const port of hostPortsOf(task)) changeCount(hostPorts, port, nodeId, sign);
    if (isActive(task)) {
      use.activeTasks += sign;
      if (task.serviceId !== undefined) changeCount(activeByService, task.serviceId, nodeId, sign);
    }
    if (use.tasks === 0) nodes.delete(nodeId);
  }

  return {
    nodes,
    activeByService,
    hostPorts,
    failures,
    waiting,
    preassigned,
    apply(event) {
      if (event.action === 'update' && event.previous.kind === 'task') add(event.previous, -1);
      if (event.object.kind === 'task') add(event.object, event.action === 'remove' ? -1 : 1);
    },
    rebuild(view) {
      for (const table of [nodes, activeByService, hostPorts, failures, waiting, preassigned]) table.clear();
      for (const task of view.list('task')) add(task, 1);
    },
  };
}

function changeCount(table: Map<string, Map<string, number>>, key: string, nodeId: string, sign: 1 | -1): void {
  let row = table.get(key);
  if (row === undefined) table.set(key, (row = new Map()));
  const count = (row.get(nodeId) ?? 0) + sign;
  if (count === 0) row.delete(nodeId);
  else row.set(nodeId, count);
  if (row.size === 0) table.delete(key);
}

function changeSet(table: Map<string, Set<string>>, key: string, id: string, sign: 1 | -1): void {
  let row = table.get(key);
  if (row === undefined) table.set(key, (row = new Set()));
  if (sign === 1) row.add(id);
  else row.delete(id);
  if (row.size === 0) table.delete(key);
}

function changeFailure(table: Map<string, Map<string, Map<string, number>>>, group: string, nodeId: string, task: Task, sign: 1 | -1): void {
  let row = table.get(group);
  if (row === undefined) table.set(group, (row = new Map()));
  let times = row.get(nodeId);
  if (times === undefined) row.set(nodeId, (times = new Map()));
  if (sign === 1) times.set(task.id, task.status.timestamp);
  else times.delete(task.id);
  if (times.size === 0) row.delete(nodeId);
  if (row.size === 0) table.delete(group);
}
