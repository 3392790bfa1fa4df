// Which of the fitting nodes a task goes to. Without preferences: the node where the service's tasks failed least (if they fail there often), then the
// one with the fewest tasks of the service, then with the fewest tasks, then by id. With preferences: first to the branch (label value) with the
// fewest tasks of the service, level by level. SwarmKit fills branches to their share; one task at a time into the emptiest ends up the same.
import type { Node } from '#domain/objects.ts';
import type { Board } from './board.ts';
import { refusal } from './filters.ts';
import { createHeap, type Heap } from './heap.ts';
import type { FindLightest } from './lightest.ts';
import type { Requirements } from './requirements.ts';

const NODE_LABEL_PREFIX = 'node.labels.';
const ENGINE_LABEL_PREFIX = 'engine.labels.';

/** A score holds (failures, tasks of the service, tasks) as digits of one number: up to 2^12, 2^20 and 2^21 of them, 53 bits in all. */
const TASK = 1;
const SERVICE_TASK = 2 ** 21;
const FAILURE = 2 ** 41;
const MAX_FAILURES = 2 ** 12 - 1;

export interface Group {
  readonly requirements: Requirements;
  /** Tasks with the same service are spread; a task without one only has itself. */
  readonly serviceId: string;
  /** Recent failures of this group by position, where there are so many that they decide. */
  readonly penalties: ReadonlyMap<number, number>;
}

export interface Spread {
  /** The position of the next node, or undefined when none fits. The caller enters the task on the board, then calls `placed`. */
  next(): number | undefined;
  placed(): void;
}

/** Spreads tasks of one group over the board; `count` says how many are to come. */
export function createSpread(board: Board, group: Group, count: number, findLightest: FindLightest): Spread {
  const { requirements, serviceId, penalties } = group;
  if (count === 1 && requirements.spread.length === 0 && penalties.size === 0 && board.serviceTasks(serviceId).size === 0) {
    return spreadOne(findLightest(requirements, serviceId));
  }
  const scores = scoresOf(board, group);
  const descriptors = group.requirements.spread.filter((descriptor) => readerOf(descriptor) !== undefined);
  if (descriptors.length === 0 && count === 1) return spreadOne(bestOf(scores));
  if (descriptors.length === 0) return toSpread(createLeaf(board, group, scores, fitting(scores)));
  return toSpread(createTree(board, group, scores, descriptors));
}

/** By position; infinite where the group does not fit. */
function scoresOf(board: Board, group: Group): Float64Array {
  const { requirements, serviceId, penalties } = group;
  const scores = new Float64Array(board.nodes.length);
  const refusals = board.staticRefusals(requirements);
  const isLoadFree = requirements.nanoCpus === 0 && requirements.memoryBytes === 0 && requirements.generic.length === 0 && requirements.hostPorts.length === 0;
  const asksNothing = isLoadFree && requirements.maxReplicas === 0;
  for (let position = 0; position < scores.length; position++) {
    const fits = refusals[position] === refusal.none && (asksNothing || board.refusalOf(requirements, serviceId, position) === refusal.none);
    scores[position] = fits ? board.activeTasks(position) : Number.POSITIVE_INFINITY;
  }
  for (const [position, tasks] of board.serviceTasks(serviceId)) scores[position] = (scores[position] ?? 0) + tasks * SERVICE_TASK;
  for (const [position, failures] of penalties) scores[position] = (scores[position] ?? 0) + Math.min(failures, MAX_FAILURES) * FAILURE;
  return scores;
}

function fitting(scores: Float64Array): number[] {
  const positions: number[] = [];
  for (let position = 0; position < scores.length; position++) if (scores[position] !== Number.POSITIVE_INFINITY) positions.push(position);
  return positions;
}

/** One task needs no order, only the best. */
function bestOf(scores: Float64Array): number | undefined {
  let best: number | undefined;
  let least = Number.POSITIVE_INFINITY;
  for (let position = 0; position < scores.length; position++) {
    const score = scores[position] ?? least;
    if (score < least) [best, least] = [position, score];
  }
  return best;
}

function spreadOne(position: number | undefined): Spread {
  let best = position;
  return {
    next: () => best,
    placed() {
      best = undefined;
    },
  };
}

/** A subtree: it can say where its next task would go, and be told that it went there. */
interface Branch {
  readonly value: string;
  /** Active tasks of the service on all its nodes, whether they fit or not. */
  tasks: number;
  next(): number | undefined;
  placed(): void;
}

function toSpread(root: Omit<Branch, 'value' | 'tasks'>): Spread {
  return { next: () => root.next(), placed: () => root.placed() };
}

function createLeaf(board: Board, group: Group, scores: Float64Array, positions: number[]): Omit<Branch, 'value' | 'tasks'> {
  const heap: Heap<number> = createHeap(positions, (a, b) => {
    const difference = (scores[a] ?? 0) - (scores[b] ?? 0);
    return difference < 0 || (difference === 0 && a < b);
  });
  return {
    next: () => heap.first(),
    placed() {
      const position = heap.first();
      if (position === undefined) return;
      scores[position] = (scores[position] ?? 0) + SERVICE_TASK + TASK;
      if (board.refusalOf(group.requirements, group.serviceId, position) === refusal.none) heap.settleFirst();
      else heap.removeFirst();
    },
  };
}

function createTree(board: Board, group: Group, scores: Float64Array, descriptors: readonly string[]): Branch {
  const counts = board.serviceTasks(group.serviceId);
  return createBranch('', [...board.nodes.keys()], 0);

  function createBranch(value: string, positions: readonly number[], level: number): Branch {
    const tasks = positions.reduce((sum, position) => sum + (counts.get(position) ?? 0), 0);
    const readValue = readerOf(descriptors[level] ?? '');
    if (readValue === undefined) {
      const usable = positions.filter((position) => scores[position] !== Number.POSITIVE_INFINITY);
      return { value, tasks, ...createLeaf(board, group, scores, usable) };
    }
    const byValue = Map.groupBy(positions, (position) => readValue(board.nodes[position] as Node));
    const children = [...byValue].map(([childValue, members]) => createBranch(childValue, members, level + 1));
    return { value, tasks, ...chooseAmong(createHeap(children, (a, b) => a.tasks < b.tasks || (a.tasks === b.tasks && a.value < b.value))) };
  }
}

/** The next task goes to the first branch that has room; one without is not asked again. */
function chooseAmong(children: Heap<Branch>): Omit<Branch, 'value' | 'tasks'> {
  return {
    next() {
      for (let child = children.first(); child !== undefined; child = children.first()) {
        const position = child.next();
        if (position !== undefined) return position;
        children.removeFirst();
      }
      return undefined;
    },
    placed() {
      const child = children.first();
      if (child === undefined) return;
      child.placed();
      child.tasks++;
      children.settleFirst();
    },
  };
}

/** Reads the label that a descriptor names, missing ones as empty text; undefined for descriptors that nobody knows: they are ignored. */
function readerOf(descriptor: string): ((node: Node) => string) | undefined {
  const lower = descriptor.toLowerCase();
  if (lower.startsWith(NODE_LABEL_PREFIX) && descriptor.length > NODE_LABEL_PREFIX.length) {
    const name = descriptor.slice(NODE_LABEL_PREFIX.length);
    return (node) => node.spec.labels[name] ?? '';
  }
  if (lower.startsWith(ENGINE_LABEL_PREFIX) && descriptor.length > ENGINE_LABEL_PREFIX.length) {
    const name = descriptor.slice(ENGINE_LABEL_PREFIX.length);
    return (node) => node.description?.engine.labels[name] ?? '';
  }
  return undefined;
}
