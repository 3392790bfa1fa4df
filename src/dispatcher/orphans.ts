// Gives up tasks that no agent will ever report on again. A pure decision per node, run by the generic control loop.
import type { Task } from '#domain/objects.ts';
import { isTerminal, taskStateRank } from '#domain/task-state.ts';
import type { Decision, StoreEvent, View } from '#domain/view.ts';

/** How long a node may be down before its tasks are given up; SwarmKit's number (dispatcher.go, defaultNodeDownPeriod). */
const NODE_DOWN_PERIOD_MS = 24 * 3_600_000;

export function* nodesWithTasks(view: View): Iterable<string> {
  for (const node of view.list('node')) yield node.id;
  for (const task of view.list('task')) if (task.nodeId !== undefined && view.get('node', task.nodeId) === undefined) yield task.nodeId;
}

export function* nodesOfEvent({ object }: StoreEvent): Iterable<string> {
  if (object.kind === 'node') yield object.id;
}

export function decideOrphans(view: View, nodeId: string, now: number): Decision {
  const node = view.get('node', nodeId);
  if (node === undefined) return { changes: orphan(view, nodeId, now, 'Task orphaned: its node was removed from the swarm') };
  if (node.status.state !== 'down') return { changes: [] };
  const until = (node.status.since ?? node.updatedAt) + NODE_DOWN_PERIOD_MS;
  return until > now ? { changes: [], wakeAt: until } : { changes: orphan(view, nodeId, now, 'Task orphaned: its node was down for too long') };
}

function orphan(view: View, nodeId: string, now: number, message: string): Decision['changes'] {
  return [...view.tasksOfNode(nodeId)]
    .filter((task) => taskStateRank[task.status.state] >= taskStateRank.assigned && !isTerminal(task.status.state))
    .map((task: Task) => ({ action: 'update', object: { ...task, status: { ...task.status, state: 'orphaned', timestamp: now, message } } }));
}
