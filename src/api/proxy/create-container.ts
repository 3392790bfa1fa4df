// `POST /containers/create`: endpoints that an older engine cannot take at once are connected afterwards, and endpoints on swarm networks get
// their address from the swarm. Either all of it happens or nothing is left.
import { randomBytes } from 'node:crypto';
import { AppError, errorMessage } from '#lib/errors.ts';
import { engineError } from '#engine-link/link.ts';
import type { EngineResponse } from '#engine-link/connection.ts';
import { json, type RouteRequest, type RouteResult, toEngine } from '../route.ts';
import { type ContainerAttachment, type ContainerNetworks, isNamespace, OWNER_LABEL, type SwarmNetworkRef } from './container-networks.ts';
import type { ProxyContext } from './container-routes.ts';
import { createKeys, withKeys } from './body-keys.ts';
import { isObject, type JsonObject, objectAt, textAt } from './json-object.ts';
import { type LateEndpoint, translateCreate } from './translate.ts';

export async function createContainer(request: RouteRequest, proxy: ProxyContext): Promise<RouteResult> {
  const body = withKeys(request.body, createKeys);
  if (!isObject(body)) return toEngine();
  const { apiVersion } = await proxy.engine.facts(request.signal);
  const translated = translateCreate(body, { client: request.apiVersion, engine: apiVersion });
  const swarm = await findSwarmNetworks(networkNames(translated.body, translated.connect), proxy.networks);
  if (swarm.size === 0 && translated.connect.length === 0 && translated.warnings.length === 0)
    return translated.body === body ? toEngine() : toEngine({ body: translated.body });
  const owner = randomBytes(16).toString('hex');
  const work = () => createWith({ ...translated, swarm, owner }, request, proxy);
  return proxy.keeper ? await proxy.keeper.hold(owner, work) : await work();
}

function networkNames(body: JsonObject, connect: readonly LateEndpoint[]): readonly string[] {
  const mode = textAt(body['HostConfig'], 'NetworkMode');
  const named = [
    ...(mode === '' ? [] : [mode]),
    ...Object.keys(objectAt(body, 'NetworkingConfig', 'EndpointsConfig')),
    ...connect.map(({ network }) => network),
  ];
  // `container:x` and `ns:/path` share another namespace.
  return [...new Set(named)].filter((name) => !name.includes(':'));
}

async function findSwarmNetworks(names: readonly string[], networks: ContainerNetworks | undefined): Promise<ReadonlyMap<string, SwarmNetworkRef>> {
  const found = new Map<string, SwarmNetworkRef>();
  for (const name of names) {
    const network = await networks?.resolve(name);
    if (network) found.set(name, network);
  }
  return found;
}

interface Creation {
  readonly body: JsonObject;
  readonly connect: readonly LateEndpoint[];
  readonly warnings: readonly string[];
  readonly swarm: ReadonlyMap<string, SwarmNetworkRef>;
  readonly owner: string;
}

async function createWith(creation: Creation, request: RouteRequest, proxy: ProxyContext): Promise<RouteResult> {
  const attached = new Map<string, ContainerAttachment>();
  const undo = async () => {
    for (const { id } of attached.values()) await proxy.networks?.detach(id);
  };
  try {
    for (const [name, network] of creation.swarm) {
      const endpoint = creation.connect.find((late) => late.network === name)?.config ?? objectAt(creation.body, 'NetworkingConfig', 'EndpointsConfig', name);
      attached.set(name, await attach(proxy, network, creation.owner, endpoint, request.signal));
    }
    const created = await proxy.engine.exchange({
      method: 'POST',
      path: '/containers/create',
      query: request.query,
      body: onEngineNetworks(creation, attached),
      apiVersion: request.apiVersion,
    });
    if (created.status !== 201) {
      await undo();
      return passOn(created);
    }
    await connectLate(creation.connect, attached, textAt(created.body, 'Id'), request, proxy);
    return json({ ...objectAt(created.body), Warnings: warningsOf(created.body, creation.warnings) }, 201);
  } catch (error) {
    await undo();
    throw error;
  }
}

/** Docker's words for a refusal of the managers (daemon/container_operations.go). */
export async function attach(
  { networks }: ProxyContext,
  network: SwarmNetworkRef,
  owner: string,
  endpoint: JsonObject,
  signal: AbortSignal,
): Promise<ContainerAttachment> {
  const ipam = objectAt(endpoint, 'IPAMConfig');
  const addresses = [textAt(ipam, 'IPv4Address'), textAt(ipam, 'IPv6Address')].filter((address) => address !== '');
  try {
    if (!networks) throw new AppError('unavailable', 'this node has no part in the swarm');
    return await networks.attach(network, owner, addresses, signal);
  } catch (cause) {
    throw new AppError('unknown', `Could not attach to network ${network.name}: ${errorMessage(cause)}`, { cause });
  }
}

/** The endpoint's settings with the address that the swarm gave. */
export function withAddresses(endpoint: JsonObject, { ipv4Address, ipv6Address }: ContainerAttachment): JsonObject {
  const addresses = { ...(ipv4Address === undefined ? {} : { IPv4Address: ipv4Address }), ...(ipv6Address === undefined ? {} : { IPv6Address: ipv6Address }) };
  return { ...endpoint, IPAMConfig: { ...objectAt(endpoint, 'IPAMConfig'), ...addresses } };
}

function onEngineNetworks({ body, connect, swarm, owner }: Creation, attached: ReadonlyMap<string, ContainerAttachment>): JsonObject {
  if (swarm.size === 0) return body;
  const joined = [...attached.values()].find(isNamespace);
  if (joined) return inNamespace({ body, connect, owner }, joined);
  const host = objectAt(body, 'HostConfig');
  const mode = attached.get(textAt(host, 'NetworkMode'));
  const endpoints = Object.entries(objectAt(body, 'NetworkingConfig', 'EndpointsConfig')).map(([name, config]): [string, unknown] => {
    const attachment = attached.get(name);
    return attachment ? [attachment.engineNetwork, withAddresses(isObject(config) ? config : {}, attachment)] : [name, config];
  });
  if (mode && !endpoints.some(([name]) => name === mode.engineNetwork)) endpoints.push([mode.engineNetwork, withAddresses({}, mode)]);
  const dns = [...attached.values()].find((attachment) => attachment.dns !== undefined)?.dns;
  const ownDns = Array.isArray(host['Dns']) && host['Dns'].length > 0;
  return {
    ...body,
    Labels: { ...objectAt(body, 'Labels'), [OWNER_LABEL]: owner },
    HostConfig: { ...host, ...(mode ? { NetworkMode: mode.engineNetwork } : {}), ...(dns && !ownDns ? { Dns: dns } : {}) },
    NetworkingConfig: { ...objectAt(body, 'NetworkingConfig'), EndpointsConfig: Object.fromEntries(endpoints) },
  };
}

/** The namespace has everything already; what the engine would add to it, it cannot. */
function inNamespace({ body, connect, owner }: Pick<Creation, 'body' | 'connect' | 'owner'>, { engineNetwork, dns }: ContainerAttachment): JsonObject {
  const host = objectAt(body, 'HostConfig');
  const { NetworkingConfig: networking, ...rest } = body;
  if (Object.keys(objectAt(networking, 'EndpointsConfig')).length + connect.length > 1)
    throw new AppError('invalidArgument', 'a container of a Podman node that is on a network of the swarm can be on no other');
  if (Object.keys(objectAt(host, 'PortBindings')).length > 0)
    throw new AppError('invalidArgument', 'a container of a Podman node that is on a network of the swarm can publish no ports; make it a service');
  const ownDns = Array.isArray(host['Dns']) && host['Dns'].length > 0;
  return {
    ...rest,
    Labels: { ...objectAt(body, 'Labels'), [OWNER_LABEL]: owner },
    HostConfig: { ...host, NetworkMode: engineNetwork, ...(dns && !ownDns ? { Dns: dns } : {}) },
  };
}

/** Throws with the engine's words, and without the container, when one of them cannot be connected. */
async function connectLate(
  connect: readonly LateEndpoint[],
  attached: ReadonlyMap<string, ContainerAttachment>,
  containerId: string,
  request: RouteRequest,
  { engine }: ProxyContext,
): Promise<void> {
  for (const { network, config } of connect) {
    const attachment = attached.get(network);
    const body = { Container: containerId, EndpointConfig: attachment ? withAddresses(config, attachment) : config };
    const path = `/networks/${encodeURIComponent(attachment?.engineNetwork ?? network)}/connect`;
    const answer = await engine.request({ method: 'POST', path, body, apiVersion: request.apiVersion });
    if (answer.status < 300) continue;
    await engine.request({ method: 'DELETE', path: `/containers/${containerId}`, query: new URLSearchParams({ v: '1', force: '1' }) });
    throw engineError(answer.status, answer.body);
  }
}

function warningsOf(body: unknown, ours: readonly string[]): readonly unknown[] {
  const engines = isObject(body) ? body['Warnings'] : undefined;
  return [...(Array.isArray(engines) ? engines : []), ...ours];
}

/** The engine's answer as it came. */
export function passOn({ status, headers, bytes }: EngineResponse & { readonly bytes: Buffer }): RouteResult {
  const contentType = headers['content-type'];
  if (bytes.length === 0) return { kind: 'empty', status };
  return { kind: 'bytes', status, contentType: typeof contentType === 'string' ? contentType : 'application/json', bytes };
}
