// Networks that a service's spec names but the swarm does not know. Only the engine can tell whether the user meant one of its own; everything
// else about a spec's networks is the use case's business.
import type { NetworkControl } from '#control/control.ts';
import type { NetworkResource } from '#docker-api/network.ts';
import type { NetworkAttachmentConfig, ServiceSpec } from '#docker-api/service-spec.ts';
import { reservedNetworkNames } from '#domain/predefined-network.ts';
import { AppError } from '#lib/errors.ts';
import type { RouteContext, RouteRequest } from '../route.ts';
import { isBacking } from './engine-networks.ts';

/**
 * The spec with the engine's predefined networks (bridge, host, none) under their names, by which the swarm knows its stand-ins for them.
 * Throws AppError `permissionDenied` when a target is another network of this engine: services cannot use it.
 */
export async function withoutLocalNetworks(spec: ServiceSpec, networks: NetworkControl, request: RouteRequest, context: RouteContext): Promise<ServiceSpec> {
  const { TaskTemplate: task } = spec;
  const resolve = (attachment: NetworkAttachmentConfig) => resolveTarget(attachment, networks, request, context);
  if (task?.Networks?.length) return { ...spec, TaskTemplate: { ...task, Networks: await Promise.all(task.Networks.map(resolve)) } };
  return spec.Networks?.length ? { ...spec, Networks: await Promise.all(spec.Networks.map(resolve)) } : spec;
}

async function resolveTarget(
  attachment: NetworkAttachmentConfig,
  networks: NetworkControl,
  request: RouteRequest,
  { engine }: RouteContext,
): Promise<NetworkAttachmentConfig> {
  const { Target: target = '' } = attachment;
  if (target === '' || reservedNetworkNames.includes(target) || networks.find(target) !== undefined) return attachment;
  const answer = await engine.request({ method: 'GET', path: `/networks/${encodeURIComponent(target)}`, signal: request.signal });
  const local = answer.status === 200 ? (answer.body as NetworkResource) : undefined;
  if (local === undefined || isBacking(local)) return attachment;
  if (reservedNetworkNames.includes(local.Name)) return { ...attachment, Target: local.Name };
  throw new AppError(
    'permissionDenied',
    `The network ${local.Name} cannot be used with services. Only networks scoped to the swarm can be used, such as those created with the overlay driver.`,
  );
}
