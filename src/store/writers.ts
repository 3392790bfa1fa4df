// Who may write what: one writer per field, as a table. The store asserts it at every commit, so that two parts of the program can never
// fight over a field. A new field does not compile until it says here who writes it.
import { isDeepStrictEqual } from 'node:util';
import type { ObjectKind, ObjectMeta, ObjectOf, StoreObject, Task, TaskStatus } from '#domain/objects.ts';
import { compareStates, isTerminal } from '#domain/task-state.ts';
import type { Writer } from '#domain/view.ts';
import { assert } from '#lib/assert.ts';

type Writers = readonly Writer[];

interface Rules<K extends ObjectKind> {
  readonly create: Writers;
  readonly remove: Writers;
  /** Who may change the field of a stored object. Whoever creates an object gives its fields their first values. */
  readonly fields: Readonly<Record<Exclude<keyof ObjectOf<K>, keyof ObjectMeta | 'kind'>, Writers>>;
}

const NOBODY: Writers = [];
const CONTROL: Writers = ['control'];
/** Settings of the cluster: a user's wishes, and what a manager does when the swarm begins or ends. */
const CLUSTER: Writers = ['control', 'manager'];
const NODE_FACTS: Writers = ['dispatcher', 'manager'];
/** A new spec is a user's wish; an automatic rollback brings the previous one back. */
const SERVICE_SPEC: Writers = ['control', 'orchestrator'];

const rules: { readonly [K in ObjectKind]: Rules<K> } = {
  cluster: {
    create: CLUSTER,
    remove: CLUSTER,
    fields: {
      spec: CLUSTER,
      rootCa: CLUSTER,
      sealedJoinTokens: CLUSTER,
      sealedUnlockKey: CLUSTER,
      etcdAuthority: CLUSTER,
      defaultAddressPools: CLUSTER,
      subnetSize: CLUSTER,
      dataPathPort: CLUSTER,
      rootRotationInProgress: CLUSTER,
      level: ['manager'],
      epoch: ['manager'],
      formerManagers: ['manager'],
    },
  },
  node: {
    create: NODE_FACTS,
    remove: CLUSTER,
    fields: { spec: CLUSTER, description: NODE_FACTS, status: NODE_FACTS, manager: NODE_FACTS, index: NOBODY, role: NODE_FACTS, keyDigests: NODE_FACTS },
  },
  service: {
    create: CONTROL,
    remove: CONTROL,
    fields: {
      spec: SERVICE_SPEC,
      previousSpec: SERVICE_SPEC,
      specVersion: SERVICE_SPEC,
      previousSpecVersion: SERVICE_SPEC,
      endpoint: ['allocator'],
      // control resets them together with a new spec.
      updateStatus: SERVICE_SPEC,
      rollout: SERVICE_SPEC,
      job: SERVICE_SPEC,
      restartedFor: ['orchestrator'],
      restartSpecVersion: ['orchestrator'],
    },
  },
  task: {
    // control makes attachment tasks of plain containers only.
    create: ['orchestrator', 'control'],
    remove: ['reaper'],
    fields: {
      serviceId: NOBODY,
      slot: NOBODY,
      nodeId: ['scheduler'],
      spec: NOBODY,
      specVersion: NOBODY,
      serviceName: NOBODY,
      serviceLabels: NOBODY,
      // Further rules by state: see assertStatus.
      status: ['allocator', 'scheduler', 'dispatcher', 'orchestrator', 'control'],
      desiredState: ['orchestrator', 'control'],
      networks: ['allocator'],
      endpoint: NOBODY,
      logDriver: NOBODY,
      genericResources: ['scheduler'],
      jobIteration: NOBODY,
      restart: ['orchestrator'],
      rejection: ['orchestrator'],
    },
  },
  network: {
    create: CLUSTER,
    remove: CLUSTER,
    fields: { spec: CONTROL, state: ['allocator'], allocationError: ['allocator'] },
  },
  secret: { create: CONTROL, remove: CONTROL, fields: { spec: CONTROL } },
  config: { create: CONTROL, remove: CONTROL, fields: { spec: CONTROL } },
};

/** Throws an AssertionError when `writer` may not turn `previous` (absent: create) into `next` (absent: remove). */
export function assertMayWrite(writer: Writer, previous: StoreObject | undefined, next: StoreObject | undefined): void {
  const object = next ?? previous;
  if (!object) return;
  const { create, remove, fields } = rules[object.kind];
  if (!previous) assert(create.includes(writer), `${writer} may not create a ${object.kind}`);
  else if (!next) assert(remove.includes(writer), `${writer} may not remove ${object.kind} ${object.id}`);
  else assertFields(writer, fields, previous, next);
  if (next?.kind === 'task') assertTask(writer, previous as Task | undefined, next);
}

function assertFields(writer: Writer, fields: Readonly<Record<string, Writers>>, previous: StoreObject, next: StoreObject): void {
  const before = previous as unknown as Readonly<Record<string, unknown>>;
  const after = next as unknown as Readonly<Record<string, unknown>>;
  for (const [field, writers] of Object.entries(fields)) {
    if (writers.includes(writer) || before[field] === after[field]) continue;
    assert(isDeepStrictEqual(before[field], after[field]), `${writer} may not change ${field} of ${next.kind} ${next.id}`);
  }
}

function assertTask(writer: Writer, previous: Task | undefined, next: Task): void {
  if (!previous) {
    assert(writer !== 'control' || next.spec.runtime.kind === 'attachment', 'control may only create attachment tasks');
    return;
  }
  if (next.desiredState !== previous.desiredState) {
    assert(
      compareStates(next.desiredState, previous.desiredState) > 0,
      `desired state of task ${next.id} goes from ${previous.desiredState} back to ${next.desiredState}`,
    );
    assert(writer !== 'control' || next.desiredState === 'remove', `control may only ask for removal of task ${next.id}`);
  }
  if (next.status !== previous.status && !isDeepStrictEqual(next.status, previous.status)) assertStatus(writer, next.id, previous.status, next.status);
}

/** A task's state only grows, and each part of the way has one writer. */
function assertStatus(writer: Writer, id: string, { state: from }: TaskStatus, { state: to }: TaskStatus): void {
  assert(compareStates(to, from) >= 0, `state of task ${id} goes from ${from} back to ${to}`);
  assert(mayMove(writer, from, to), `${writer} may not bring task ${id} from ${from} to ${to}`);
}

function mayMove(writer: Writer, from: TaskStatus['state'], to: TaskStatus['state']): boolean {
  switch (writer) {
    case 'allocator':
      return from === 'new' && (to === 'new' || to === 'pending');
    case 'scheduler':
      return from === 'pending' && (to === 'pending' || to === 'assigned');
    case 'dispatcher':
      return compareStates(to, 'accepted') >= 0;
    // Nobody else can end a task that never reached a node, whose node is gone, or whose node no longer meets its constraints.
    case 'orchestrator':
      return isTerminal(to);
    case 'control':
      return to === 'orphaned';
    default:
      return false;
  }
}
