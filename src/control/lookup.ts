// From what a user typed to an object: the exact id, then the exact name, then the beginning of an id. Texts are the Docker daemon's
// (daemon/cluster/helpers.go).
import type { Config, Network, Node, ObjectKind, ObjectOf, Secret, Service, Task } from '#domain/objects.ts';
import { isPredefinedNetwork } from '#domain/predefined-network.ts';
import type { View } from '#domain/view.ts';
import { AppError } from '#lib/errors.ts';

/** How many matches an error message counts at most. */
const MAX_COUNTED_MATCHES = 1_000;

export function findService(view: View, ref: string): Service {
  return view.get('service', ref) ?? view.findByName('service', ref) ?? findByPrefix(view, 'service', ref);
}

export function findSecret(view: View, ref: string): Secret {
  return view.get('secret', ref) ?? view.findByName('secret', ref) ?? findByPrefix(view, 'secret', ref);
}

export function findConfig(view: View, ref: string): Config {
  return view.get('config', ref) ?? view.findByName('config', ref) ?? findByPrefix(view, 'config', ref);
}

/** Tasks have no names of their own. */
export function findTask(view: View, ref: string): Task {
  return view.get('task', ref) ?? findByPrefix(view, 'task', ref);
}

/** A node's name is its hostname, which several nodes may have. */
export function findNode(view: View, ref: string): Node {
  const exact = view.get('node', ref);
  if (exact !== undefined) return exact;
  const named = [...view.list('node')].filter((node) => node.description?.hostname === ref);
  return named.length > 0 ? onlyOne('node', ref, named) : findByPrefix(view, 'node', ref);
}

/** A network of the swarm, or undefined. Stand-ins for the engines' own networks are found by their id only. */
export function findNetwork(view: View, ref: string): Network | undefined {
  const exact = view.get('network', ref) ?? visible(view.findByName('network', ref));
  if (exact !== undefined) return exact;
  const matches = view.findByIdPrefix('network', ref, MAX_COUNTED_MATCHES).filter((network) => !isPredefinedNetwork(network));
  if (matches.length > 1) throw new AppError('invalidArgument', `${matches.length} matches found based on ID prefix: network ${ref} is ambiguous`);
  return matches[0];
}

function visible(network: Network | undefined): Network | undefined {
  return network !== undefined && isPredefinedNetwork(network) ? undefined : network;
}

function findByPrefix<K extends ObjectKind>(view: View, kind: K, ref: string): ObjectOf<K> {
  return onlyOne(kind, ref, view.findByIdPrefix(kind, ref, MAX_COUNTED_MATCHES));
}

function onlyOne<T>(kind: ObjectKind, ref: string, matches: readonly T[]): T {
  const [first] = matches;
  if (first === undefined) throw new AppError('notFound', `${kind} ${ref} not found`);
  if (matches.length > 1) throw new AppError('invalidArgument', `${kind} ${ref} is ambiguous (${matches.length} matches found)`);
  return first;
}
