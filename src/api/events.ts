// Changes of swarm objects as Docker's events, and Docker's filters over them. Pure; event-stream.ts merges them with the engine's.
import { isDeepStrictEqual } from 'node:util';
import type { Network, Node, Service, StoreObject } from '#domain/objects.ts';
import type { StoreEvent } from '#domain/view.ts';

export interface EventMessage {
  readonly Type: string;
  readonly Action: string;
  readonly Actor: { readonly ID: string; readonly Attributes: Readonly<Record<string, string>> };
  readonly scope: string;
  readonly timeMs: number;
}

/** The event for a change, or undefined for what Docker has no events for: clusters, tasks, and how far the allocator has come in a network. */
export function toEvent(event: StoreEvent, now: number): EventMessage | undefined {
  const { object } = event;
  if (object.kind === 'cluster' || object.kind === 'task') return undefined;
  // Every task takes an address, and the remembered events would be full of networks that are as they were.
  if (object.kind === 'network' && event.action === 'update' && event.previous.kind === 'network' && isCursorOnly(event.previous, object)) return undefined;
  // What the managers note for themselves is no news: SwarmKit keeps it in memory.
  if (object.kind === 'service' && event.action === 'update' && event.previous.kind === 'service' && looksTheSame(event.previous, object)) return undefined;
  return {
    Type: object.kind,
    Action: event.action,
    Actor: { ID: object.id, Attributes: sorted({ name: nameOf(object), ...(event.action === 'update' ? changesBetween(event.previous, object) : {}) }) },
    scope: 'swarm',
    timeMs: event.action === 'create' ? object.createdAt : event.action === 'update' ? object.updatedAt : now,
  };
}

/** One line as dockerd writes it. Nanoseconds do not fit a JavaScript number, so they are put together as text. */
export function eventLine(event: EventMessage): string {
  const { timeMs, ...message } = event;
  const milliseconds = Math.floor(timeMs);
  return `${JSON.stringify(message).slice(0, -1)},"time":${Math.floor(milliseconds / 1000)},"timeNano":${milliseconds}000000}\n`;
}

function nameOf(object: Exclude<StoreObject, { kind: 'cluster' | 'task' }>): string {
  if (object.kind !== 'node') return object.spec.name;
  return object.spec.name || (object.description?.hostname ?? '');
}

function isCursorOnly(previous: Network, network: Network): boolean {
  const cursors = ({ state }: Network) => [state?.cursor, state?.cursor6];
  const rest = (network: Network) => {
    const { state } = network;
    return { ...network, version: 0, updatedAt: 0, state: state && { ...state, cursor: undefined, cursor6: undefined } };
  };
  return !isDeepStrictEqual(cursors(previous), cursors(network)) && isDeepStrictEqual(rest(previous), rest(network));
}

/** Whether nobody who asks the API could tell the two apart, but for the version. An update by a user is one even if it changes nothing. */
function looksTheSame(previous: Service, service: Service): boolean {
  const visible = ({ rollout: _rollout, restartedFor: _cause, restartSpecVersion: _restart, endpoint, ...rest }: Service) => {
    const isEmpty = endpoint === undefined || (endpoint.ports.length === 0 && endpoint.virtualIps.length === 0);
    return { ...rest, version: 0, updatedAt: 0, endpoint: isEmpty ? undefined : endpoint };
  };
  return isDeepStrictEqual(visible(previous), visible(service));
}

type Attributes = Record<string, string>;

/** What Docker names of an update: image, replicas and update state of a service; state, availability, role and manager status of a node. */
function changesBetween(previous: StoreObject, object: StoreObject): Attributes {
  if (object.kind === 'service' && previous.kind === 'service') return serviceChanges(previous, object);
  if (object.kind === 'node' && previous.kind === 'node') return nodeChanges(previous, object);
  return {};
}

function serviceChanges(previous: Service, service: Service): Attributes {
  const changes: Attributes = {};
  put(changes, 'image', imageOf(previous), imageOf(service));
  put(changes, 'replicas', replicasOf(previous), replicasOf(service));
  const [before, after] = [previous.updateStatus?.state, service.updateStatus?.state];
  if (after !== undefined && before === undefined) changes['updatestate.new'] = after;
  put(changes, 'updatestate', before, after);
  return changes;
}

function imageOf({ spec }: Service): string | undefined {
  return spec.task.runtime.kind === 'container' ? spec.task.runtime.container.image : undefined;
}

function replicasOf({ spec }: Service): number | undefined {
  return spec.mode.kind === 'replicated' ? spec.mode.replicas : undefined;
}

function nodeChanges(previous: Node, node: Node): Attributes {
  const changes: Attributes = {};
  put(changes, 'availability', previous.spec.availability, node.spec.availability);
  put(changes, 'role', previous.role, node.role);
  put(changes, 'state', previous.status.state, node.status.state);
  put(changes, 'leader', previous.manager?.leader, node.manager?.leader);
  put(changes, 'reachability', previous.manager?.reachability, node.manager?.reachability);
  return changes;
}

/** Both sides must be known: becoming something is no change of it. */
function put(changes: Attributes, name: string, before: string | number | boolean | undefined, after: string | number | boolean | undefined): void {
  if (before === undefined || after === undefined || before === after) return;
  changes[`${name}.old`] = String(before);
  changes[`${name}.new`] = String(after);
}

function sorted(attributes: Attributes): Attributes {
  return Object.fromEntries(Object.entries(attributes).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

type FilterValues = Readonly<Record<string, readonly string[]>>;

/** Both forms of the `filters` query: `{"type":{"service":true}}` and `{"type":["service"]}`. Undefined when it is neither. */
export function parseEventFilters(text: string | null): FilterValues | undefined {
  if (text === null || text === '') return {};
  try {
    const parsed = JSON.parse(text) as Record<string, readonly string[] | Record<string, boolean>>;
    return Object.fromEntries(Object.entries(parsed).map(([key, values]) => [key, Array.isArray(values) ? values.map(String) : Object.keys(values)]));
  } catch {
    return undefined;
  }
}

/** The object kinds that a filter of the same name is compared with, by id or name (prefix); source: moby daemon/events/filter.go. */
const nameFilters = ['daemon', 'container', 'plugin', 'volume', 'network', 'image', 'node', 'service', 'secret', 'config'];
/** Event names that carry an argument behind a colon, so that a prefix has to do. */
const prefixedEvents = new Set(['health_status', 'exec_create', 'exec_start']);

export function matchesFilters(event: EventMessage, filters: FilterValues): boolean {
  const attributes = event.Actor.Attributes;
  const prefixEvents = filters['event']?.some((value) => prefixedEvents.has(value)) ?? false;
  return (
    (prefixEvents ? matchesPrefix(filters['event'], event.Action) : matchesExactly(filters['event'], event.Action)) &&
    matchesExactly(filters['type'], event.Type) &&
    matchesExactly(filters['scope'], event.scope) &&
    nameFilters.every((key) => matchesPrefix(filters[key], event.Actor.ID) || matchesPrefix(filters[key], attributes['name'] ?? '')) &&
    (filters['label'] ?? []).every((label) => matchesLabel(label, attributes))
  );
}

/** Whether an event of the engine could pass: if not, the engine need not be asked. */
export function mayComeFromEngine(filters: FilterValues): boolean {
  const swarmTypes = new Set(['service', 'node', 'secret', 'config']);
  if (filters['scope']?.length && !filters['scope'].includes('local')) return false;
  return !filters['type']?.length || filters['type'].some((type) => !swarmTypes.has(type));
}

function matchesExactly(values: readonly string[] | undefined, text: string): boolean {
  return !values?.length || values.includes(text);
}

function matchesPrefix(values: readonly string[] | undefined, text: string): boolean {
  return !values?.length || values.some((value) => text.startsWith(value));
}

function matchesLabel(label: string, attributes: Readonly<Record<string, string>>): boolean {
  const split = label.indexOf('=');
  const value = attributes[split < 0 ? label : label.slice(0, split)];
  return value !== undefined && (split < 0 || value === label.slice(split + 1));
}
