// The allocator: gives networks their subnets and VXLAN ids, services their virtual IPs and ports, tasks their addresses, and says what is missing where
// it cannot. It remembers nothing: what is taken are the claims in the view, so what is freed is free at once and nothing can leak. The loop that runs
// it is manager/control-loop.ts; this object has the shape of a ControlLoop.
import { claimsOf } from '#domain/claims.ts';
import type { Network, Service, Task } from '#domain/objects.ts';
import { taskStateRank } from '#domain/task-state.ts';
import type { Change, StoreEvent, View, Writer } from '#domain/view.ts';
import { equalSpecs } from '#lib/equal.ts';
import { allocateEndpoint, asksForPort } from './endpoints.ts';
import { allocateNetwork, byUrgency } from './networks.ts';
import { createRound, type Round } from './round.ts';
import { allocateTask } from './tasks.ts';

export interface AllocatorDecision {
  readonly changes: readonly Change[];
  /** Keys that are left for the next decision, to keep a commit bounded. */
  readonly postponed: readonly string[];
}

export interface AllocatorLoop {
  readonly name: string;
  readonly writer: Writer;
  allKeys(view: View): Iterable<string>;
  keysOf(event: StoreEvent, view: View): Iterable<string>;
  decide(view: View, keys: ReadonlySet<string>, now: number): AllocatorDecision;
}

/** Looks at everything that still waits: something became free, or a network came. */
const EVERYTHING = '*';
/** As many as a commit takes well (see manager/control-loop.ts). */
const MAX_CHANGES = 500;

export function createAllocator({ maxChanges = MAX_CHANGES }: { readonly maxChanges?: number } = {}): AllocatorLoop {
  return {
    name: 'allocator',
    writer: 'allocator',
    allKeys: () => [EVERYTHING],
    keysOf,
    decide: (view, keys, now) => decide(createRound(view, now), keys, maxChanges),
  };
}

function keysOf(event: StoreEvent, view: View): readonly string[] {
  const { object } = event;
  const previous = event.action === 'update' ? event.previous : undefined;
  switch (object.kind) {
    case 'cluster':
      return [EVERYTHING];
    case 'network':
      if (event.action === 'create') return [`network/${object.id}`];
      // Where the search for addresses has got to is nobody's business.
      return event.action === 'remove' || !equalSpecs(withoutCursor(object), withoutCursor(previous as Network)) ? [EVERYTHING] : [];
    case 'service':
      if (event.action === 'remove') return onceFreed(claimsOf(object).length > 1, view);
      return [
        ...(previous?.kind === 'service' && equalSpecs(previous.spec, object.spec) ? [] : [`service/${object.id}`]),
        ...onceFreed(previous !== undefined && givesBack(previous, object), view),
      ];
    case 'task':
      if (event.action !== 'remove' && isNew(object)) return wasNew(previous) ? [] : [`task/${object.id}`];
      return onceFreed(event.action === 'remove' ? claimsOf(object).length > 0 : previous !== undefined && givesBack(previous, object), view);
    case 'node':
    case 'secret':
    case 'config':
      return [];
  }
}

function withoutCursor({ spec, state, allocationError }: Network): unknown {
  return { spec, allocationError, state: state && { ...state, cursor: undefined, cursor6: undefined } };
}

function isNew(task: Task): boolean {
  return task.status.state === 'new' && taskStateRank[task.desiredState] <= taskStateRank.complete;
}

function wasNew(previous: StoreEvent['object'] | undefined): boolean {
  return previous?.kind === 'task' && isNew(previous);
}

/** Is something given back that the object had? Addresses of a task are given back when it has stopped. */
function givesBack(previous: StoreEvent['object'], object: StoreEvent['object']): boolean {
  const before = claimsOf(previous);
  if (before.length === 0) return false;
  const after = new Set(claimsOf(object));
  return before.some((claim) => !after.has(claim));
}

/** What was freed matters only to those who wait. */
function onceFreed(isFreed: boolean, view: View): readonly string[] {
  return isFreed && !view.tasksInState('new')[Symbol.iterator]().next().done ? [EVERYTHING] : [];
}

function decide(round: Round, keys: ReadonlySet<string>, maxChanges: number): AllocatorDecision {
  const { view } = round;
  const everything = keys.has(EVERYTHING);
  // Whoever needs a network finds it allocated, or finds the reason why it is not.
  const unallocated = [...view.list('network')].filter(({ state }) => state === undefined);
  for (const network of unallocated.sort(byUrgency)) allocateNetwork(round, network);

  const problems = new Map<string, string | undefined>();
  const services = everything ? [...view.list('service')] : servicesOf(view, keys);
  const postponed: string[] = [];
  for (const service of services.sort((a, b) => Number(asksForPort(b)) - Number(asksForPort(a)) || (a.id < b.id ? -1 : 1))) {
    if (round.changes.length < maxChanges) problems.set(service.id, updateEndpoint(round, service));
    else postponed.push(`service/${service.id}`);
  }
  for (const task of waitingTasks(view, keys, everything)) {
    const service = task.serviceId === undefined ? undefined : view.get('service', task.serviceId);
    // Its service is gone, or its turn has not come: it is going too, or the service brings it along.
    if (task.serviceId !== undefined && (service === undefined || !problems.has(task.serviceId))) continue;
    if (round.changes.length < maxChanges) allocateTask(round, task, service, problems.get(task.serviceId ?? ''));
    else postponed.push(`task/${task.id}`);
  }
  return { changes: round.allChanges(), postponed };
}

/** Brings the service's endpoint up to date, or returns why that cannot be done. */
function updateEndpoint(round: Round, service: Service): string | undefined {
  const result = allocateEndpoint(round, service);
  if ('error' in result) return result.error;
  const before = service.endpoint ?? { spec: service.spec.endpoint ?? {}, ports: [], virtualIps: [] };
  // A service that needs nothing is not written: whoever reads it right after its creation has the version to update it with.
  if (!equalSpecs(before, result.endpoint)) {
    round.changes.push({ action: 'update', object: { ...service, endpoint: result.endpoint } });
  }
  return undefined;
}

function objectsOf<T>(keys: ReadonlySet<string>, prefix: string, get: (id: string) => T | undefined): T[] {
  const objects: T[] = [];
  for (const key of keys) {
    const object = key.startsWith(prefix) ? get(key.slice(prefix.length)) : undefined;
    if (object !== undefined) objects.push(object);
  }
  return objects;
}

/** The services of the keys, and those of the tasks of the keys: a task needs its service's endpoint first. */
function servicesOf(view: View, keys: ReadonlySet<string>): Service[] {
  const services = new Map(objectsOf(keys, 'service/', (id) => view.get('service', id)).map((service) => [service.id, service]));
  for (const task of objectsOf(keys, 'task/', (id) => view.get('task', id))) {
    const service = task.serviceId === undefined || services.has(task.serviceId) ? undefined : view.get('service', task.serviceId);
    if (service) services.set(service.id, service);
  }
  return [...services.values()];
}

/** New tasks of the keys and of the services of the keys, in order of service and slot. */
function waitingTasks(view: View, keys: ReadonlySet<string>, everything: boolean): readonly Task[] {
  const tasks = new Map<string, Task>();
  const add = (task: Task) => isNew(task) && tasks.set(task.id, task);
  if (everything) for (const task of view.tasksInState('new')) add(task);
  else {
    for (const task of objectsOf(keys, 'task/', (id) => view.get('task', id))) add(task);
    for (const service of objectsOf(keys, 'service/', (id) => view.get('service', id))) for (const task of view.tasksOfService(service.id)) add(task);
  }
  return [...tasks.values()].sort((a, b) => compare(a.serviceId ?? '', b.serviceId ?? '') || (a.slot ?? 0) - (b.slot ?? 0) || compare(a.id, b.id));
}

function compare(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
