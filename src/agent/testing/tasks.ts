// Tasks for tests, with as little in them as possible.
import type { NodeDescription, Task } from '#domain/objects.ts';
import type { ContainerSpec, PortConfig } from '#domain/spec.ts';
import type { AssignedTask } from '#protocol/messages.ts';

export const testDescription: NodeDescription = {
  hostname: 'node-1',
  dataPathAddress: '10.0.0.1',
  platform: { architecture: 'x86_64', os: 'linux' },
  resources: { nanoCpus: 2e9, memoryBytes: 2 ** 30 },
  engine: { version: '20.10.24', labels: {}, plugins: [] },
};

export function testTask(
  id: string,
  { container, ports, ...changes }: Partial<Task> & { readonly container?: Partial<ContainerSpec>; readonly ports?: readonly PortConfig[] } = {},
): Task {
  return {
    kind: 'task',
    id,
    version: 1,
    createdAt: 0,
    updatedAt: 0,
    serviceId: 'service-1',
    slot: 1,
    nodeId: 'node-1',
    spec: { runtime: { kind: 'container', container: { image: 'busybox', ...container } }, forceUpdate: 0 },
    serviceName: 'web',
    serviceLabels: {},
    status: { state: 'assigned', timestamp: 0, message: 'scheduler assigned task to node' },
    desiredState: 'running',
    networks: [],
    ...(ports === undefined ? {} : { endpoint: { ports } }),
    ...changes,
  };
}

export function testAssignment(id: string, changes: Parameters<typeof testTask>[1] = {}): AssignedTask {
  return { task: testTask(id, changes), serviceLabels: {}, networks: [] };
}
