// The level of the swarm's state (protocol/level.ts): what every manager must understand. It follows the oldest of the managers, so that they can be replaced
// by newer ones one by one, and it never goes back: what was stored since may be of the newer kind.
import type { Decision, StoreEvent, View } from '#domain/view.ts';
import { OLDEST_LEVEL } from '#protocol/level.ts';

const KEY = 'level';

export function* levelKeys(): Iterable<string> {
  yield KEY;
}

export function* levelKeysOfEvent({ object }: StoreEvent): Iterable<string> {
  if (object.kind === 'node' || object.kind === 'cluster') yield KEY;
}

/** A manager that has not told its level yet, or is to become a manager, counts as the oldest. */
export function raiseLevel(view: View): Decision {
  const [cluster] = view.list('cluster');
  if (cluster === undefined) return { changes: [] };
  const managers = [...view.list('node')].filter(({ manager, spec }) => manager !== undefined || spec.role === 'manager');
  const common = Math.min(...managers.map(({ description }) => description?.daemon?.level ?? OLDEST_LEVEL));
  if (managers.length === 0 || common <= (cluster.level ?? OLDEST_LEVEL)) return { changes: [] };
  return { changes: [{ action: 'update', object: { ...cluster, level: common } }] };
}
