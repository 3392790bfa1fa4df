// A swarm in memory for tests of the use cases: one manager, an ingress network, real store, real sealing, a clock that stands still.
import { createExternalSigner } from '#ca/external.ts';
import type { Cluster, Network, Node, StoreObject, Task } from '#domain/objects.ts';
import { defaultClusterSpec } from '#domain/defaults.ts';
import type { ServiceSpec } from '#domain/spec.ts';
import { AppError } from '#lib/errors.ts';
import { silentLogger } from '#lib/log.ts';
import { createFakeClock, createSeededRandom } from '#lib/testing/fake-clock.ts';
import { createStore } from '#store/create-store.ts';
import { createMemoryBackend } from '#store/memory.ts';
import { createSealer } from '#store/seal.ts';
import { sealContexts } from '#store/seal-contexts.ts';
import { createControl } from '../create-control.ts';

export const NODE_ID = 'n1';
const meta = { version: 0, createdAt: 1, updatedAt: 1 };

/** `objects` are stored besides the cluster, the node and the ingress network. */
export async function createTestSwarm(objects: readonly StoreObject[] = []) {
  const clock = createFakeClock();
  const random = createSeededRandom(1);
  const sealer = createSealer(new Uint8Array(32).fill(7), random);
  const seal = (text: string, context: string) => sealer.seal(Buffer.from(text), context);
  const cluster: Cluster = {
    ...meta,
    kind: 'cluster',
    id: 'cluster1',
    spec: defaultClusterSpec,
    rootCa: { certificate: '-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n', sealedKey: 'x' },
    sealedJoinTokens: {
      worker: seal('w'.repeat(25), sealContexts.joinToken('worker')),
      manager: seal('m'.repeat(25), sealContexts.joinToken('manager')),
    },
    defaultAddressPools: ['10.0.0.0/8'],
    subnetSize: 24,
    dataPathPort: 4789,
    rootRotationInProgress: false,
  };
  const store = await createStore({
    backend: createMemoryBackend([cluster, testNode(NODE_ID), testNetwork('ing', 'ingress', { ingress: true }), ...objects]),
    clock,
  });
  const externalSigner = createExternalSigner({ identity: () => undefined, now: () => clock.now(), log: silentLogger });
  const control = createControl({ store, clock, random, sealer, externalSigner, log: silentLogger, nodeId: NODE_ID });
  return { clock, store, control, sealer };
}

export function testNode(id: string, fields: Partial<Node> = {}): Node {
  return {
    ...meta,
    kind: 'node',
    id,
    index: Number(id.replace(/\D/g, '')) || 1,
    role: 'manager',
    spec: { labels: {}, role: 'manager', availability: 'active' },
    status: { state: 'ready', address: '10.9.0.1' },
    manager: { leader: true, reachability: 'reachable', address: '10.9.0.1:2377' },
    description: {
      hostname: `host-${id}`,
      dataPathAddress: '10.9.0.1',
      platform: { os: 'linux', architecture: 'x86_64' },
      resources: {},
      engine: { version: '20.10', labels: { storage: 'ssd' }, plugins: [] },
    },
    ...fields,
  };
}

export function testNetwork(id: string, name: string, spec: Partial<Network['spec']> = {}): Network {
  return {
    ...meta,
    kind: 'network',
    id,
    spec: { name, labels: {}, ipv6: false, internal: false, attachable: false, ingress: false, scope: 'swarm', ...spec },
  };
}

export function testTask(id: string, fields: Partial<Task> = {}): Task {
  return {
    ...meta,
    kind: 'task',
    id,
    spec: { runtime: { kind: 'container', container: { image: 'busybox' } }, forceUpdate: 0 },
    serviceName: 'web',
    serviceLabels: {},
    status: { state: 'running', timestamp: 1, message: 'started' },
    desiredState: 'running',
    networks: [],
    ...fields,
  };
}

export function serviceSpec(name: string, fields: Partial<ServiceSpec> = {}): ServiceSpec {
  return {
    name,
    labels: {},
    mode: { kind: 'replicated', replicas: 1 },
    task: { runtime: { kind: 'container', container: { image: 'busybox' } }, forceUpdate: 0 },
    ...fields,
  };
}

/** The message and status of what `work` rejects or throws; fails on anything but an AppError. */
export async function refusal(work: () => unknown): Promise<readonly [number, string]> {
  try {
    await work();
  } catch (error) {
    if (error instanceof AppError) return [error.httpStatus, error.message];
    throw error;
  }
  throw new Error('nothing was refused');
}
