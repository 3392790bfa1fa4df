// The engine's routes that cannot go through untouched: an older engine would misread the request, or it names a swarm network.
import type { EngineLink } from '#engine-link/connection.ts';
import type { Route } from '../route.ts';
import type { AttachmentKeeper } from './attachments.ts';
import type { BackingNetworks } from './backing-networks.ts';
import { connectContainer, disconnectContainer } from './connect-network.ts';
import type { ContainerNetworks } from './container-networks.ts';
import { inspectContainer, listContainers } from './container-views.ts';
import { createContainer } from './create-container.ts';
import { restartContainer, stopContainer } from './stop-signal.ts';
import { pruneVolumes } from './volume-prune.ts';

export interface ProxyContext {
  readonly engine: EngineLink;
  readonly backing: BackingNetworks;
  /** Undefined where plain containers cannot join swarm networks. */
  readonly networks: ContainerNetworks | undefined;
  readonly keeper: AttachmentKeeper | undefined;
}

export function containerRoutes(proxy: ProxyContext): readonly Route[] {
  return [
    { method: 'POST', path: '/containers/create', handler: (request) => createContainer(request, proxy) },
    { method: 'GET', path: '/containers/json', handler: (request) => listContainers(request, proxy) },
    { method: 'GET', path: '/containers/{id}/json', handler: (request) => inspectContainer(request, proxy) },
    // These two have no body by contract, but clients send one.
    { method: 'POST', path: '/containers/{id}/stop', body: 'raw', handler: (request) => stopContainer(request, proxy.engine) },
    { method: 'POST', path: '/containers/{id}/restart', body: 'raw', handler: (request) => restartContainer(request, proxy.engine) },
    { method: 'POST', path: '/networks/{id}/connect', handler: (request) => connectContainer(request, proxy) },
    { method: 'POST', path: '/networks/{id}/disconnect', handler: (request) => disconnectContainer(request, proxy) },
    { method: 'POST', path: '/volumes/prune', body: 'raw', handler: (request) => pruneVolumes(request, proxy.engine) },
  ];
}
