// Tasks: domain → JSON, as text: lists of ten thousand tasks are asked for every second, and few tasks change between two of them.
import type { Task as WireTask } from '#docker-api/task.ts';
import type { Network, NetworkAttachment, Task } from '#domain/objects.ts';
import type { TaskSpec } from '#domain/spec.ts';
import { memoized, metaToJson, nonEmpty, timeToJson, ZERO_TIME } from './common.ts';
import { networkToSwarmText } from './network.ts';
import { portToJson } from './service.ts';
import { genericResourcesToJson, taskSpecToJson } from './task-spec.ts';

export type NetworkLookup = (networkId: string) => Network | undefined;

interface KnownText {
  readonly text: string;
  readonly networks: readonly (Network | undefined)[];
}

/** The JSON text of a task. It holds the whole of each of its networks, so what is remembered is good only while they are the same. */
export const taskToText: (task: Task, networkOf: NetworkLookup) => string = rememberingTexts();

function rememberingTexts() {
  const known = new WeakMap<Task, KnownText>();
  return (task: Task, networkOf: NetworkLookup): string => {
    const found = known.get(task);
    if (found !== undefined && task.networks.every(({ networkId }, index) => networkOf(networkId) === found.networks[index])) return found.text;
    const networks = task.networks.map(({ networkId }) => networkOf(networkId));
    const text = textOfTask(task, networks);
    known.set(task, { text, networks });
    return text;
  };
}

/** Put together from parts, because tasks share most of theirs: the spec with the tasks of their service, the networks with everybody. */
function textOfTask(task: Task, networks: readonly (Network | undefined)[]): string {
  const attachments = task.networks.map((attachment, index) => attachmentToText(attachment, networks[index]));
  return [
    JSON.stringify({ ...metaToJson(task), Labels: {} } satisfies Partial<WireTask>).slice(0, -1),
    `"Spec":${specToText(task.spec)}`,
    JSON.stringify({
      ServiceID: nonEmpty(task.serviceId),
      Slot: nonEmpty(task.slot),
      NodeID: nonEmpty(task.nodeId),
      Status: statusToJson(task),
      DesiredState: task.desiredState,
    } satisfies Partial<WireTask>).slice(1, -1),
    ...(attachments.length === 0 ? [] : [`"NetworksAttachments":[${attachments.join(',')}]`]),
    JSON.stringify({
      GenericResources: genericResourcesToJson(task.genericResources),
      JobIteration: task.jobIteration === undefined ? undefined : { Index: nonEmpty(task.jobIteration) },
      Volumes: null,
    } satisfies Partial<WireTask>).slice(1),
  ].join(',');
}

const specToText = memoized((spec: TaskSpec) => JSON.stringify(taskSpecToJson(spec, { withRuntime: false })));

function statusToJson({ status }: Task): WireTask['Status'] {
  const { container } = status;
  return {
    Timestamp: timeToJson(status.timestamp),
    State: status.state,
    Message: nonEmpty(status.message),
    Err: nonEmpty(status.error),
    ContainerStatus: container && { ContainerID: container.containerId, PID: container.pid, ExitCode: container.exitCode },
    PortStatus: { Ports: nonEmpty(status.hostPorts?.map(portToJson)) },
  };
}

/** A network that was removed since is still named by its id. */
function attachmentToText({ networkId, addresses }: NetworkAttachment, network: Network | undefined): string {
  const networkText =
    network === undefined
      ? JSON.stringify({ ID: networkId, Version: {}, CreatedAt: ZERO_TIME, UpdatedAt: ZERO_TIME, Spec: { Labels: {} }, DriverState: {} })
      : networkToSwarmText(network);
  const addressText = addresses.length === 0 ? '' : `,"Addresses":${JSON.stringify(addresses)}`;
  return `{"Network":${networkText}${addressText}}`;
}
