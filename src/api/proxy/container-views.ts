// Containers as clients see them: on a swarm network they name the swarm's network, not the engine's that carries it here.
import { type RouteRequest, type RouteResult, toEngine } from '../route.ts';
import type { BackingNetworks } from './backing-networks.ts';
import type { ProxyContext } from './container-routes.ts';
import { passOn } from './create-container.ts';
import { isObject, type JsonObject, objectAt, textAt } from './json-object.ts';
import { takeTaskFilter } from './task-filter.ts';

export async function inspectContainer(request: RouteRequest, proxy: ProxyContext): Promise<RouteResult> {
  const answer = await askEngine(request, request.query, proxy);
  if (answer.status !== 200 || !isObject(answer.body)) return passOn(answer);
  const shown = await withSwarmNetworks(answer.body, proxy.backing);
  return shown === answer.body ? passOn(answer) : { kind: 'json', status: 200, value: shown };
}

export async function listContainers(request: RouteRequest, proxy: ProxyContext): Promise<RouteResult> {
  const tasks = takeTaskFilter(request.query);
  const query = await withEngineNetworks(tasks?.query ?? request.query, proxy);
  if (query === undefined) return toEngine();
  const answer = await askEngine(request, query, proxy);
  if (answer.status !== 200 || !Array.isArray(answer.body)) return passOn(answer);
  const all: readonly unknown[] = answer.body;
  const containers = tasks?.select(all) ?? all;
  const shown: unknown[] = [];
  for (const container of containers) shown.push(isObject(container) ? await withSwarmNetworks(container, proxy.backing) : container);
  const isUnchanged = tasks === undefined && shown.every((container, index) => container === containers[index]);
  return isUnchanged ? passOn(answer) : { kind: 'json', status: 200, value: shown };
}

function askEngine(request: RouteRequest, query: URLSearchParams, { engine }: ProxyContext) {
  return engine.exchange({ method: 'GET', path: request.path, query, apiVersion: request.apiVersion, signal: request.signal });
}

/** The same object when the container is on none. */
export async function withSwarmNetworks(container: JsonObject, backing: BackingNetworks): Promise<JsonObject> {
  const settings = objectAt(container, 'NetworkSettings');
  const networks = objectAt(settings, 'Networks');
  const renamed = new Map<string, string>();
  const shown: [string, unknown][] = [];
  for (const [name, endpoint] of Object.entries(networks)) {
    const networkId = textAt(endpoint, 'NetworkID');
    // A container that has never run has no network id yet.
    const swarm = await (networkId === '' ? backing.swarmNetworkNamed(name) : backing.swarmNetworkOf(networkId));
    if (swarm) renamed.set(name, swarm.name);
    shown.push(swarm && isObject(endpoint) ? [swarm.name, { ...endpoint, NetworkID: swarm.id }] : [name, endpoint]);
  }
  if (renamed.size === 0) return container;
  const host = objectAt(container, 'HostConfig');
  const mode = renamed.get(textAt(host, 'NetworkMode'));
  return {
    ...container,
    NetworkSettings: { ...settings, Networks: Object.fromEntries(shown) },
    ...(mode === undefined ? {} : { HostConfig: { ...host, NetworkMode: mode } }),
  };
}

/** The query with names of swarm networks in its `network` filter put as the engine knows them; undefined when the engine must refuse it. */
async function withEngineNetworks(query: URLSearchParams, { networks, backing }: ProxyContext): Promise<URLSearchParams | undefined> {
  const text = query.get('filters');
  if (!text || !networks || !text.includes('"network"')) return query;
  const filters = parse(text);
  const wanted = isObject(filters) ? filters['network'] : undefined;
  if (!isObject(filters) || wanted === undefined) return filters === undefined ? undefined : query;
  const names = Array.isArray(wanted) ? wanted.map(String) : Object.keys(objectAt(filters, 'network'));
  const translated: string[] = [];
  for (const name of names) {
    const swarm = await networks.resolve(name);
    translated.push((swarm && (await backing.engineNameOf(swarm.id))) ?? name);
  }
  const changed = new URLSearchParams(query);
  changed.set(
    'filters',
    JSON.stringify({ ...filters, network: Array.isArray(wanted) ? translated : Object.fromEntries(translated.map((name) => [name, true])) }),
  );
  return changed;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
