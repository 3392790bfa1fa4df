// Tasks: what a user may ask for, and where to look for it without looking at every task.
import { isTaskDirty } from '#domain/dirty.ts';
import type { Task } from '#domain/objects.ts';
import { taskName } from '#domain/task-name.ts';
import { isTerminal, taskStateRank } from '#domain/task-state.ts';
import { waitingText, waitsFor } from '#domain/waiting.ts';
import type { View } from '#domain/view.ts';
import { AppError } from '#lib/errors.ts';
import type { Filters, TaskControl } from './control.ts';
import type { ControlDependencies } from './dependencies.ts';
import { hasFilter, matchesExactly, matchesLabels, matchesPrefix, valuesOf } from './filters.ts';
import { findNode, findService, findTask } from './lookup.ts';
import { visibleTask } from './visible.ts';

export function createTaskControl({ store }: ControlDependencies): TaskControl {
  return {
    list(filters) {
      const { view } = store;
      assertStates(valuesOf(filters, 'desired-state'));
      const resolved: Filters = {
        ...filters,
        service: valuesOf(filters, 'service').map((ref) => findService(view, ref).id),
        node: valuesOf(filters, 'node').map((ref) => findNode(view, ref).id),
        // Attachments of plain containers are shown to those only who ask for them.
        runtime: hasFilter(filters, 'runtime') ? valuesOf(filters, 'runtime') : ['container'],
      };
      return candidates(view, resolved)
        .filter((task) => matchesTask(resolved, task, view))
        .map((task) => explained(visibleTask(task), view));
    },
    get: (ref) => explained(visibleTask(findTask(store.view, ref)), store.view),
  };
}

/** A task that is held back because its service waits for others says so: the reason is in the view, and nobody has to keep it up to date in the store. */
function explained(task: Task, view: View): Task {
  if (task.desiredState !== 'ready' || isTerminal(task.status.state) || task.status.error !== undefined) return task;
  const service = task.serviceId === undefined ? undefined : view.get('service', task.serviceId);
  const reasons = service === undefined ? [] : waitsFor(view, service);
  return reasons.length === 0 ? task : { ...task, status: { ...task.status, error: waitingText(reasons) } };
}

function assertStates(states: readonly string[]): void {
  for (const state of states) {
    if (!Object.hasOwn(taskStateRank, state.toLowerCase())) throw new AppError('unknown', `Invalid desired-state filter: '${state}'`);
  }
}

/** The tasks of the services or nodes that are asked for, else all; in order of id. */
function candidates(view: View, filters: Filters): readonly Task[] {
  const services = new Set(valuesOf(filters, 'service'));
  if (services.size > 0) return byId([...services].flatMap((id) => [...view.tasksOfService(id)]));
  const nodes = new Set(valuesOf(filters, 'node'));
  if (nodes.size > 0) return byId([...nodes].flatMap((id) => [...view.tasksOfNode(id)]));
  return [...view.list('task')];
}

function byId(tasks: readonly Task[]): readonly Task[] {
  return tasks.toSorted((a, b) => (a.id < b.id ? -1 : 1));
}

function matchesTask(filters: Filters, task: Task, view: View): boolean {
  return (
    matchesPrefix(filters, 'id', task.id) &&
    (!hasFilter(filters, 'name') || matchesPrefix(filters, 'name', taskName(task))) &&
    matchesExactly(filters, 'node', task.nodeId ?? '') &&
    matchesExactly(filters, 'runtime', task.spec.runtime.kind) &&
    matchesLabels(filters, 'label', task.serviceLabels) &&
    matchesState(filters, task) &&
    (!isUpToDateAsked(filters) || isUpToDate(task, view))
  );
}

function matchesState(filters: Filters, task: Task): boolean {
  const states = valuesOf(filters, 'desired-state');
  return states.length === 0 || states.some((state) => state.toLowerCase() === task.desiredState);
}

/** The CLI's own filter while it waits for an update. */
function isUpToDateAsked(filters: Filters): boolean {
  return valuesOf(filters, '_up-to-date').some((value) => !['', '0', 'no', 'false', 'none'].includes(value.trim().toLowerCase()));
}

function isUpToDate(task: Task, view: View): boolean {
  const service = task.serviceId === undefined ? undefined : view.get('service', task.serviceId);
  const node = task.nodeId === undefined ? undefined : view.get('node', task.nodeId);
  return service !== undefined && !isTaskDirty(service, task, node);
}
