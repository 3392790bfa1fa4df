// Pieces that tests of the server share: a membership outside of any swarm, or one whose events a test sends.
import type { SwarmInfo, SwarmMembership } from '#control/control.ts';
import type { Node, Service, UpdateStatus } from '#domain/objects.ts';
import type { StoreEvent } from '#domain/view.ts';
import { AppError } from '#lib/errors.ts';

export const NOT_A_MANAGER = 'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.';

export interface TestMembership extends SwarmMembership {
  emit(...events: readonly StoreEvent[]): void;
}

const refuse = () => {
  throw new AppError('unavailable', NOT_A_MANAGER);
};
const reject = () => Promise.reject(new AppError('unavailable', NOT_A_MANAGER));

/** What a daemon is that has never been in a swarm; `info` may say otherwise. */
export function createTestMembership(info: Partial<SwarmInfo> = {}): TestMembership {
  const listeners = new Set<(events: readonly StoreEvent[]) => void>();
  return {
    nodeId: () => '',
    info: () => ({ nodeId: '', nodeAddress: '', state: 'inactive', controlAvailable: false, error: '', remoteManagers: [], warnings: [], ...info }),
    control: refuse,
    init: reject,
    join: reject,
    leave: reject,
    unlock: reject,
    backup: reject,
    restore: reject,
    onEvents(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    logs: refuse,
    goneTask: () => undefined,
    goneContainer: async () => undefined,
    emit(...events) {
      for (const listener of listeners) listener(events);
    },
  };
}

interface ServiceFields {
  readonly id?: string;
  readonly image?: string;
  readonly replicas?: number;
  readonly updateState?: UpdateStatus['state'];
  readonly createdAt?: number;
  readonly updatedAt?: number;
}

/** A service "web". */
export function aService({ id = 'service1', image = 'a:1', replicas = 1, updateState, createdAt = 0, updatedAt = 0 }: ServiceFields): Service {
  return {
    kind: 'service',
    id,
    version: 1,
    createdAt,
    updatedAt,
    specVersion: 1,
    spec: {
      name: 'web',
      labels: {},
      mode: { kind: 'replicated', replicas },
      task: { runtime: { kind: 'container', container: { image } }, forceUpdate: 0 },
    },
    ...(updateState === undefined ? {} : { updateStatus: { state: updateState, message: '' } }),
  };
}

/** A worker with the hostname n1. */
export function aNode({ state, availability }: { readonly state: Node['status']['state']; readonly availability: Node['spec']['availability'] }): Node {
  return {
    kind: 'node',
    id: 'node1',
    version: 1,
    createdAt: 0,
    updatedAt: 0,
    spec: { labels: {}, role: 'worker', availability },
    description: {
      hostname: 'n1',
      dataPathAddress: '10.0.0.1',
      platform: { architecture: 'x86_64', os: 'linux' },
      resources: { nanoCpus: 0, memoryBytes: 0 },
      engine: { version: '20.10.24', labels: {}, plugins: [] },
    },
    status: { state, address: '10.0.0.1' },
    index: 1,
    role: 'worker',
  };
}
