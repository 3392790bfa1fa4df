// The least loaded node for the first task of a service, without looking at all nodes for each of ten thousand small services. During a decision a
// node's load only grows and a node that was refused stays refused, so one heap per kind of task serves all of them: what it knows of a node may be
// too little, never too much, and is brought up to date when the node comes first.
import type { Board } from './board.ts';
import { refusal } from './filters.ts';
import { createHeap, type Heap } from './heap.ts';
import type { Requirements } from './requirements.ts';

/** Finds the node with the fewest tasks that takes a task of a service without any; ties go to the first id. */
export type FindLightest = (requirements: Requirements, serviceId: string) => number | undefined;

export function createLightest(board: Board): FindLightest {
  const heaps = new Map<string, { readonly known: Float64Array; readonly heap: Heap<number> }>();

  function heapFor(requirements: Requirements) {
    let entry = heaps.get(requirements.key);
    if (entry === undefined) {
      const known = Float64Array.from(board.nodes, (_, position) => board.activeTasks(position));
      const refusals = board.staticRefusals(requirements);
      const positions = [...board.nodes.keys()].filter((position) => refusals[position] === refusal.none);
      const load = (position: number) => known[position] ?? 0;
      const heap = createHeap(positions, (a, b) => load(a) < load(b) || (load(a) === load(b) && a < b));
      heaps.set(requirements.key, (entry = { known, heap }));
    }
    return entry;
  }

  return (requirements, serviceId) => {
    const { known, heap } = heapFor(requirements);
    for (let position = heap.first(); position !== undefined; position = heap.first()) {
      const load = board.activeTasks(position);
      if (board.refusalOf(requirements, serviceId, position) !== refusal.none) heap.removeFirst();
      else if (load === known[position]) return position;
      else {
        known[position] = load;
        heap.settleFirst();
      }
    }
    return undefined;
  };
}
