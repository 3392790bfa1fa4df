// What a decision may see of the store, and what it may ask for. Interfaces only; store/ implements them.
import type { ObjectKind, ObjectOf, StoreObject, Task } from './objects.ts';

/**
 * A consistent read-only picture of the store. Iteration is in order of id, so that the same view gives the same bytes.
 * A view is valid until control returns to the event loop: decisions are synchronous and must not keep it.
 */
export interface View {
  readonly revision: number;
  get<K extends ObjectKind>(kind: K, id: string): ObjectOf<K> | undefined;
  list<K extends ObjectKind>(kind: K): Iterable<ObjectOf<K>>;
  count(kind: ObjectKind): number;
  tasksOfService(serviceId: string): Iterable<Task>;
  tasksOfNode(nodeId: string): Iterable<Task>;
  /** Tasks of a state between two ranks are found by the callers through these sets: unassigned, and terminal. */
  tasksInState(state: Task['status']['state']): Iterable<Task>;
  /** Case-insensitive, as Docker compares names. For nodes there is none: hostnames may repeat. */
  findByName<K extends 'service' | 'network' | 'secret' | 'config'>(kind: K, name: string): ObjectOf<K> | undefined;
  /** Objects whose id starts with `prefix`, at most `limit` of them. */
  findByIdPrefix<K extends ObjectKind>(kind: K, prefix: string, limit: number): readonly ObjectOf<K>[];
  /** Who holds a claim (claims.ts), if anybody. */
  claimant(claim: string): { readonly kind: ObjectKind; readonly id: string } | undefined;
}

/**
 * A wish to change one object. `update` and `remove` hold only if the stored version is `object.version`;
 * `create` only if the id is free. Claims of the object must be free or its own.
 */
export type Change =
  | { readonly action: 'create'; readonly object: StoreObject }
  | { readonly action: 'update'; readonly object: StoreObject }
  | { readonly action: 'remove'; readonly object: StoreObject };

/** What happened to one object, as watchers are told. */
export type StoreEvent =
  | { readonly action: 'create'; readonly object: StoreObject }
  | { readonly action: 'update'; readonly object: StoreObject; readonly previous: StoreObject }
  | { readonly action: 'remove'; readonly object: StoreObject };

/** What a decision returns: changes to commit together or in batches, and when to look again (ms since the epoch). */
export interface Decision {
  readonly changes: readonly Change[];
  readonly wakeAt?: number;
}

/** Who asks for a change; the store asserts that each writer keeps to its fields. */
export type Writer = 'control' | 'orchestrator' | 'allocator' | 'scheduler' | 'dispatcher' | 'reaper' | 'manager';
