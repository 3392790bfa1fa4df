// `POST /networks/{id}/connect` and `/disconnect` for swarm networks: an address from the swarm, and its release.
import { AppError } from '#lib/errors.ts';
import { type RouteRequest, type RouteResult, toEngine } from '../route.ts';
import { connectKeys, withKeys } from './body-keys.ts';
import { isNamespace, OWNER_LABEL, type SwarmNetworkRef } from './container-networks.ts';
import type { ProxyContext } from './container-routes.ts';
import { attach, passOn, withAddresses } from './create-container.ts';
import { isObject, type JsonObject, objectAt, textAt } from './json-object.ts';
import { refuseLostMacAddress } from './translate.ts';

export async function connectContainer(given: RouteRequest, proxy: ProxyContext): Promise<RouteResult> {
  const request = { ...given, body: withKeys(given.body, connectKeys) };
  const endpoint = objectAt(request.body, 'EndpointConfig');
  const { apiVersion } = await proxy.engine.facts(request.signal);
  refuseLostMacAddress(endpoint, { client: request.apiVersion, engine: apiVersion });
  const network = await proxy.networks?.resolve(request.params['id'] ?? '');
  if (!network || !isObject(request.body)) return toEngine();
  const container = await findContainer(textAt(request.body, 'Container'), request, proxy);
  // The engine says in its own words that there is no such container.
  if (!container) return toEngine();
  const engineNetwork = await proxy.backing.engineNameOf(network.id);
  const present = engineNetwork === undefined ? undefined : container.endpoints[engineNetwork];
  if (isObject(present) && container.isRunning) throw new AppError('conflict', `${container.name} is already attached to network ${network.name}`);
  const work = () =>
    isObject(present) && engineNetwork !== undefined
      ? changeEndpoint({ network, container, engineNetwork, present, endpoint }, request, proxy)
      : addEndpoint({ network, container, endpoint }, request, proxy);
  return proxy.keeper ? await proxy.keeper.hold(container.id, work) : await work();
}

interface Connection {
  readonly network: SwarmNetworkRef;
  readonly container: Container;
  /** What the client says about it. */
  readonly endpoint: JsonObject;
}

async function addEndpoint({ network, container, endpoint }: Connection, request: RouteRequest, proxy: ProxyContext): Promise<RouteResult> {
  const attachment = await attach(proxy, network, container.id, endpoint, request.signal);
  try {
    if (isNamespace(attachment))
      throw new AppError('unimplemented', 'a container of a Podman node can be put on a network of the swarm only when it is created');
    const answer = await onEngine('connect', attachment.engineNetwork, withAddresses(endpoint, attachment), request, proxy);
    if (answer.status >= 300) await proxy.networks?.detach(attachment.id);
    return passOn(answer);
  } catch (error) {
    await proxy.networks?.detach(attachment.id);
    throw error;
  }
}

type PresentConnection = Connection & { readonly engineNetwork: string; readonly present: JsonObject };

/**
 * A container that does not run is connected to a network that it has: in Docker's swarm the new settings take the place of the old ones (its engines
 * know the network only while the container runs). An address is kept unless another is asked for.
 */
async function changeEndpoint(connection: PresentConnection, request: RouteRequest, proxy: ProxyContext): Promise<RouteResult> {
  const { network, container, engineNetwork, present, endpoint } = connection;
  const held = objectAt(present, 'IPAMConfig');
  const asked = objectAt(endpoint, 'IPAMConfig');
  const isOther = ['IPv4Address', 'IPv6Address'].some((family) => textAt(asked, family) !== '' && textAt(asked, family) !== textAt(held, family));
  const old = await attachmentsOf(network, container, proxy);
  const attachment = isOther ? await attach(proxy, network, container.id, endpoint, request.signal) : undefined;
  const next = attachment ? withAddresses(endpoint, attachment) : { ...endpoint, IPAMConfig: { ...asked, ...held } };
  try {
    const left = await onEngine('disconnect', engineNetwork, undefined, request, proxy);
    const answer = left.status < 300 ? await onEngine('connect', engineNetwork, next, request, proxy) : left;
    const isDone = answer.status < 300;
    if (!isDone && left.status < 300) await onEngine('connect', engineNetwork, present, request, proxy);
    if (attachment) for (const id of isDone ? old : [attachment.id]) await proxy.networks?.detach(id);
    return passOn(answer);
  } catch (error) {
    if (attachment) await proxy.networks?.detach(attachment.id);
    throw error;
  }
}

function onEngine(
  verb: 'connect' | 'disconnect',
  engineNetwork: string,
  endpoint: JsonObject | undefined,
  { apiVersion, body: asked }: RouteRequest,
  { engine }: ProxyContext,
) {
  const body = { Container: textAt(asked, 'Container'), ...(endpoint === undefined ? {} : { EndpointConfig: endpoint }) };
  return engine.exchange({ method: 'POST', path: `/networks/${encodeURIComponent(engineNetwork)}/${verb}`, body, apiVersion });
}

export async function disconnectContainer(given: RouteRequest, proxy: ProxyContext): Promise<RouteResult> {
  const request = { ...given, body: withKeys(given.body, connectKeys) };
  const network = await proxy.networks?.resolve(request.params['id'] ?? '');
  const engineNetwork = network && (await proxy.backing.engineNameOf(network.id));
  if (!network || engineNetwork === undefined) return toEngine();
  const container = await findContainer(textAt(request.body, 'Container'), request, proxy);
  const answer = await proxy.engine.exchange({
    method: 'POST',
    path: `/networks/${encodeURIComponent(engineNetwork)}/disconnect`,
    body: request.body,
    apiVersion: request.apiVersion,
  });
  if (answer.status < 300 && container) await release(network, container, proxy);
  return passOn(answer);
}

interface Container {
  readonly id: string;
  readonly name: string;
  readonly owner: string;
  readonly isRunning: boolean;
  /** By the names of the engine's networks. */
  readonly endpoints: JsonObject;
}

async function findContainer(ref: string, request: RouteRequest, { engine }: ProxyContext): Promise<Container | undefined> {
  if (ref === '') return undefined;
  const answer = await engine.request({ method: 'GET', path: `/containers/${encodeURIComponent(ref)}/json`, signal: request.signal });
  if (answer.status !== 200) return undefined;
  return {
    id: textAt(answer.body, 'Id'),
    name: textAt(answer.body, 'Name').replace(/^\//, ''),
    owner: textAt(objectAt(answer.body, 'Config', 'Labels'), OWNER_LABEL),
    isRunning: objectAt(answer.body, 'State')['Running'] === true,
    endpoints: objectAt(answer.body, 'NetworkSettings', 'Networks'),
  };
}

async function release(network: SwarmNetworkRef, container: Container, proxy: ProxyContext): Promise<void> {
  for (const id of await attachmentsOf(network, container, proxy)) await proxy.networks?.detach(id);
}

async function attachmentsOf(network: SwarmNetworkRef, container: Container, { networks }: ProxyContext): Promise<readonly string[]> {
  const all = (await networks?.attachments()) ?? [];
  return all.filter(({ owner, networkId }) => networkId === network.id && (owner === container.id || owner === container.owner)).map(({ id }) => id);
}
