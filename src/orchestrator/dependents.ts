// Which services the orchestrator must look at when another one's tasks change, because they depend on it: an index of the labels of all services, kept from
// one event to the next. It holds nothing that a view does not say.
import { dependenciesOf } from '#domain/depends-on.ts';
import type { Service } from '#domain/objects.ts';
import type { StoreEvent, View } from '#domain/view.ts';
import { allKeys, keysOfEvent } from './keys.ts';

export interface OrchestratorKeys {
  allKeys(view: View): Iterable<string>;
  /** Must see every event from `allKeys` on, in order. */
  keysOf(event: StoreEvent, view: View): Iterable<string>;
}

export function createOrchestratorKeys(): OrchestratorKeys {
  /** Names in lower case → ids of the services that depend on them. */
  const dependents = new Map<string, Set<string>>();

  function add(service: Service): void {
    for (const { service: name } of dependenciesOf(service)) {
      const key = name.toLowerCase();
      const ids = dependents.get(key);
      if (ids === undefined) dependents.set(key, new Set([service.id]));
      else ids.add(service.id);
    }
  }

  function remove(service: Service): void {
    for (const { service: name } of dependenciesOf(service)) {
      const key = name.toLowerCase();
      const ids = dependents.get(key);
      ids?.delete(service.id);
      if (ids?.size === 0) dependents.delete(key);
    }
  }

  const dependentsOf = (name: string) => dependents.get(name.toLowerCase()) ?? [];

  function follow({ action, object, ...event }: StoreEvent): void {
    if (object.kind !== 'service') return;
    if ('previous' in event && event.previous.kind === 'service') remove(event.previous);
    if (action === 'remove') remove(object);
    else add(object);
  }

  return {
    allKeys(view) {
      dependents.clear();
      for (const service of view.list('service')) add(service);
      return allKeys(view);
    },
    keysOf(event, view) {
      follow(event);
      const own = keysOfEvent(event, view);
      if (dependents.size === 0) return own;
      // A circle that comes or goes concerns everybody in it.
      if (changesDependencies(event)) return [...own, ...[...dependents.values()].flatMap((ids) => [...ids])];
      return [...own, ...namesConcerned(event, view).flatMap((name) => [...dependentsOf(name)])];
    },
  };
}

function changesDependencies(event: StoreEvent): boolean {
  if (event.object.kind !== 'service') return false;
  const before = event.action === 'update' && event.previous.kind === 'service' ? dependenciesOf(event.previous) : [];
  const after = dependenciesOf(event.object);
  return event.action === 'update' ? before !== after && before.length + after.length > 0 : after.length > 0;
}

/** Names of services that may now be there for others, or may be so no longer. */
function namesConcerned(event: StoreEvent, view: View): readonly string[] {
  const { object } = event;
  switch (object.kind) {
    case 'service':
      return [object.spec.name];
    case 'task':
      return hasMoved(event) ? [object.serviceName] : [];
    case 'node':
      return hasMoved(event) ? [...new Set([...view.tasksOfNode(object.id)].map(({ serviceName }) => serviceName))] : [];
    default:
      return [];
  }
}

/** A task or node in another state than before. */
function hasMoved(event: StoreEvent): boolean {
  if (event.action !== 'update') return true;
  const { object, previous } = event;
  if (object.kind === 'node' && previous.kind === 'node') return object.status.state !== previous.status.state;
  if (object.kind !== 'task' || previous.kind !== 'task') return false;
  return object.status.state !== previous.status.state || object.desiredState !== previous.desiredState || object.rejection !== previous.rejection;
}
