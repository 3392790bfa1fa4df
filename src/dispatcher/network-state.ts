// Derives what every node must program from one version of the store: who has which address, which tasks may get traffic, which ports
// are published. Pure; the dispatcher decides when to derive and to whom to send.
import type { Network, Service, StoreObject, Task } from '#domain/objects.ts';
import { wantsEncryption } from '#domain/encrypted.ts';
import { equalSpecs } from '#lib/equal.ts';
import { taskName } from '#domain/task-name.ts';
import { isTerminal, taskStateRank } from '#domain/task-state.ts';
import type { StoreEvent, View } from '#domain/view.ts';
import { familyOf, withoutPrefix } from '#lib/ip.ts';
import type { ClusterNetworkState, IngressPort, NetworkEndpoint, NetworkNode, NetworkService, OverlayNetwork } from '#protocol/network-state.ts';

/** The same for all nodes; `stateForNode` cuts out a node's part. */
export interface SharedNetworkState {
  readonly version: number;
  readonly nodes: readonly NetworkNode[];
  readonly networks: ReadonlyMap<string, OverlayNetwork>;
  readonly servicesByNetwork: ReadonlyMap<string, readonly NetworkService[]>;
  readonly ingress: readonly IngressPort[];
  /** Networks that a node has endpoints on. */
  readonly networkIdsByNode: ReadonlyMap<string, ReadonlySet<string>>;
}

/** May the task get traffic? Running, ready to serve, not on its way out, on a node that is not known to be gone. */
export function isBackend(view: View, task: Task): boolean {
  return (
    task.status.state === 'running' &&
    task.status.serving !== false &&
    (task.desiredState === 'running' || task.desiredState === 'complete') &&
    task.nodeId !== undefined &&
    view.get('node', task.nodeId)?.status.state !== 'down'
  );
}

/** Does the task own its addresses on a node now? */
function isEndpoint(task: Task): boolean {
  return task.nodeId !== undefined && taskStateRank[task.status.state] >= taskStateRank.assigned && !isTerminal(task.status.state);
}

/** False when an event cannot have changed what is derived here: most status reports. */
export function touchesNetworkState(event: StoreEvent): boolean {
  const { object } = event;
  if (event.action !== 'update') return object.kind === 'task' || object.kind === 'service' || object.kind === 'network' || object.kind === 'node';
  return facts(object) !== facts(event.previous);
}

/** The part of an object that the network state is made of, as something that can be compared. */
function facts(object: StoreObject): unknown {
  switch (object.kind) {
    case 'task':
      return `${isEndpoint(object)} ${object.status.state === 'running'} ${object.status.serving} ${object.desiredState} ${object.nodeId} ${JSON.stringify(object.networks)}`;
    case 'node':
      return `${object.status.state === 'down'} ${object.description?.dataPathAddress} ${JSON.stringify(object.description?.encryption)} ${object.description?.publishes6} ${object.index}`;
    case 'service':
      return `${object.spec.name} ${JSON.stringify(object.endpoint)} ${JSON.stringify(object.spec.task.networks)}`;
    case 'network':
      return JSON.stringify([object.state?.vxlanId, object.state?.pools, object.spec]);
    case 'cluster':
    case 'secret':
    case 'config':
      return '';
  }
}

export function deriveNetworkState(view: View): SharedNetworkState {
  const endpoints = new Map<string, NetworkEndpoint[]>();
  const networkIdsByNode = new Map<string, Set<string>>();
  for (const task of view.list('task')) {
    if (!isEndpoint(task) || task.nodeId === undefined) continue;
    for (const { networkId } of task.networks) group(networkIdsByNode, task.nodeId, () => new Set<string>()).add(networkId);
    for (const { networkId, endpoint } of endpointsOf(task)) group(endpoints, networkId, () => []).push(endpoint);
  }
  const servicesByNetwork = new Map<string, NetworkService[]>();
  const ingress: IngressPort[] = [];
  for (const service of view.list('service')) {
    const part = partOf(
      service,
      [...view.tasksOfService(service.id)].filter((task) => isBackend(view, task)),
    );
    for (const entry of part.entries) group(servicesByNetwork, entry.networkId, () => []).push(entry);
    ingress.push(...part.ports);
  }
  return { version: view.revision, nodes: networkNodes(view), networks: overlays(view, endpoints), servicesByNetwork, ingress, networkIdsByNode };
}

/** The part of the state that a node needs, with the version it was derived from. */
export function stateForNode(shared: SharedNetworkState, nodeId: string): ClusterNetworkState {
  const networkIds = [...(shared.networkIdsByNode.get(nodeId) ?? [])].filter((id) => shared.networks.has(id)).sort();
  return {
    version: shared.version,
    nodes: shared.nodes,
    networks: networkIds.flatMap((id) => shared.networks.get(id) ?? []),
    services: networkIds.flatMap((id) => shared.servicesByNetwork.get(id) ?? []),
    ingress: shared.ingress,
  };
}

/** Equal contents, whatever the version. What did not change is mostly the very same object. */
export function sameContent(a: ClusterNetworkState, b: ClusterNetworkState): boolean {
  return equalSpecs({ ...a, version: 0 }, { ...b, version: 0 });
}

interface TaskEndpoint {
  readonly networkId: string;
  readonly endpoint: NetworkEndpoint;
}

const knownEndpoints = new WeakMap<Task, readonly TaskEndpoint[]>();

/** Made once for a task: stored objects never change, and the state is derived anew for every change of any of them. */
function endpointsOf(task: Task): readonly TaskEndpoint[] {
  const known = knownEndpoints.get(task);
  if (known !== undefined) return known;
  const names = namesOf(task);
  const made = task.networks.flatMap(({ networkId, addresses }) =>
    pairsOf(addresses).map((pair) => ({ networkId, endpoint: { taskId: task.id, nodeId: task.nodeId ?? '', ...pair, names } })),
  );
  knownEndpoints.set(task, made);
  return made;
}

interface ServicePart {
  readonly backends: readonly Task[];
  readonly entries: readonly NetworkService[];
  readonly ports: readonly IngressPort[];
}

const knownParts = new WeakMap<Service, ServicePart>();

/** Made again only when the service or a backend of it is another object. */
function partOf(service: Service, backends: readonly Task[]): ServicePart {
  const known = knownParts.get(service);
  if (known !== undefined && known.backends.length === backends.length && backends.every((task, index) => task === known.backends[index])) return known;
  const made = { backends, entries: servicesOnNetworks(service, backends), ports: ingressPorts(service, backends) };
  knownParts.set(service, made);
  return made;
}

/** What the user asked for with `--opt com.docker.network.driver.mtu=…`, the option of Docker's own drivers. */
export function mtuOf({ spec, state }: Network): number | undefined {
  const option = 'com.docker.network.driver.mtu';
  const mtu = Number(state?.driver.options?.[option] ?? spec.driver?.options?.[option]);
  return Number.isInteger(mtu) && mtu > 0 ? mtu : undefined;
}

function networkNodes(view: View): NetworkNode[] {
  return [...view.list('node')].flatMap(({ id, index, description, status }) => {
    if (description === undefined) return [];
    const { dataPathAddress, encryption, publishes6 } = description;
    const end = encryption && {
      publicKey: encryption.publicKey,
      endpoint: `${familyOf(dataPathAddress) === 6 ? `[${dataPathAddress}]` : dataPathAddress}:${encryption.port}`,
    };
    const more = { ...(end === undefined ? {} : { encryption: end }), ...(status.state === 'down' ? { down: true as const } : {}) };
    return [{ nodeId: id, index, dataPathAddress, ...more, ...(publishes6 ? { publishes6 } : {}) }];
  });
}

function overlays(view: View, endpoints: ReadonlyMap<string, readonly NetworkEndpoint[]>): Map<string, OverlayNetwork> {
  const networks = new Map<string, OverlayNetwork>();
  for (const network of view.list('network')) {
    const { id, spec, state } = network;
    if (state?.vxlanId === undefined) continue;
    const mtu = mtuOf(network);
    networks.set(id, {
      networkId: id,
      name: spec.name,
      vxlanId: state.vxlanId,
      subnets: state.pools.map(({ subnet, gateway }) => ({ subnet, gateway })),
      internal: spec.internal,
      attachable: spec.attachable,
      ...(mtu === undefined ? {} : { mtu }),
      encrypted: wantsEncryption(spec.driver),
      endpoints: endpoints.get(id) ?? [],
    });
  }
  return networks;
}

function servicesOnNetworks(service: Service, backends: readonly Task[]): NetworkService[] {
  const attachments = service.spec.task.networks ?? service.spec.networks ?? [];
  return attachments.map(({ target: networkId, aliases }) => {
    const vip = service.endpoint?.virtualIps.find((candidate) => candidate.networkId === networkId);
    return {
      serviceId: service.id,
      networkId,
      name: service.spec.name,
      aliases: aliases ?? [],
      ...(vip === undefined ? {} : { virtualIp: withoutPrefix(vip.address) }),
      ...(vip?.address6 === undefined ? {} : { virtualIp6: withoutPrefix(vip.address6) }),
      backends: backends.flatMap((task) =>
        task.networks
          .filter((attachment) => attachment.networkId === networkId)
          .flatMap(({ addresses }) => pairsOf(addresses).map((pair) => ({ taskId: task.id, nodeId: task.nodeId ?? '', ...pair }))),
      ),
    };
  });
}

function ingressPorts(service: Service, backends: readonly Task[]): IngressPort[] {
  return (service.endpoint?.ports ?? []).flatMap((port) =>
    port.publishMode !== 'ingress' || !port.publishedPort
      ? []
      : [
          {
            serviceId: service.id,
            protocol: port.protocol,
            publishedPort: port.publishedPort,
            targetPort: port.targetPort,
            backends: backends.map((task) => ({ taskId: task.id, nodeId: task.nodeId ?? '' })),
          },
        ],
  );
}

function namesOf(task: Task): string[] {
  if (task.spec.runtime.kind !== 'container') return [];
  const { hostname } = task.spec.runtime.container;
  // A templated hostname is known only to the node that expands it.
  return hostname === undefined || hostname === '' || hostname.includes('{{') ? [taskName(task)] : [taskName(task), hostname];
}

/** An attachment's addresses, the one of IPv6 with the one of IPv4: they belong to one interface. */
function pairsOf(addresses: readonly string[]): readonly { readonly address: string; readonly address6?: string }[] {
  const address6 = addresses.find((address) => familyOf(address) === 6);
  return addresses
    .filter((address) => familyOf(address) === 4)
    .map((address, index) => ({ address: withoutPrefix(address), ...(address6 === undefined || index > 0 ? {} : { address6: withoutPrefix(address6) }) }));
}

function group<V>(map: Map<string, V>, key: string, make: () => V): V {
  let value = map.get(key);
  if (value === undefined) {
    value = make();
    map.set(key, value);
  }
  return value;
}
