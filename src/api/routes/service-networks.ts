// Networks that a service's spec names but the swarm does not know. Only the engine can tell whether the user meant one of its own, which
// services cannot use; everything else about a spec's networks is the use case's business.
import type { NetworkControl } from '#control/control.ts';
import type { NetworkResource } from '#docker-api/network.ts';
import type { ServiceSpec } from '#docker-api/service-spec.ts';
import { reservedNetworkNames } from '#domain/predefined-network.ts';
import { AppError } from '#lib/errors.ts';
import type { RouteContext, RouteRequest } from '../route.ts';
import { isBacking } from './engine-networks.ts';

/** Throws AppError `permissionDenied` when a target is a network of this engine only. */
export async function refuseLocalNetworks(spec: ServiceSpec, networks: NetworkControl, request: RouteRequest, { engine }: RouteContext): Promise<void> {
  const attachments = spec.TaskTemplate?.Networks?.length ? spec.TaskTemplate.Networks : (spec.Networks ?? []);
  for (const { Target: target = '' } of attachments) {
    if (target === '' || reservedNetworkNames.includes(target) || networks.find(target) !== undefined) continue;
    const answer = await engine.request({ method: 'GET', path: `/networks/${encodeURIComponent(target)}`, signal: request.signal });
    const local = answer.status === 200 ? (answer.body as NetworkResource) : undefined;
    if (local === undefined || isBacking(local) || reservedNetworkNames.includes(local.Name)) continue;
    throw new AppError(
      'permissionDenied',
      `The network ${local.Name} cannot be used with services. Only networks scoped to the swarm can be used, such as those created with the overlay driver.`,
    );
  }
}
