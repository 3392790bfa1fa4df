// Generic resources: what a node has, what its tasks hold, and which units a new task gets. A node offers a kind either as a count (discrete) or as
// named units; a task always asks for a count.
import type { GenericResource } from '#domain/spec.ts';

/** What the tasks of a node hold, by kind. Values count their holders, so that giving back is the reverse of taking. */
export type GenericUse = Map<string, { count: number; readonly values: Map<string, number> }>;

/** Adds (`sign` 1) or takes away (-1) what a task holds. */
export function addUse(use: GenericUse, held: readonly GenericResource[], sign: 1 | -1): void {
  for (const resource of held) {
    let entry = use.get(resource.name);
    if (entry === undefined) use.set(resource.name, (entry = { count: 0, values: new Map() }));
    if (resource.kind === 'discrete') entry.count += sign * resource.value;
    else {
      const holders = (entry.values.get(resource.value) ?? 0) + sign;
      if (holders === 0) entry.values.delete(resource.value);
      else entry.values.set(resource.value, holders);
    }
    if (entry.count === 0 && entry.values.size === 0) use.delete(resource.name);
  }
}

export function copyUse(use: GenericUse): GenericUse {
  return new Map([...use].map(([name, { count, values }]) => [name, { count, values: new Map(values) }]));
}

/**
 * The units that a task which asks for `wanted` gets of what a node offers and `use` leaves, or undefined when there are too few. Named units are given
 * in the node's order.
 */
export function claimGeneric(
  offered: readonly GenericResource[],
  use: GenericUse,
  wanted: readonly { readonly name: string; readonly count: number }[],
): readonly GenericResource[] | undefined {
  const claimed: GenericResource[] = [];
  for (const { name, count } of wanted) {
    const held = use.get(name);
    const units = offered.filter((resource) => resource.name === name);
    const named = units.filter((resource) => resource.kind === 'named');
    if (named.length > 0) {
      const free = named.filter((resource) => !held?.values.has(resource.value));
      if (free.length < count) return undefined;
      claimed.push(...free.slice(0, count));
    } else {
      const total = units.reduce((sum, resource) => sum + (resource.kind === 'discrete' ? resource.value : 0), 0);
      // As in SwarmKit, a kind that the node does not have is missing even if none of it is asked for.
      if (units.length === 0 || total - (held?.count ?? 0) < count) return undefined;
      if (count > 0) claimed.push({ kind: 'discrete', name, value: count });
    }
  }
  return claimed;
}
