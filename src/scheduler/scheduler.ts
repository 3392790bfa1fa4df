// The scheduler: brings pending tasks to nodes, or says why it cannot. Pure but for an index that it keeps from one decision to the next and that holds
// nothing the view does not say. The loop that runs it is manager/control-loop.ts; this object has the shape of a ControlLoop.
import { DEFAULT_TASK_HISTORY_LIMIT, taskHistoryLimitOf } from '#domain/defaults.ts';
import type { Node, Task } from '#domain/objects.ts';
import type { Change, StoreEvent, View, Writer } from '#domain/view.ts';
import { equalSpecs } from '#lib/equal.ts';
import { type Board, createBoard } from './board.ts';
import { type ClusterIndex, createClusterIndex, groupOf, isOnNode, isActive, isWaiting } from './cluster-index.ts';
import { explain, noSuitableNode, refusal } from './filters.ts';
import { type Requirements, requirementsOf } from './requirements.ts';
import { createSpread } from './spread.ts';
import { createLightest, type FindLightest } from './lightest.ts';

export interface SchedulerDecision {
  readonly changes: readonly Change[];
  /** Groups that are left for the next decision, to keep a commit bounded. */
  readonly postponed: readonly string[];
}

export interface SchedulerLoop {
  readonly name: string;
  readonly writer: Writer;
  allKeys(view: View): Iterable<string>;
  /** Must see every event in order, each while `view` is at the commit that it belongs to; whoever leaves some out only costs time. */
  keysOf(event: StoreEvent, view: View): Iterable<string>;
  decide(view: View, keys: ReadonlySet<string>, now: number): SchedulerDecision;
}

/** Looks at every waiting task: something became free. */
const EVERYTHING = '*';
const NODE_KEY = 'node/';
/** SwarmKit's (manager/scheduler): this many failures of a service version on a node within this time make other nodes better. */
const MANY_FAILURES = 5;
const FAILURE_WINDOW_MS = 5 * 60_000;
/** As many as a commit takes well (see manager/control-loop.ts). */
const MAX_CHANGES = 500;

export function createScheduler({ maxChanges = MAX_CHANGES }: { readonly maxChanges?: number } = {}): SchedulerLoop {
  const index = createClusterIndex();
  /** The revision that the index stands at; a decision on another one reads the view again. */
  let revision = -1;

  return {
    name: 'scheduler',
    writer: 'scheduler',
    allKeys(view) {
      index.rebuild(view);
      revision = view.revision;
      return [EVERYTHING];
    },
    keysOf(event, view) {
      index.apply(event);
      revision = view.revision;
      return keysOfEvent(event, index);
    },
    decide(view, keys, now) {
      if (revision !== view.revision) index.rebuild(view);
      revision = view.revision;
      return decide({ view, index, now, maxChanges }, keys);
    },
  };
}

function keysOfEvent(event: StoreEvent, index: ClusterIndex): readonly string[] {
  const { object } = event;
  if (object.kind === 'node') return makesRoom(event) ? [EVERYTHING] : [];
  if (object.kind !== 'task') return [];
  if (event.action === 'remove') return isOnNode(object) && isAnybodyWaiting(index) ? [EVERYTHING] : [];
  const previous = event.action === 'update' && event.previous.kind === 'task' ? event.previous : undefined;
  // Stopping gives back resources and ports; being no longer wanted makes room under a limit of replicas.
  const freesSomething = previous !== undefined && ((isOnNode(previous) && !isOnNode(object)) || (isActive(previous) && !isActive(object)));
  if (freesSomething && isAnybodyWaiting(index)) return [EVERYTHING];
  // A waiting task that was waiting before has only been given its explanation.
  if (!isWaiting(object) || (previous !== undefined && isWaiting(previous))) return [];
  return [object.nodeId === undefined ? groupOf(object) : NODE_KEY + object.nodeId];
}

function isAnybodyWaiting(index: ClusterIndex): boolean {
  return index.waiting.size > 0 || index.preassigned.size > 0;
}

/** A node that came, went, or changed in anything that a filter asks for. */
function makesRoom(event: StoreEvent): boolean {
  if (event.action !== 'update') return true;
  const facts = (node: Node) => [node.status.state, node.status.address, node.role, node.spec, node.description];
  return !equalSpecs(facts(event.object as Node), facts(event.previous as Node));
}

interface Context {
  readonly view: View;
  readonly index: ClusterIndex;
  readonly now: number;
  readonly maxChanges: number;
}

/** What is collected during one decision. */
interface Round extends Context {
  readonly board: Board;
  readonly findLightest: FindLightest;
  readonly changes: Change[];
  readonly manyFailures: number;
  /** Explanations that hold while nothing is placed. */
  readonly explained: { placements: number; readonly texts: Map<string, string> };
}

function decide(context: Context, keys: ReadonlySet<string>): SchedulerDecision {
  const { view, index, maxChanges } = context;
  const board = createBoard([...view.list('node')], index);
  const round: Round = {
    ...context,
    board,
    findLightest: createLightest(board),
    changes: [],
    manyFailures: manyFailuresOf(view),
    explained: { placements: 0, texts: new Map() },
  };
  const postponed: string[] = [];
  // Tasks that have only one node to go to come first.
  const ordered = [...expand(keys, index)].sort((a, b) => Number(b.startsWith(NODE_KEY)) - Number(a.startsWith(NODE_KEY)) || (a < b ? -1 : 1));
  for (const key of ordered) {
    if (round.changes.length >= maxChanges) postponed.push(key);
    else if (key.startsWith(NODE_KEY)) confirmPreassigned(round, key.slice(NODE_KEY.length));
    else if (!placeGroup(round, key)) postponed.push(key);
  }
  return { changes: round.changes, postponed };
}

function expand(keys: ReadonlySet<string>, index: ClusterIndex): Iterable<string> {
  return keys.has(EVERYTHING) ? [...[...index.preassigned.keys()].map((nodeId) => NODE_KEY + nodeId), ...index.waiting.keys()] : keys;
}

/** The task history keeps fewer failures per slot than SwarmKit counts in memory: then these are many. */
function manyFailuresOf(view: View): number {
  const [cluster] = view.list('cluster');
  const limit = cluster === undefined ? DEFAULT_TASK_HISTORY_LIMIT : taskHistoryLimitOf(cluster.spec);
  return limit < 0 ? MANY_FAILURES : Math.max(1, Math.min(MANY_FAILURES, limit - 1));
}

/** Places what waits in a group; false when it stopped before all tasks were dealt with. */
function placeGroup(round: Round, key: string): boolean {
  const { view, index, board, changes } = round;
  const tasks = waitingTasks(view, index.waiting.get(key) ?? []);
  const [first] = tasks;
  if (first === undefined) return true;
  const requirements = requirementsOf(first, view);
  const serviceId = first.serviceId ?? key;
  const spread = createSpread(board, { requirements, serviceId, penalties: penaltiesOf(round, key) }, tasks.length, round.findLightest);
  for (const task of tasks) {
    if (changes.length >= round.maxChanges) return false;
    const position = spread.next();
    if (position === undefined) {
      explainTask(round, task, noSuitableNode(explanationOf(round, requirements, serviceId)));
      continue;
    }
    const generic = board.place(requirements, serviceId, position);
    spread.placed();
    changes.push(assign(task, board.nodes[position]?.id ?? '', generic, 'scheduler assigned task to node', round.now));
  }
  return true;
}

/** In order of slot, so that the same view always gives the same placement. */
function waitingTasks(view: View, ids: Iterable<string>): readonly Task[] {
  const tasks: Task[] = [];
  for (const id of ids) {
    const task = view.get('task', id);
    if (task) tasks.push(task);
  }
  return tasks.sort((a, b) => (a.slot ?? 0) - (b.slot ?? 0) || (a.id < b.id ? -1 : 1));
}

function penaltiesOf({ index, board, now, manyFailures }: Round, group: string): ReadonlyMap<number, number> {
  const penalties = new Map<number, number>();
  for (const [nodeId, times] of index.failures.get(group) ?? []) {
    const position = board.positionOf(nodeId);
    const recent = [...times.values()].filter((time) => now - time < FAILURE_WINDOW_MS).length;
    if (position !== undefined && recent >= manyFailures) penalties.set(position, recent);
  }
  return penalties;
}

/** Tasks that were made for one node: it takes them or says why not. */
function confirmPreassigned(round: Round, nodeId: string): void {
  const { view, index, board, now } = round;
  const position = board.positionOf(nodeId);
  for (const task of waitingTasks(view, index.preassigned.get(nodeId) ?? [])) {
    // A plain container's attachment runs already: there is nothing to ask its node.
    if (task.spec.runtime.kind === 'attachment') {
      round.changes.push(assign(task, nodeId, [], 'scheduler confirmed task can run on preassigned node', now));
      continue;
    }
    // Its node is gone: whoever made the task takes it back.
    if (position === undefined) continue;
    const requirements = requirementsOf(task, view);
    const serviceId = task.serviceId ?? task.id;
    const reason = board.refusalOf(requirements, serviceId, position);
    if (reason !== refusal.none) {
      explainTask(round, task, explain([reason]));
      continue;
    }
    const generic = board.place(requirements, serviceId, position);
    round.changes.push(assign(task, nodeId, generic, 'scheduler confirmed task can run on preassigned node', now));
  }
}

function explanationOf({ board, explained }: Round, requirements: Requirements, serviceId: string): string {
  if (explained.placements !== board.placements) {
    explained.texts.clear();
    explained.placements = board.placements;
  }
  let text = explained.texts.get(requirements.key);
  if (text === undefined) {
    text = explain([...board.nodes.keys()].map((position) => board.refusalOf(requirements, serviceId, position)));
    explained.texts.set(requirements.key, text);
  }
  return text;
}

function explainTask({ changes, now }: Round, task: Task, error: string): void {
  if (task.status.error === error) return;
  changes.push({ action: 'update', object: { ...task, status: { ...task.status, timestamp: now, error } } });
}

function assign(task: Task, nodeId: string, generic: Task['genericResources'] & object, message: string, now: number): Change {
  const status = { state: 'assigned', timestamp: now, message } as const;
  return { action: 'update', object: { ...task, nodeId, status, ...(generic.length === 0 ? {} : { genericResources: generic }) } };
}
