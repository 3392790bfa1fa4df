// The engine's routes that cannot go through untouched: an older engine would misread the request, or it names a swarm network.
import type { EngineLink } from '../engine-connection.ts';
import type { Route } from '../route.ts';
import type { ContainerNetworks } from './container-networks.ts';

export function containerRoutes(_options: { readonly engine: EngineLink; readonly containerNetworks: ContainerNetworks | undefined }): readonly Route[] {
  return [];
}
