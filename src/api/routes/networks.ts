// /networks: the swarm's networks and the engine's own, as if they were one set.
// On this node a swarm network has a local part in the engine, which users do not see as a network of its own.
import type { NetworkControl } from '#control/control.ts';
import { type NetworkCreateRequest, type NetworkCreateResponse, type NetworkResource, networkCreateShape } from '#docker-api/network.ts';
import { decodeBody } from '#docker-api/shape.ts';
import type { Network } from '#domain/objects.ts';
import { networkWarnings } from '#domain/validate/network.ts';
import { AppError, errorMessage } from '#lib/errors.ts';
import { API_WITH_ENABLE_IPV4, networkSpecFromJson, networkToResource } from '../convert/network.ts';
import { empty, json, type Route, type RouteContext, type RouteRequest, toEngine } from '../route.ts';
import { backedNetworkId, engineNetworks, isBacking } from './engine-networks.ts';
import { networkDetails } from './network-details.ts';
import { checkNetworkFilters, matchesNetworkFilters } from './network-filters.ts';
import { pruneNetworks } from './network-prune.ts';
import { param } from './params.ts';
import { onlyKeys, parseFilters, strictFlag } from './parse.ts';
import { predefinedNetwork, swarmNetworks } from './swarm-networks.ts';

const filterKeys = ['dangling', 'driver', 'id', 'label', 'name', 'scope', 'type'];

export const networkRoutes: readonly Route[] = [
  { method: 'GET', path: '/networks', handler: listNetworks },
  { method: 'POST', path: '/networks/create', handler: createNetwork },
  { method: 'POST', path: '/networks/prune', handler: pruneNetworks },
  { method: 'GET', path: '/networks/{id}', handler: inspectNetwork },
  { method: 'DELETE', path: '/networks/{id}', handler: removeNetwork },
];

async function listNetworks(request: RouteRequest, context: RouteContext) {
  const filters = onlyKeys(parseFilters(request.query), filterKeys);
  checkNetworkFilters(filters);
  const ours = swarmNetworks(context)
    .filter((network) => matchesNetworkFilters(network, filters, context))
    .map((network) => networkToResource(network, request.apiVersion));
  // Clients that look for the swarm's networks only (Traefik, over and over) get them without the engine.
  const isSwarmOnly = filters['scope']?.length === 1 && filters['scope'][0] === 'swarm';
  const engines = isSwarmOnly ? [] : await engineNetworks(request, context, request.query.get('filters') ?? undefined);
  return json([...ours, ...engines.filter((network) => !isBacking(network))]);
}

async function inspectNetwork(request: RouteRequest, context: RouteContext) {
  const verbose = strictFlag(request.query, 'verbose');
  const term = param(request, 'id');
  const scope = request.query.get('scope') ?? '';
  const found = await resolve(term, scope, request, context);
  if (found.kind === 'engine') {
    // Asked by id: its name may be that of a hidden network too.
    return toEngine({ path: `/networks/${found.network.Id}` });
  }
  const details = await networkDetails(found.network, found.local, verbose, request, context);
  return json(networkToResource(found.network, request.apiVersion, details));
}

async function removeNetwork(request: RouteRequest, context: RouteContext) {
  const found = await resolve(param(request, 'id'), '', request, context);
  if (found.kind === 'engine') return toEngine({ path: `/networks/${found.network.Id}` });
  await context.membership.control().networks.remove(found.network.id);
  return empty(204);
}

type Resolved =
  | { readonly kind: 'engine'; readonly network: NetworkResource }
  /** `local`: the id of the engine's network that backs it here, if any. */
  | { readonly kind: 'swarm'; readonly network: Network; readonly local: string | undefined };

/**
 * Docker's order: a full id; a swarm network by id prefix, or by name when its scope is asked for; a unique name; a unique id prefix.
 * Throws AppError `notFound`, or `invalidArgument` when several match.
 */
async function resolve(term: string, scope: string, request: RouteRequest, context: RouteContext): Promise<Resolved> {
  const standIn = predefinedNetwork(term, scope, context);
  if (standIn !== undefined) return { kind: 'swarm', network: standIn, local: undefined };
  const all = await engineNetworks(request, context).catch((error: unknown) => withoutEngine(error, term, context));
  const engines = scope === '' ? all : all.filter((network) => network.Scope === scope);
  const candidates: Resolved[] = [
    ...(scope === '' || scope === 'swarm' ? swarmNetworks(context) : []).map((network): Resolved => {
      return { kind: 'swarm', network, local: all.find((candidate) => backedNetworkId(candidate) === network.id)?.Id };
    }),
    ...engines.filter((network) => !isBacking(network)).map((network): Resolved => ({ kind: 'engine', network })),
  ];
  const exact = candidates.find((candidate) => idOf(candidate) === term);
  if (exact !== undefined) return exact;
  const named = candidates.filter((candidate) => nameOf(candidate) === term);
  const prefixed = term === '' ? [] : candidates.filter((candidate) => idOf(candidate).startsWith(term));
  const swarmPrefixed = prefixed.filter((candidate) => candidate.kind === 'swarm');
  if (named.length === 0 && swarmPrefixed[0] !== undefined && swarmPrefixed.length === 1) return swarmPrefixed[0];
  return unique(named, 'name', term) ?? unique(prefixed, 'ID prefix', term) ?? notFound(term);
}

/** A swarm's network is found and removed while the engine is away, too; whether another one of that name exists is only known with it. */
function withoutEngine(error: unknown, term: string, context: RouteContext): readonly NetworkResource[] {
  const isOurs = swarmNetworks(context).some(({ id, spec }) => id === term || spec.name === term);
  if (isOurs && isAway(error)) return [];
  throw error;
}

function isAway(error: unknown): boolean {
  return error instanceof AppError && error.code === 'unavailable';
}

/** What the engine has can be known when it is there only; the swarm does not wait for it. */
function emptyWhenAway(error: unknown): readonly NetworkResource[] {
  if (isAway(error)) return [];
  throw error;
}

function unique(matches: readonly Resolved[], basis: string, term: string): Resolved | undefined {
  if (matches.length > 1) throw new AppError('invalidArgument', `${matches.length} matches found based on ${basis}: network ${term} is ambiguous`);
  return matches[0];
}

function notFound(term: string): never {
  throw new AppError('notFound', `network ${term} not found`);
}

function idOf(candidate: Resolved): string {
  return candidate.kind === 'swarm' ? candidate.network.id : candidate.network.Id;
}

function nameOf(candidate: Resolved): string {
  return candidate.kind === 'swarm' ? candidate.network.spec.name : candidate.network.Name;
}

async function createNetwork(request: RouteRequest, context: RouteContext) {
  const wire = decodeBody(networkCreateShape, request.body);
  const name = wire.Name ?? '';
  if (swarmNetworks(context).some((network) => network.spec.name === name)) throw nameTaken(name);
  if (!isForSwarm(wire)) return toEngine();
  const networks = networkControlFor(wire, context);
  // Of older clients only those that ask for it are told that a network of this node has the name.
  const isLocalChecked = wire.CheckDuplicate === true || request.apiVersion >= API_ALWAYS_CHECKS_DUPLICATES;
  const engines = isLocalChecked ? await engineNetworks(request, context).catch(emptyWhenAway) : [];
  if (engines.some((network) => network.Name === name && !isBacking(network))) throw nameTaken(name);
  if (request.apiVersion >= API_WITH_ENABLE_IPV4 && wire.EnableIPv4 === false)
    throw new AppError('invalidArgument', 'IPv4 cannot be disabled in a Swarm scoped network');
  const spec = networkSpecFromJson(wire);
  const answer: NetworkCreateResponse = { Id: await networks.create(spec), Warning: networkWarnings(spec).join('; ') };
  return json(answer, 201);
}

/** Older clients ask for the check, or do without it. */
const API_ALWAYS_CHECKS_DUPLICATES = 44;

function isForSwarm({ Driver, Scope, Ingress }: NetworkCreateRequest): boolean {
  return Driver === 'overlay' || Scope === 'swarm' || Ingress === true;
}

function nameTaken(name: string): AppError {
  return new AppError('alreadyExists', `network with name ${name} already exists`);
}

/** The use cases, or Docker's reason why a network of the whole swarm cannot be made here. */
function networkControlFor(wire: NetworkCreateRequest, { membership }: RouteContext): NetworkControl {
  const { state, controlAvailable } = membership.info();
  if (state === 'inactive' && wire.Driver !== 'overlay') {
    throw new AppError('permissionDenied', 'cannot create a swarm scoped network when swarm is not active');
  }
  if (state === 'active' && !controlAvailable) {
    throw new AppError('permissionDenied', 'Cannot create a multi-host network from a worker node. Please create the network from a manager node.');
  }
  if (state !== 'inactive') return membership.control().networks;
  try {
    return membership.control().networks;
  } catch (error) {
    throw new AppError('permissionDenied', errorMessage(error), { cause: error });
  }
}
