// What must hold at every commit, whatever goes wrong. It keeps its own picture of the store, so that a manager that lost something is found out.
import type { FakeExecutor } from '#agent/testing/fake-executor.ts';
import { restartPolicyOf, rollbackConfigOf, updateConfigOf } from '#domain/defaults.ts';
import type { Service, StoreObject, Task } from '#domain/objects.ts';
import { compareStates, isTerminal, taskStateRank } from '#domain/task-state.ts';
import type { StoreEvent, View } from '#domain/view.ts';
import type { Store } from '#store/store.ts';
import type { Trace } from './trace.ts';

export interface Invariants {
  /** Checks that nothing is lost since the last life, and watches this one. */
  watch(store: Store): void;
  noteCommit(): void;
  noteStop(nodeId: string, taskId: string, engine: FakeExecutor['control']): void;
  noteStarted(nodeId: string, taskId: string, engine: FakeExecutor['control']): void;
  readonly commits: number;
}

export interface InvariantOptions {
  readonly trace: Trace;
  /** The managers' clock. */
  readonly now: () => number;
}

/** Nobody has a reason for more at one moment; a loop that wakes itself has. */
const MAX_COMMITS_AT_ONCE = 500;

export function createInvariants({ trace, now }: InvariantOptions): Invariants {
  const objects = new Map<string, StoreObject>();
  const addresses = new Map<string, string>();
  /** Services that started first once: two tasks in a slot are in order there. */
  const startFirst = new Set<string>();
  /** Tasks whose node was down while they ran: nobody waits for them, and they may still run when it comes back. */
  const lost = new Set<string>();
  /** The newest task of each slot that ended by itself although its policy allows no other. */
  const finished = new Map<string, Task>();
  let commits = 0;
  let moment = { at: 0, commits: 0 };

  function take(event: StoreEvent, view: View): void {
    const { object } = event;
    const key = `${object.kind}/${object.id}`;
    const previous = objects.get(key);
    trace.note(`${event.action} ${describe(event)}`);
    if (event.action === 'remove') objects.delete(key);
    else objects.set(key, object);
    takeAddresses(key, previous, event.action === 'remove' ? undefined : object);
    if (object.kind === 'task' && previous?.kind === 'task') checkGrowth(previous, object);
    if (object.kind === 'task') checkRestarts(event, previous?.kind === 'task' ? previous : undefined, object, view);
    if (object.kind === 'service') noteOrder(object);
    if (object.kind === 'node' && object.status.state === 'down')
      for (const task of view.tasksOfNode(object.id)) if (!isTerminal(task.status.state)) lost.add(task.id);
  }

  function checkGrowth(before: Task, after: Task): void {
    if (compareStates(after.status.state, before.status.state) < 0)
      trace.violation(`task ${after.id} goes from ${before.status.state} back to ${after.status.state}`);
    if (compareStates(after.desiredState, before.desiredState) < 0)
      trace.violation(`task ${after.id} is wanted ${after.desiredState} after ${before.desiredState}`);
    if (before.nodeId !== undefined && before.nodeId !== after.nodeId) trace.violation(`task ${after.id} moves from ${before.nodeId} to ${after.nodeId}`);
  }

  /** The restart policy: a slot that is finished stays so under the same spec, and nobody gets more tries than are allowed. */
  function checkRestarts({ action }: StoreEvent, before: Task | undefined, task: Task, view: View): void {
    const slot = `${task.serviceId}/${slotOf(task)}/${task.jobIteration ?? ''}`;
    const { condition, maxAttempts, windowNs } = restartPolicyOf(task.spec);
    const attempts = task.restart?.attempts ?? 0;
    if (maxAttempts > 0 && windowNs === 0 && attempts > maxAttempts) trace.violation(`task ${task.id} is attempt ${attempts} of ${maxAttempts}`);
    if (action === 'create') {
      const last = finished.get(slot);
      finished.delete(slot);
      const service = task.serviceId === undefined ? undefined : view.get('service', task.serviceId);
      const isRefilled = service?.updateStatus?.state.startsWith('rollback') === true;
      if (last !== undefined && last.specVersion === task.specVersion && !isRefilled)
        trace.violation(`task ${task.id} follows ${last.id}, which was not to be replaced`);
    } else if (action === 'update' && before !== undefined && !isTerminal(before.status.state) && isTerminal(task.status.state) && isLive(before)) {
      const isOver = condition === 'none' || (condition === 'on-failure' && task.status.state === 'complete');
      // An old task that goes on beside it (start-first) has a policy of its own.
      const isLast = ![...view.tasksOfService(task.serviceId ?? '')].some((other) => other.id !== task.id && isLive(other) && slotOf(other) === slotOf(task));
      if (isOver && isLast && task.status.state !== 'orphaned') finished.set(slot, task);
    }
  }

  function takeAddresses(key: string, before: StoreObject | undefined, after: StoreObject | undefined): void {
    for (const address of addressesOf(before)) if (addresses.get(address) === key) addresses.delete(address);
    for (const address of addressesOf(after)) {
      const holder = addresses.get(address);
      if (holder !== undefined) trace.violation(`${address} belongs to ${holder} and to ${key}`);
      addresses.set(address, key);
    }
  }

  function noteOrder({ id, spec }: Service): void {
    if (updateConfigOf(spec).order === 'start-first' || rollbackConfigOf(spec).order === 'start-first') startFirst.add(id);
  }

  function checkService(view: View, serviceId: string): void {
    const service = view.get('service', serviceId);
    if (service === undefined) return;
    const tasks = [...view.tasksOfService(serviceId)];
    if (!startFirst.has(serviceId)) checkSlots(view, service, tasks);
    checkParallelism(service, tasks);
  }

  function checkSlots(view: View, service: Service, tasks: readonly Task[]): void {
    const running = new Map<string, Task[]>();
    const live = new Map<string, number>();
    for (const task of tasks) {
      if (isLive(task) && !isTerminal(task.status.state)) count(live, slotOf(task));
      const node = task.nodeId === undefined ? undefined : view.get('node', task.nodeId);
      if (task.status.state !== 'running' || node === undefined || node.status.state === 'down' || lost.has(task.id)) continue;
      running.set(slotOf(task), [...(running.get(slotOf(task)) ?? []), task]);
    }
    for (const [slot, number] of live) if (number > 1) trace.violation(`${number} tasks are wanted in slot ${slot} of ${service.spec.name}`);
    for (const [slot, both] of running) {
      // Whoever did not stop in its time is not waited for any longer.
      const wasWaitedFor = both.some(({ restart }) => restart?.waitUntil !== undefined && restart.waitUntil <= now());
      if (both.length > 1 && !wasWaitedFor) trace.violation(`${both.map(({ id }) => id).join(' and ')} run in slot ${slot} of ${service.spec.name}`);
    }
  }

  function checkParallelism(service: Service, tasks: readonly Task[]): void {
    const { rollout, updateStatus, specVersion, spec } = service;
    if (rollout?.specVersion !== specVersion || updateStatus === undefined) return;
    const { parallelism } =
      updateStatus.state === 'rollback_started' || updateStatus.state === 'rollback_paused' ? rollbackConfigOf(spec) : updateConfigOf(spec);
    if (parallelism === 0) return;
    const updating = tasks.filter((task) => {
      const isOfRollout = task.specVersion === specVersion && task.restart?.ofUpdate === true && task.createdAt >= rollout.startedAt;
      return isOfRollout && isLive(task) && compareStates(task.status.state, 'running') < 0;
    });
    if (updating.length > parallelism) trace.violation(`${updating.length} slots of ${spec.name} are updated at once, not ${parallelism}`);
  }

  return {
    get commits() {
      return commits;
    },
    watch(store) {
      compareWithView(store.view, objects, trace);
      store.watch((_revision, events) => {
        commits++;
        for (const event of events) take(event, store.view);
        const touched = new Set(events.flatMap(({ object }) => (object.kind === 'task' && object.serviceId !== undefined ? [object.serviceId] : [])));
        for (const serviceId of touched) checkService(store.view, serviceId);
      });
    },
    noteCommit() {
      moment = moment.at === now() ? { ...moment, commits: moment.commits + 1 } : { at: now(), commits: 1 };
      if (moment.commits === MAX_COMMITS_AT_ONCE) trace.violation(`${MAX_COMMITS_AT_ONCE} commits at the same moment`);
    },
    noteStop(nodeId, taskId, engine) {
      const task = objects.get(`task/${taskId}`);
      const container = engine.containers().get(taskId)?.state;
      if (task?.kind !== 'task' || container?.status !== 'running' || container.health === 'unhealthy') return;
      if (isLive(task) && !isTerminal(task.status.state))
        trace.violation(`${nodeId} stops the healthy container of ${taskId}, which is wanted ${task.desiredState}`);
    },
    noteStarted(nodeId, taskId, engine) {
      const containers = engine.containers();
      const ports = portsOf(containers.get(taskId)?.state);
      for (const [otherId, { state }] of containers) {
        if (otherId === taskId || state.status !== 'running') continue;
        const shared = portsOf(state).find((port) => ports.includes(port));
        if (shared !== undefined) trace.violation(`${taskId} and ${otherId} both publish port ${shared} of ${nodeId}`);
      }
    },
  };
}

function compareWithView(view: View, objects: ReadonlyMap<string, StoreObject>, trace: Trace): void {
  if (objects.size === 0) return;
  let found = 0;
  for (const kind of ['cluster', 'node', 'service', 'task', 'network', 'secret', 'config'] as const) {
    for (const object of view.list(kind)) {
      found++;
      const known = objects.get(`${kind}/${object.id}`);
      if (known !== undefined && known.version !== object.version)
        trace.violation(`${kind} ${object.id} has version ${object.version} after a restart, not ${known.version}`);
    }
  }
  for (const object of objects.values()) if (view.get(object.kind, object.id) === undefined) trace.violation(`${object.kind} ${object.id} is lost`);
  trace.note(`the manager loads ${found} objects`);
}

function addressesOf(object: StoreObject | undefined): readonly string[] {
  if (object?.kind === 'service') {
    const { virtualIps = [], ports = [] } = object.endpoint ?? {};
    return [
      ...virtualIps.flatMap(({ networkId, address, address6 }) =>
        [address, ...(address6 === undefined ? [] : [address6])].map((one) => `address ${one} of ${networkId}`),
      ),
      ...ports
        .filter(({ publishMode, publishedPort }) => publishMode === 'ingress' && publishedPort)
        .map(({ protocol, publishedPort }) => `ingress port ${protocol}/${publishedPort}`),
    ];
  }
  if (object?.kind !== 'task' || isTerminal(object.status.state)) return [];
  return object.networks.flatMap(({ networkId, addresses }) => addresses.map((address) => `address ${address} of ${networkId}`));
}

function describe({ object }: StoreEvent): string {
  switch (object.kind) {
    case 'task':
      return `task ${object.id} ${object.serviceName}.${slotOf(object)} ${object.status.state}/${object.desiredState}${object.nodeId === undefined ? '' : ` on ${object.nodeId}`}${object.status.serving === false ? ' not serving' : ''} ${object.status.error ?? ''}`;
    case 'node':
      return `node ${object.id} ${object.status.state} ${object.spec.availability}`;
    case 'service':
      return `service ${object.id} ${object.spec.name} spec ${object.specVersion} ${object.updateStatus?.state ?? ''} ${object.updateStatus?.message ?? ''}`;
    default:
      return `${object.kind} ${object.id}`;
  }
}

export function isLive(task: Task): boolean {
  return taskStateRank[task.desiredState] <= taskStateRank.complete;
}

export function slotOf(task: Task): string {
  return `${task.slot ?? task.nodeId}`;
}

function portsOf(state: { readonly hostPorts: readonly { readonly protocol: string; readonly publishedPort?: number }[] } | undefined): readonly string[] {
  return (state?.hostPorts ?? []).filter(({ publishedPort }) => publishedPort).map(({ protocol, publishedPort }) => `${protocol}/${publishedPort}`);
}

function count(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}
