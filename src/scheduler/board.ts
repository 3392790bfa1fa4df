// The nodes during one decision: a working copy of their load that placements are entered on, so that the index stays what the view says. Columns
// instead of objects, because a decision looks at every node for every group.
import type { Node } from '#domain/objects.ts';
import type { GenericResource } from '#domain/spec.ts';
import type { ClusterIndex } from './cluster-index.ts';
import { type Refusal, refusal, staticRefusal } from './filters.ts';
import { claimGeneric, copyUse, addUse, type GenericUse } from './generic-resources.ts';
import type { Requirements } from './requirements.ts';

export interface Board {
  /** In order of id; everything else speaks of a node by its position here. */
  readonly nodes: readonly Node[];
  positionOf(nodeId: string): number | undefined;
  /** Grows with every placement: what was refused may stay refused while it stands still. */
  readonly placements: number;
  /** Active tasks of any service. */
  activeTasks(position: number): number;
  /** Active tasks of one service, by position; only nodes that have any. */
  serviceTasks(serviceId: string): ReadonlyMap<number, number>;
  /** The first filter that refuses the task on this node. */
  refusalOf(requirements: Requirements, serviceId: string, position: number): Refusal;
  /** What the nodes themselves say, load aside, by position. */
  staticRefusals(requirements: Requirements): Uint8Array;
  /** Enters a task; returns the generic resources that it gets. */
  place(requirements: Requirements, serviceId: string, position: number): readonly GenericResource[];
}

export function createBoard(nodes: readonly Node[], index: ClusterIndex): Board {
  const positions = new Map<string, number>();
  const activeTasks = new Float64Array(nodes.length);
  const freeNanoCpus = new Float64Array(nodes.length);
  const freeMemory = new Float64Array(nodes.length);
  for (const [position, { id, description }] of nodes.entries()) {
    const use = index.nodes.get(id);
    positions.set(id, position);
    activeTasks[position] = use?.activeTasks ?? 0;
    freeNanoCpus[position] = (description?.resources.nanoCpus ?? 0) - (use?.nanoCpus ?? 0);
    freeMemory[position] = (description?.resources.memoryBytes ?? 0) - (use?.memoryBytes ?? 0);
  }
  const byService = new Map<string, Map<number, number>>();
  const byPort = new Map<string, Set<number>>();
  const genericUse = new Map<number, GenericUse>();
  const staticRefusals = new Map<string, Uint8Array>();
  let placements = 0;

  function serviceTasks(serviceId: string): Map<number, number> {
    return remember(byService, serviceId, () => new Map(inPositions(index.activeByService.get(serviceId))));
  }

  function holdersOf(port: string): Set<number> {
    return remember(byPort, port, () => new Set(inPositions(index.hostPorts.get(port)).map(([position]) => position)));
  }

  function inPositions(counts: ReadonlyMap<string, number> = new Map()): [number, number][] {
    return [...counts].flatMap(([id, count]): [number, number][] => {
      const position = positions.get(id);
      return position === undefined ? [] : [[position, count]];
    });
  }

  function useOf(position: number): GenericUse {
    return remember(genericUse, position, () => copyUse(index.nodes.get(nodes[position]?.id ?? '')?.generic ?? new Map()));
  }

  function claim(requirements: Requirements, position: number): readonly GenericResource[] | undefined {
    return claimGeneric(nodes[position]?.description?.resources.generic ?? [], useOf(position), requirements.generic);
  }

  function staticRefusalsOf(requirements: Requirements): Uint8Array {
    return remember(staticRefusals, requirements.staticKey, () => Uint8Array.from(nodes, (node) => staticRefusal(node, requirements)));
  }

  function hasResources(requirements: Requirements, position: number): boolean {
    const { nanoCpus, memoryBytes, generic } = requirements;
    if (nanoCpus > 0 && nanoCpus > (freeNanoCpus[position] ?? 0)) return false;
    if (memoryBytes > 0 && memoryBytes > (freeMemory[position] ?? 0)) return false;
    return generic.length === 0 || claim(requirements, position) !== undefined;
  }

  function loadRefusal({ hostPorts, maxReplicas }: Requirements, serviceId: string, position: number): Refusal {
    for (const port of hostPorts) if (holdersOf(port).has(position)) return refusal.hostPort;
    if (maxReplicas > 0 && (serviceTasks(serviceId).get(position) ?? 0) >= maxReplicas) return refusal.maxReplicas;
    return refusal.none;
  }

  return {
    nodes,
    positionOf: (nodeId) => positions.get(nodeId),
    get placements() {
      return placements;
    },
    activeTasks: (position) => activeTasks[position] ?? 0,
    serviceTasks,
    staticRefusals: staticRefusalsOf,
    refusalOf(requirements, serviceId, position) {
      const ofNode = (staticRefusalsOf(requirements)[position] ?? refusal.notReady) as Refusal;
      if (ofNode === refusal.notReady) return ofNode;
      if (!hasResources(requirements, position)) return refusal.resources;
      return ofNode === refusal.none ? loadRefusal(requirements, serviceId, position) : ofNode;
    },
    place(requirements, serviceId, position) {
      placements++;
      activeTasks[position] = (activeTasks[position] ?? 0) + 1;
      freeNanoCpus[position] = (freeNanoCpus[position] ?? 0) - requirements.nanoCpus;
      freeMemory[position] = (freeMemory[position] ?? 0) - requirements.memoryBytes;
      const counts = serviceTasks(serviceId);
      counts.set(position, (counts.get(position) ?? 0) + 1);
      for (const port of requirements.hostPorts) holdersOf(port).add(position);
      if (requirements.generic.length === 0) return [];
      const claimed = claim(requirements, position) ?? [];
      addUse(useOf(position), claimed, 1);
      return claimed;
    },
  };
}

function remember<K, V>(table: Map<K, V>, key: K, make: () => V): V {
  let value = table.get(key);
  if (value === undefined) table.set(key, (value = make()));
  return value;
}
