// The filters of a placement, in SwarmKit's order (manager/scheduler/filter.go), and the words that say why nothing fits. Here are those that depend
// on a node alone; those that depend on what runs there are in board.ts.
import { matchesConstraints, normaliseArchitecture } from '#domain/constraint.ts';
import type { Node } from '#domain/objects.ts';
import type { Platform } from '#domain/spec.ts';
import type { RequiredPlugin, Requirements } from './requirements.ts';

/** Which filter refuses a node; numbers are the order in which filters are asked. */
export const refusal = { none: 0, notReady: 1, resources: 2, plugin: 3, constraints: 4, platform: 5, hostPort: 6, maxReplicas: 7 } as const;

export type Refusal = (typeof refusal)[keyof typeof refusal];

const onNodes = (count: number) => (count === 1 ? 'on 1 node' : `on ${count} nodes`);

const explanations: Readonly<Record<Exclude<Refusal, 0>, (count: number) => string>> = {
  [refusal.notReady]: (count) => (count === 1 ? '1 node not available for new tasks' : `${count} nodes not available for new tasks`),
  [refusal.resources]: (count) => `insufficient resources ${onNodes(count)}`,
  [refusal.plugin]: (count) => `missing plugin ${onNodes(count)}`,
  [refusal.constraints]: (count) => `scheduling constraints not satisfied ${onNodes(count)}`,
  [refusal.platform]: (count) => `unsupported platform ${onNodes(count)}`,
  [refusal.hostPort]: (count) => `host-mode port already in use ${onNodes(count)}`,
  // SwarmKit's words.
  [refusal.maxReplicas]: () => 'max replicas per node limit exceed',
};

/** The reasons of all nodes in words, the most frequent first, then in order of the filters. Empty when no node was refused. */
export function explain(refusals: Iterable<Refusal>): string {
  const counts = new Map<Exclude<Refusal, 0>, number>();
  for (const reason of refusals) if (reason !== refusal.none) counts.set(reason, (counts.get(reason) ?? 0) + 1);
  return [...counts]
    .sort(([a, countA], [b, countB]) => countB - countA || a - b)
    .map(([reason, count]) => explanations[reason](count))
    .join('; ');
}

/** What `docker service ps` shows for a task that no node can take. */
export function noSuitableNode(explanation: string): string {
  return explanation === '' ? 'no suitable node' : `no suitable node (${explanation})`;
}

/** Which filter, of those that ask only about the node itself, refuses it first. */
export function staticRefusal(node: Node, requirements: Requirements): Refusal {
  if (node.status.state !== 'ready' || node.spec.availability !== 'active') return refusal.notReady;
  if (!requirements.plugins.every((plugin) => hasPlugin(node, plugin))) return refusal.plugin;
  if (!matchesConstraints(requirements.constraints, node)) return refusal.constraints;
  if (!runsPlatform(node, requirements.platforms)) return refusal.platform;
  return refusal.none;
}

/** A node that names no plugin of a type at all has not reported that type: it is not refused for that. */
function hasPlugin(node: Node, { type, name }: RequiredPlugin): boolean {
  const ofType = (node.description?.engine.plugins ?? []).filter((plugin) => plugin.type === type);
  return ofType.length === 0 || ofType.some((plugin) => plugin.name === name || plugin.name === `${name}:latest`);
}

function runsPlatform(node: Node, platforms: readonly Platform[]): boolean {
  if (platforms.length === 0) return true;
  const actual = node.description?.platform;
  if (actual === undefined) return false;
  const architecture = normaliseArchitecture(actual.architecture);
  return platforms.some(
    (wanted) =>
      (wanted.os === '' || wanted.os.toLowerCase() === actual.os.toLowerCase()) &&
      (wanted.architecture === '' || normaliseArchitecture(wanted.architecture) === architecture),
  );
}
