// The state in memory: all objects with the indexes that View promises. It knows nothing of commits, durability or who may write;
// it is told what was committed and says what that changed.
import type { ObjectKind, ObjectOf, StoreObject, Task } from '#domain/objects.ts';
import { objectKinds } from '#domain/objects.ts';
import { claimsOf } from '#domain/claims.ts';
import type { StoreEvent, View } from '#domain/view.ts';
import { assert } from '#lib/assert.ts';
import type { StoredWrite } from './backend.ts';
import { itemsOf, itemsWithPrefix, type Ordered, withItem, withoutItem } from './ordered.ts';

export interface Tables {
  /** Always the newest state: it changes with each `apply`. */
  readonly view: View;
  /** Takes over what was committed at `revision`; objects get that version. */
  apply(revision: number, writes: readonly StoredWrite[]): readonly StoreEvent[];
}

interface Table {
  readonly byId: Map<string, StoreObject>;
  ordered: Ordered<StoreObject>;
}

/** Tasks grouped by one of their fields. */
type TaskIndex = Map<string, Ordered<Task>>;

interface State {
  revision: number;
  readonly tables: Record<ObjectKind, Table>;
  readonly byService: TaskIndex;
  readonly byNode: TaskIndex;
  readonly byState: TaskIndex;
  readonly claims: Map<string, { readonly kind: ObjectKind; readonly id: string }>;
}

/** Tables of the objects that were loaded; they carry their versions. */
export function createTables(revision: number, objects: Iterable<StoreObject>): Tables {
  const state: State = {
    revision,
    tables: Object.fromEntries(objectKinds.map((kind): [ObjectKind, Table] => [kind, { byId: new Map(), ordered: [] }])) as Record<ObjectKind, Table>,
    byService: new Map(),
    byNode: new Map(),
    byState: new Map(),
    claims: new Map(),
  };
  // In order of id each insertion only appends.
  for (const object of [...objects].sort((a, b) => (a.id < b.id ? -1 : 1))) {
    replaceObject(state, object.kind, object.id, object);
    takeClaims(state, object.kind, object.id, claimsOf(object));
  }
  return { view: createView(state), apply: (committed, writes) => applyWrites(state, committed, writes) };
}

function createView(state: State): View {
  const { tables, claims } = state;
  // A table holds only objects of its kind: the casts below say what the compiler cannot know.
  const view: View = {
    get revision() {
      return state.revision;
    },
    get: <K extends ObjectKind>(kind: K, id: string) => tables[kind].byId.get(id) as ObjectOf<K> | undefined,
    list: <K extends ObjectKind>(kind: K) => itemsOf(tables[kind].ordered) as Iterable<ObjectOf<K>>,
    count: (kind) => tables[kind].byId.size,
    tasksOfService: (serviceId) => itemsOf(state.byService.get(serviceId) ?? []),
    tasksOfNode: (nodeId) => itemsOf(state.byNode.get(nodeId) ?? []),
    tasksInState: (taskState) => itemsOf(state.byState.get(taskState) ?? []),
    findByName: <K extends 'service' | 'network' | 'secret' | 'config'>(kind: K, name: string) => {
      const holder = claims.get(`${kind}/name/${name.toLowerCase()}`);
      return holder && (tables[kind].byId.get(holder.id) as ObjectOf<K> | undefined);
    },
    findByIdPrefix: <K extends ObjectKind>(kind: K, prefix: string, limit: number) => itemsWithPrefix(tables[kind].ordered, prefix, limit) as ObjectOf<K>[],
    claimant: (claim) => claims.get(claim),
  };
  return view;
}

function applyWrites(state: State, revision: number, writes: readonly StoredWrite[]): readonly StoreEvent[] {
  assert(revision > state.revision, `revision ${revision} does not follow ${state.revision}`);
  state.revision = revision;
  // Claims move between objects of one commit: whoever gives one up does so before anybody takes it.
  for (const { removeClaims } of writes) for (const claim of removeClaims) state.claims.delete(claim);
  const events: StoreEvent[] = [];
  for (const { kind, id, object, addClaims } of writes) {
    takeClaims(state, kind, id, addClaims);
    const stored = object && withVersion(object, revision);
    const previous = replaceObject(state, kind, id, stored);
    if (stored) events.push(previous ? { action: 'update', object: stored, previous } : { action: 'create', object: stored });
    else if (previous) events.push({ action: 'remove', object: previous });
  }
  return events;
}

/** The object belongs to the store since it was written, so its version is set in place rather than in one more copy. */
function withVersion(object: StoreObject, version: number): StoreObject {
  (object as { version: number }).version = version;
  return object;
}

/** Puts `next` (nothing: removes) in place of what was stored under the id, in the table and in every index. */
function replaceObject(state: State, kind: ObjectKind, id: string, next: StoreObject | undefined): StoreObject | undefined {
  const table = state.tables[kind];
  const previous = table.byId.get(id);
  if (next) {
    table.byId.set(id, next);
    table.ordered = withItem(table.ordered, next);
  } else {
    table.byId.delete(id);
    table.ordered = withoutItem(table.ordered, id);
  }
  if (kind === 'task') {
    const before = previous as Task | undefined;
    const after = next as Task | undefined;
    moveTask(state.byService, before?.serviceId, after?.serviceId, id, after);
    moveTask(state.byNode, before?.nodeId, after?.nodeId, id, after);
    moveTask(state.byState, before?.status.state, after?.status.state, id, after);
  }
  return previous;
}

function takeClaims(state: State, kind: ObjectKind, id: string, claims: readonly string[]): void {
  if (claims.length === 0) return;
  const holder = { kind, id };
  for (const claim of claims) state.claims.set(claim, holder);
}

function moveTask(index: TaskIndex, from: string | undefined, to: string | undefined, id: string, task: Task | undefined): void {
  if (from !== undefined && from !== to) {
    const rest = withoutItem(index.get(from) ?? [], id);
    if (rest.length > 0) index.set(from, rest);
    else index.delete(from);
  }
  if (to !== undefined && task) index.set(to, withItem(index.get(to) ?? [], task));
}
