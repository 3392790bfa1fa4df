// The labels by which containers and networks of a swarm are known: Swarm's own, so that tools find them, and ours.
import type { Task } from '#domain/objects.ts';
import type { Labels } from '#domain/spec.ts';
import { taskName } from '#domain/task-name.ts';

export const taskIdLabel = 'com.docker.swarm.task.id';
/** Which skepd made it: several may share an engine. */
export const instanceLabel = 'com.docker.skep.instance';
/** On a network: the swarm network that it stands for. */
export const networkLabel = 'com.docker.skep.network';
/** On a container: ids of the swarm networks that it is attached to, comma-separated. */
export const networksLabel = 'com.docker.skep.networks';

/** On a container in a namespace of ours: its host-mode ports as JSON, and the health check that we run, because the engine knows neither. */
export const hostPortsLabel = 'com.docker.skep.host-ports';
export const healthCheckLabel = 'com.docker.skep.health-check';

/** Docker's own (daemon/cluster/executor/container/container.go, labels): system labels win over the user's. */
export function taskLabels(task: Task, instance: string): Labels {
  return {
    'com.docker.swarm.task': '',
    [taskIdLabel]: task.id,
    'com.docker.swarm.task.name': taskName(task),
    'com.docker.swarm.node.id': task.nodeId ?? '',
    'com.docker.swarm.service.id': task.serviceId ?? '',
    'com.docker.swarm.service.name': task.serviceName,
    [instanceLabel]: instance,
    ...(task.networks.length === 0 ? {} : { [networksLabel]: task.networks.map(({ networkId }) => networkId).join(',') }),
  };
}
