// `POST /networks/{id}/connect` and `/disconnect` for swarm networks: an address from the swarm, and its release.
import { AppError } from '#lib/errors.ts';
import { type RouteRequest, type RouteResult, toEngine } from '../route.ts';
import { isNamespace, OWNER_LABEL, type SwarmNetworkRef } from './container-networks.ts';
import type { ProxyContext } from './container-routes.ts';
import { attach, passOn, withAddresses } from './create-container.ts';
import { isObject, objectAt, textAt } from './json-object.ts';
import { refuseLostMacAddress } from './translate.ts';

export async function connectContainer(request: RouteRequest, proxy: ProxyContext): Promise<RouteResult> {
  const endpoint = objectAt(request.body, 'EndpointConfig');
  const { apiVersion } = await proxy.engine.facts(request.signal);
  refuseLostMacAddress(endpoint, { client: request.apiVersion, engine: apiVersion });
  const network = await proxy.networks?.resolve(request.params['id'] ?? '');
  if (!network || !isObject(request.body)) return toEngine();
  const container = await findContainer(textAt(request.body, 'Container'), request, proxy);
  // The engine says in its own words that there is no such container.
  if (!container) return toEngine();
  const { body } = request;
  const work = async (): Promise<RouteResult> => {
    const attachment = await attach(proxy, network, container.id, endpoint, request.signal);
    try {
      if (isNamespace(attachment))
        throw new AppError('unimplemented', 'a container of a Podman node can be put on a network of the swarm only when it is created');
      const answer = await proxy.engine.exchange({
        method: 'POST',
        path: `/networks/${encodeURIComponent(attachment.engineNetwork)}/connect`,
        body: { ...body, EndpointConfig: withAddresses(endpoint, attachment) },
        apiVersion: request.apiVersion,
      });
      if (answer.status >= 300) await proxy.networks?.detach(attachment.id);
      return passOn(answer);
    } catch (error) {
      await proxy.networks?.detach(attachment.id);
      throw error;
    }
  };
  return proxy.keeper ? await proxy.keeper.hold(container.id, work) : await work();
}

export async function disconnectContainer(request: RouteRequest, proxy: ProxyContext): Promise<RouteResult> {
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
  readonly owner: string;
}

async function findContainer(ref: string, request: RouteRequest, { engine }: ProxyContext): Promise<Container | undefined> {
  if (ref === '') return undefined;
  const answer = await engine.request({ method: 'GET', path: `/containers/${encodeURIComponent(ref)}/json`, signal: request.signal });
  if (answer.status !== 200) return undefined;
  return { id: textAt(answer.body, 'Id'), owner: textAt(objectAt(answer.body, 'Config', 'Labels'), OWNER_LABEL) };
}

async function release(network: SwarmNetworkRef, container: Container, { networks }: ProxyContext): Promise<void> {
  for (const { id, owner, networkId } of (await networks?.attachments()) ?? [])
    if (networkId === network.id && (owner === container.id || owner === container.owner)) await networks?.detach(id);
}
