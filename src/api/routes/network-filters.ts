// Filters of `GET /networks` for the swarm's networks; the engine applies them to its own.
import type { Filters } from '#control/control.ts';
import type { Network } from '#domain/objects.ts';
import { isTerminal } from '#domain/task-state.ts';
import { AppError } from '#lib/errors.ts';
import type { RouteContext } from '../route.ts';
import { parseBool } from './parse.ts';

/** Throws AppError `invalidArgument` for values that no network can have. */
export function checkNetworkFilters(filters: Filters): void {
  for (const type of filters['type'] ?? []) {
    if (type !== 'builtin' && type !== 'custom') throw new AppError('invalidArgument', `invalid filter: 'type'='${type}'`);
  }
  for (const value of filters['dangling'] ?? []) {
    if (parseBool(value) === undefined) throw new AppError('invalidArgument', `invalid filter 'dangling=[${value}]'`);
  }
}

/** Values of a key are alternatives, except labels; keys must all hold. */
export function matchesNetworkFilters(network: Network, filters: Filters, context: RouteContext): boolean {
  return (
    matchesAny(filters['driver'], (value) => value === (network.state?.driver.name ?? '')) &&
    matchesAny(filters['id'], (value) => matchesPattern(value, network.id)) &&
    matchesAny(filters['name'], (value) => matchesPattern(value, network.spec.name)) &&
    matchesAny(filters['scope'], (value) => value === 'swarm') &&
    // The ingress network counts as custom too: only the engine's own three are built in.
    matchesAny(filters['type'], (value) => value === 'custom') &&
    matchesAny(filters['dangling'], (value) => parseBool(value) === isDangling(network, context)) &&
    matchesLabels(network, filters['label'] ?? [])
  );
}

/** `k` or `k=v`; all of them must hold. */
export function matchesLabels(network: Network, wanted: readonly string[]): boolean {
  return wanted.every((text) => {
    const [key = '', ...rest] = text.split('=');
    if (!Object.hasOwn(network.spec.labels, key)) return false;
    return rest.length === 0 || network.spec.labels[key] === rest.join('=');
  });
}

function matchesAny(values: readonly string[] | undefined, matches: (value: string) => boolean): boolean {
  return values === undefined || values.length === 0 || values.some(matches);
}

/** Docker reads a filter's value as a regular expression, which plain text is as well. */
function matchesPattern(pattern: string, text: string): boolean {
  if (pattern === text) return true;
  try {
    return new RegExp(pattern).test(text);
  } catch {
    return false;
  }
}

function isDangling(network: Network, { membership }: RouteContext): boolean {
  if (network.spec.ingress) return false;
  const { tasks } = membership.control();
  return !tasks.list({}).some((task) => !isTerminal(task.status.state) && task.networks.some(({ networkId }) => networkId === network.id));
}
