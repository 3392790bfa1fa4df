// Nodes: labels, availability, role, removal. Rules and texts are SwarmKit's (manager/controlapi/node.go).
import type { Node, Task } from '#domain/objects.ts';
import { isTerminal } from '#domain/task-state.ts';
import type { Change, View } from '#domain/view.ts';
import { AppError, rpcError } from '#lib/errors.ts';
import type { Filters, NodeControl } from './control.ts';
import type { ControlDependencies } from './dependencies.ts';
import { matchesExactly, matchesLabels, matchesPrefix, valuesOf } from './filters.ts';
import { findNode } from './lookup.ts';

export function createNodeControl({ store, clock }: ControlDependencies): NodeControl {
  return {
    list(filters) {
      assertKnown(filters, 'role', ['worker', 'manager']);
      assertKnown(filters, 'membership', ['accepted', 'pending']);
      return [...store.view.list('node')].filter((node) => matchesNode(filters, node));
    },
    get: (ref) => findNode(store.view, ref),
    async update(ref, version, spec) {
      const { id } = findNode(store.view, ref);
      await store.update('control', (view) => {
        const node = present(view, id);
        if (node.spec.role === 'manager' && spec.role === 'worker') assertNotLastManager(view, node);
        if (node.version !== version) throw rpcError('unknown', 'update out of sequence');
        return { changes: [{ action: 'update', object: { ...node, spec } }], result: undefined };
      });
    },
    async remove(ref, force) {
      const { id } = findNode(store.view, ref);
      await store.update('control', (view) => {
        const node = present(view, id);
        assertRemovable(node, force);
        const orphans = [...view.tasksOfNode(id)].filter((task) => !isTerminal(task.status.state)).map((task) => orphaned(task, clock.now()));
        return { changes: [...orphans, { action: 'remove', object: node }], result: undefined };
      });
    },
  };
}

function present(view: View, id: string): Node {
  const node = view.get('node', id);
  if (node === undefined) throw rpcError('notFound', `node ${id} not found`);
  return node;
}

function assertNotLastManager(view: View, node: Node): void {
  const managers = [...view.list('node')].filter(({ role }) => role === 'manager');
  if (managers.length === 1 && managers[0]?.id === node.id) throw rpcError('failedPrecondition', 'attempting to demote the last manager of the swarm');
  const reachable = managers.filter(({ id, manager }) => id !== node.id && manager?.reachability === 'reachable').length;
  if (reachable < Math.floor((managers.length - 1) / 2) + 1) {
    throw rpcError('failedPrecondition', "can't remove member from the raft: this would result in a loss of quorum");
  }
}

function assertRemovable(node: Node, force: boolean): void {
  if (node.spec.role === 'manager' && node.manager !== undefined) {
    const message = `node ${node.id} is a cluster manager and is a member of the raft cluster. It must be demoted to worker before removal`;
    throw rpcError('failedPrecondition', message);
  }
  if (!force && node.status.state === 'ready') throw rpcError('failedPrecondition', `node ${node.id} is not down and can't be removed`);
}

/** Nobody will ever report on a task of a node that is gone. */
function orphaned(task: Task, now: number): Change {
  const status = { ...task.status, state: 'orphaned', timestamp: now, message: 'Task belonged to a node that has been deleted' } as const;
  return { action: 'update', object: { ...task, status } };
}

function assertKnown(filters: Filters, key: string, known: readonly string[]): void {
  for (const value of valuesOf(filters, key)) {
    if (!known.includes(value.toLowerCase())) throw new AppError('unknown', `Invalid ${key} filter: '${value}'`);
  }
}

/** A node becomes a member by its certificate: all that are stored are accepted. */
function matchesNode(filters: Filters, node: Node): boolean {
  return (
    matchesPrefix(filters, 'id', node.id) &&
    matchesPrefix(filters, 'name', node.description?.hostname ?? '') &&
    matchesLabels(filters, 'label', node.description?.engine.labels ?? {}) &&
    matchesLabels(filters, 'node.label', node.spec.labels) &&
    matchesExactly(lowerCased(filters, 'role'), 'role', node.role) &&
    matchesExactly(lowerCased(filters, 'membership'), 'membership', 'accepted')
  );
}

function lowerCased(filters: Filters, key: string): Filters {
  return { [key]: valuesOf(filters, key).map((value) => value.toLowerCase()) };
}
