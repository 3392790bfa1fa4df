// Small valid objects for tests of the store and its engines.
import type { Service, Task } from '#domain/objects.ts';

const meta = { version: 0, createdAt: 0, updatedAt: 0 };

export function makeService(id: string, fields: Partial<Omit<Service, 'spec'>> & { readonly name?: string } = {}): Service {
  const { name = `service-${id}`, ...rest } = fields;
  return {
    ...meta,
    id,
    kind: 'service',
    spec: {
      name,
      labels: {},
      mode: { kind: 'replicated', replicas: 1 },
      task: { runtime: { kind: 'container', container: { image: 'busybox' } }, forceUpdate: 0 },
    },
    specVersion: 0,
    ...rest,
  };
}

export function makeTask(id: string, fields: Partial<Task> = {}): Task {
  return {
    ...meta,
    id,
    kind: 'task',
    serviceId: 'web',
    slot: 1,
    spec: { runtime: { kind: 'container', container: { image: 'busybox' } }, forceUpdate: 0 },
    serviceName: 'web',
    serviceLabels: {},
    status: { state: 'new', timestamp: 1, message: 'created' },
    desiredState: 'running',
    networks: [],
    ...fields,
  };
}
