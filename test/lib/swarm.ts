// A swarm's state in memory, for tests and benchmarks of pure decisions: the store's own tables, and commits without waiting. It checks what the
// store checks: versions, claims, and who may write what.
import { claimsOf } from '#domain/claims.ts';
import type { Cluster, Network, Node, Service, StoreObject, Task } from '#domain/objects.ts';
import { defaultClusterSpec } from '#domain/defaults.ts';
import type { Change, StoreEvent, View, Writer } from '#domain/view.ts';
import { assert } from '#lib/assert.ts';
import { createTables } from '#store/tables.ts';
import { assertMayWrite } from '#store/writers.ts';

export interface Swarm {
  readonly view: View;
  /** Commits as `writer`; without one nobody's fields are checked, for what a test makes happen. */
  commit(changes: readonly Change[], writer?: Writer): readonly StoreEvent[];
  put(...objects: readonly StoreObject[]): readonly StoreEvent[];
  remove(...objects: readonly StoreObject[]): readonly StoreEvent[];
  /** Called for each event of each commit, as a control loop's `keysOf` is. */
  onEvent(listener: (event: StoreEvent, view: View) => void): void;
}

export function createSwarm(objects: readonly StoreObject[] = []): Swarm {
  const tables = createTables(1, objects);
  const { view } = tables;
  const listeners: ((event: StoreEvent, view: View) => void)[] = [];

  function commit(changes: readonly Change[], writer?: Writer): readonly StoreEvent[] {
    if (changes.length === 0) return [];
    const writes = changes.map(({ action, object }) => {
      const previous = view.get(object.kind, object.id) as StoreObject | undefined;
      if (writer !== undefined) {
        assert((previous?.version ?? 0) === object.version, `${object.kind} ${object.id} has changed meanwhile`);
        assertMayWrite(writer, previous, action === 'remove' ? undefined : object);
      }
      const before = previous ? claimsOf(previous) : [];
      const after = action === 'remove' ? [] : claimsOf(object);
      return {
        kind: object.kind,
        id: object.id,
        ...(action === 'remove' ? {} : { object: { ...object } }),
        expectedVersion: object.version,
        addClaims: after.filter((claim) => !before.includes(claim)),
        removeClaims: before.filter((claim) => !after.includes(claim)),
      };
    });
    assertFree(view, writes);
    const events = tables.apply(view.revision + 1, writes);
    for (const event of events) for (const listener of listeners) listener(event, view);
    return events;
  }

  return {
    view,
    commit,
    put: (...puts) => commit(puts.map((object) => ({ action: view.get(object.kind, object.id) ? 'update' : 'create', object }))),
    remove: (...removals) => commit(removals.map((object) => ({ action: 'remove', object }))),
    onEvent: (listener) => void listeners.push(listener),
  };
}

function assertFree(
  view: View,
  writes: readonly { readonly id: string; readonly addClaims: readonly string[]; readonly removeClaims: readonly string[] }[],
): void {
  const freed = new Set(writes.flatMap((write) => write.removeClaims));
  const taken = new Map<string, string>();
  for (const { id, addClaims } of writes) {
    for (const claim of addClaims) {
      const holder = taken.get(claim) ?? (freed.has(claim) ? undefined : view.claimant(claim)?.id);
      assert(holder === undefined, `${id} takes ${claim}, which ${holder} holds`);
      taken.set(claim, id);
    }
  }
}

const meta = { version: 0, createdAt: 0, updatedAt: 0 };
const CPU = 1_000_000_000;
const GIB = 2 ** 30;

/** A ready worker with 4 CPUs and 8 GiB. `index` must differ between the nodes of a swarm. */
export function makeNode(index: number, fields: Partial<Node> = {}): Node {
  return {
    ...meta,
    kind: 'node',
    id: `node${String(index).padStart(5, '0')}`,
    index,
    role: 'worker',
    spec: { labels: {}, role: 'worker', availability: 'active' },
    status: { state: 'ready', address: '10.1.0.1' },
    description: {
      hostname: `host${index}`,
      dataPathAddress: '10.1.0.1',
      platform: { os: 'linux', architecture: 'x86_64' },
      resources: { nanoCpus: 4 * CPU, memoryBytes: 8 * GIB },
      engine: { version: '28.2.2', labels: {}, plugins: [] },
    },
    ...fields,
  };
}

export function makeTask(id: string, fields: Partial<Task> = {}): Task {
  return {
    ...meta,
    kind: 'task',
    id,
    serviceId: 'web',
    slot: 1,
    specVersion: 1,
    spec: { runtime: { kind: 'container', container: { image: 'busybox' } }, forceUpdate: 0 },
    serviceName: 'web',
    serviceLabels: {},
    status: { state: 'pending', timestamp: 1, message: 'pending task scheduling' },
    desiredState: 'running',
    networks: [],
    ...fields,
  };
}

export function makeService(id: string, fields: Partial<Service> = {}): Service {
  return {
    ...meta,
    kind: 'service',
    id,
    spec: {
      name: id,
      labels: {},
      mode: { kind: 'replicated', replicas: 1 },
      task: { runtime: { kind: 'container', container: { image: 'busybox' } }, forceUpdate: 0 },
    },
    specVersion: 1,
    ...fields,
  };
}

export function makeNetwork(id: string, fields: Partial<Network['spec']> = {}): Network {
  const spec = {
    name: id,
    labels: {},
    driver: { name: 'overlay' },
    ipv6: false,
    internal: false,
    attachable: false,
    ingress: false,
    scope: 'swarm',
    ...fields,
  };
  return { ...meta, kind: 'network', id, spec };
}

export function makeCluster(fields: Partial<Cluster> = {}): Cluster {
  return {
    ...meta,
    kind: 'cluster',
    id: 'cluster',
    spec: defaultClusterSpec,
    rootCa: { certificate: '', sealedKey: '' },
    sealedJoinTokens: { worker: '', manager: '' },
    defaultAddressPools: ['10.0.0.0/8'],
    subnetSize: 24,
    dataPathPort: 4789,
    rootRotationInProgress: false,
    ...fields,
  };
}
