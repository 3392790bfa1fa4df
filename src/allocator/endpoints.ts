// A service's endpoint: a virtual IP on each of its networks, and the ports that it publishes. All or nothing: what cannot be had in whole changes
// nothing and is told to the service's tasks.
import { ingressPortClaim } from '#domain/claims.ts';
import type { Endpoint, Service, VirtualIp } from '#domain/objects.ts';
import type { PortConfig } from '#domain/spec.ts';
import type { View } from '#domain/view.ts';
import { familyOf } from '#lib/ip.ts';
import type { Round } from './round.ts';

/** SwarmKit's range for ports that the user leaves open. */
const FIRST_DYNAMIC_PORT = 30_000;
const LAST_DYNAMIC_PORT = 32_767;
const HIGHEST_PORT = 65_535;

export type EndpointResult = { readonly endpoint: Endpoint } | { readonly error: string };

/** The endpoint that the service should have; what it has already, it keeps. */
export function allocateEndpoint(round: Round, service: Service): EndpointResult {
  const ports = allocatePorts(round, service);
  if ('error' in ports) return ports;
  const vips = allocateVirtualIps(round, service);
  if ('error' in vips) {
    for (const claim of ports.taken) round.takenPorts.delete(claim);
    return vips;
  }
  return { endpoint: { spec: service.spec.endpoint ?? {}, ports: ports.ports, virtualIps: vips.virtualIps } };
}

/** Whether a port of its own was asked for: such services go first, so that no dynamic port is in their way. */
export function asksForPort(service: Service): boolean {
  return (service.spec.endpoint?.ports ?? []).some((port) => port.publishMode === 'ingress' && port.publishedPort);
}

type Ports = { readonly ports: readonly PortConfig[]; readonly taken: readonly string[] } | { readonly error: string };

function allocatePorts(round: Round, service: Service): Ports {
  const wanted = service.spec.endpoint?.ports ?? [];
  const taken: string[] = [];
  const ports: PortConfig[] = [];
  const own = new Set(
    wanted.filter((port) => port.publishMode === 'ingress' && port.publishedPort).map((port) => ingressPortClaim(port.protocol, port.publishedPort ?? 0)),
  );
  // What the user names now is not a number to be found again for a port that is left open.
  const previous = (service.endpoint?.ports ?? []).filter((port) => !own.has(ingressPortClaim(port.protocol, port.publishedPort ?? 0)));
  const fail = (error: string) => {
    for (const claim of taken) round.takenPorts.delete(claim);
    return { error };
  };
  for (const port of wanted) {
    // Docker takes any number at the create, and then holds up the service's tasks without a word.
    const tooHigh = [port.targetPort, port.publishedPort ?? 0].find((number) => number > HIGHEST_PORT);
    if (tooHigh !== undefined) return fail(`port '${tooHigh}' is out of range: the highest is ${HIGHEST_PORT}`);
    if (port.publishMode === 'host') {
      ports.push(port);
      continue;
    }
    const publishedPort = port.publishedPort || (stickyPort(round, service, port, previous) ?? freePort(round, port.protocol, own));
    if (publishedPort === undefined) return fail(`no free ${port.protocol} port between ${FIRST_DYNAMIC_PORT} and ${LAST_DYNAMIC_PORT}`);
    const claim = ingressPortClaim(port.protocol, publishedPort);
    const holder = round.view.claimant(claim);
    if ((holder !== undefined && holder.id !== service.id) || round.takenPorts.has(claim)) return fail(portInUse(round.view, publishedPort, holder?.id));
    round.takenPorts.add(claim);
    taken.push(claim);
    ports.push({ ...port, publishedPort });
  }
  return { ports, taken };
}

/** The number that the same port had before, if the user still leaves it open. */
function stickyPort(round: Round, service: Service, port: PortConfig, previous: PortConfig[]): number | undefined {
  const at = previous.findIndex(
    (old) => old.publishMode === 'ingress' && old.name === port.name && old.protocol === port.protocol && old.targetPort === port.targetPort,
  );
  const [old] = at < 0 ? [] : previous.splice(at, 1);
  if (!old?.publishedPort) return undefined;
  const claim = ingressPortClaim(old.protocol, old.publishedPort);
  return round.view.claimant(claim)?.id === service.id && !round.takenPorts.has(claim) ? old.publishedPort : undefined;
}

function freePort(round: Round, protocol: PortConfig['protocol'], own: ReadonlySet<string>): number | undefined {
  for (let port = FIRST_DYNAMIC_PORT; port <= LAST_DYNAMIC_PORT; port++) {
    const claim = ingressPortClaim(protocol, port);
    if (!round.takenPorts.has(claim) && !own.has(claim) && round.view.claimant(claim) === undefined) return port;
  }
  return undefined;
}

/** SwarmKit's words, which a user gets on create when the clash is seen in time. */
function portInUse(view: View, port: number, holderId: string | undefined): string {
  const holder = holderId === undefined ? undefined : view.get('service', holderId);
  return holder === undefined
    ? `port '${port}' is already in use as an ingress port`
    : `port '${port}' is already in use by service '${holder.spec.name}' (${holder.id}) as an ingress port`;
}

type VirtualIps = { readonly virtualIps: readonly VirtualIp[] } | { readonly error: string };

function allocateVirtualIps(round: Round, service: Service): VirtualIps {
  const networkIds = vipNetworks(round, service);
  if ('error' in networkIds) return networkIds;
  const virtualIps: VirtualIp[] = [];
  const taken: { readonly networkId: string; readonly address: string }[] = [];
  const take = (networkId: string, family: 4 | 6) => {
    const address = round.addresses(networkId, family)?.take();
    if (address !== undefined) taken.push({ networkId, address });
    return address;
  };
  for (const networkId of networkIds.ids) {
    const kept = service.endpoint?.virtualIps.find((vip) => vip.networkId === networkId);
    const address = kept?.address ?? take(networkId, 4);
    // The routing mesh works without an address of the ingress network: that there is none left must not hold up anything.
    if (address === undefined && round.network(networkId)?.spec.ingress) continue;
    const needs6 = round.addresses(networkId, 6) !== undefined;
    const address6 = kept?.address6 ?? (needs6 ? take(networkId, 6) : undefined);
    if (address === undefined || (needs6 && address6 === undefined)) {
      for (const vip of taken) round.addresses(vip.networkId, familyOf(vip.address))?.giveBack(vip.address);
      return { error: 'could not find an available IP while allocating VIP' };
    }
    virtualIps.push({ networkId, address, ...(address6 === undefined ? {} : { address6 }) });
  }
  return { virtualIps };
}

/** Networks that the service needs a virtual IP on: the ingress network first if it publishes there, then its own. */
function vipNetworks(round: Round, service: Service): { readonly ids: readonly string[] } | { readonly error: string } {
  const { endpoint, task, networks } = service.spec;
  const attachments = task.networks ?? networks ?? [];
  const ids: string[] = [];
  if (endpoint?.mode !== 'dnsrr' && (endpoint?.ports ?? []).some((port) => port.publishMode === 'ingress')) {
    const ingress = round.view.claimant('network/ingress');
    if (ingress && round.addresses(ingress.id)) ids.push(ingress.id);
  }
  for (const { target } of attachments) {
    const problem = networkProblem(round, target);
    if (problem !== undefined) return { error: problem };
    const isOverlay = round.network(target)?.state?.vxlanId !== undefined;
    if (endpoint?.mode !== 'dnsrr' && isOverlay && !ids.includes(target)) ids.push(target);
  }
  return { ids };
}

/** Why nothing can be attached to a network yet, if so. */
export function networkProblem(round: Round, networkId: string): string | undefined {
  const network = round.network(networkId);
  if (network === undefined) return `network ${networkId} not found`;
  if (network.state !== undefined) return undefined;
  return network.allocationError === undefined
    ? `network ${network.spec.name} is not allocated yet`
    : `network ${network.spec.name} could not be allocated: ${network.allocationError}`;
}
