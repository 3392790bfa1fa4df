// What `docker network inspect` shows of a swarm network beyond the network itself: containers on this node, nodes and services on it.
import type { Control } from '#control/control.ts';
import type { NetworkEndpoint, NetworkResource, NetworkServiceInfo } from '#docker-api/network.ts';
import type { Network, Task } from '#domain/objects.ts';
import { taskName } from '#domain/task-name.ts';
import { familyOf } from '#lib/ip.ts';
import type { NetworkDetails } from '../convert/network.ts';
import type { RouteContext, RouteRequest } from '../route.ts';

/** Docker's peers have short names of their own; the beginning of the node's id serves as one. */
const PEER_NAME_LENGTH = 12;

/** Nothing but the network itself where it is not in use on this node (`localId` undefined), as in Docker. */
export async function networkDetails(
  network: Network,
  localId: string | undefined,
  verbose: boolean,
  request: RouteRequest,
  context: RouteContext,
): Promise<NetworkDetails> {
  if (localId === undefined) return {};
  const control = context.membership.control();
  const tasks = runningTasksOn(network, control);
  return {
    containers: await containersOf(localId, request, context),
    peers: peersOf(tasks, control),
    services: verbose ? servicesOf(network, tasks, control) : undefined,
  };
}

function runningTasksOn(network: Network, { tasks }: Control): readonly Task[] {
  return tasks.list({}).filter((task) => task.status.state === 'running' && task.networks.some(({ networkId }) => networkId === network.id));
}

async function containersOf(localId: string, request: RouteRequest, { engine }: RouteContext): Promise<Readonly<Record<string, NetworkEndpoint>>> {
  const answer = await engine.request({ method: 'GET', path: `/networks/${localId}`, signal: request.signal });
  return answer.status === 200 ? ((answer.body as NetworkResource).Containers ?? {}) : {};
}

function peersOf(tasks: readonly Task[], { nodes }: Control): NetworkDetails['peers'] {
  const nodeIds = new Set(tasks.map((task) => task.nodeId));
  return nodes
    .list({})
    .filter((node) => nodeIds.has(node.id))
    .map((node) => ({ Name: node.id.slice(0, PEER_NAME_LENGTH), IP: node.description?.dataPathAddress || node.status.address }));
}

function servicesOf(network: Network, tasks: readonly Task[], control: Control): Readonly<Record<string, NetworkServiceInfo>> {
  const addressOfNode = new Map(control.nodes.list({}).map((node) => [node.id, node.status.address]));
  const entries = control.services.list({}).flatMap((service): [string, NetworkServiceInfo][] => {
    const vip = service.endpoint?.virtualIps.find(({ networkId }) => networkId === network.id);
    const members = tasks.filter((task) => task.serviceId === service.id);
    if (vip === undefined && members.length === 0) return [];
    const info: NetworkServiceInfo = {
      // Docker 28 writes "<nil>" where there is none, which clients that read an address cannot.
      VIP: vip === undefined ? '' : bareAddress(vip.address),
      VIPv6: vip?.address6 && bareAddress(vip.address6),
      Ports: (service.endpoint?.ports ?? []).map((port) => `Target: ${port.targetPort}, Publish: ${port.publishedPort ?? 0}`),
      LocalLBIndex: 0,
      Tasks: members.map((task) => ({
        Name: taskName(task),
        EndpointID: task.id,
        EndpointIP: addressIn(network, task, 4) ?? '',
        EndpointIPv6: addressIn(network, task, 6),
        Info: { 'Host IP': addressOfNode.get(task.nodeId ?? '') ?? '' },
      })),
    };
    return [[service.spec.name, info]];
  });
  return Object.fromEntries(entries);
}

function addressIn(network: Network, task: Task, family: 4 | 6): string | undefined {
  const addresses = task.networks.find(({ networkId }) => networkId === network.id)?.addresses ?? [];
  const address = addresses.find((candidate) => familyOf(candidate) === family);
  return address && bareAddress(address);
}

function bareAddress(address: string): string {
  return address.split('/')[0] ?? '';
}
