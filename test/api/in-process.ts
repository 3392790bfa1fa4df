// The whole daemon in this process, API to agent, on a fake engine: real HTTP, store, control loops and membership; only containers are not.
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createFakeExecutor, type FakeExecutor, type TaskScript } from '#agent/testing/fake-executor.ts';
import { createEngineConnection } from '#engine-link/link.ts';
import { parseHost } from '#api/hosts.ts';
import { swarmRoutes } from '#api/routes/index.ts';
import { createApiServer } from '#api/server.ts';
import type { NodeDescription, Task } from '#domain/objects.ts';
import { silentLogger } from '#lib/log.ts';
import { createMembership } from '../../src/main/membership.ts';
import { createNodeFactory } from '../../src/main/node-runtime.ts';
import { createStateDirectory } from '../../src/main/state-directory.ts';
import type { Worker } from '../../src/main/worker.ts';
import { systemClock, systemRandom } from '../../src/platform/clock.ts';
import { type FakeEngine, startFakeEngine } from './fake-engine.ts';
import { type FakeLogs, startFakeLogs } from './fake-logs.ts';
import { type Answer, sendOver } from './replay.ts';

export interface InProcessApi {
  /** One request; `body` is sent as JSON. Paths without a version mean the newest. */
  http(method: string, path: string, body?: unknown, headers?: Readonly<Record<string, string>>): Promise<Answer>;
  readonly socketPath: string;
  /** The daemon's state directory. */
  readonly stateFolder: string;
  readonly engine: FakeEngine;
  /** Answers to `http` until it satisfies `holds`; rejects after 10 s. */
  until<T>(path: string, holds: (body: T) => boolean): Promise<T>;
  /** `POST /swarm/init` as the CLI sends it; resolves with the node's id. */
  init(): Promise<string>;
  close(): Promise<void>;
}

export interface InProcessOptions {
  readonly scriptFor?: (task: Task) => TaskScript;
  /** The lines of a task's log. */
  readonly logsOf?: (task: Task) => readonly string[];
  /** Of this machine, where it listens and is found by others of its kind; without one it is alone. */
  readonly address?: string;
  /** Made and removed by the caller, so that a daemon can come back. */
  readonly stateFolder?: string;
}

export const initRequest = {
  ListenAddr: '0.0.0.0:2377',
  AdvertiseAddr: '',
  DataPathAddr: '',
  DataPathPort: 0,
  ForceNewCluster: false,
  Spec: { Labels: null, Orchestration: {}, Raft: {}, Dispatcher: {}, CAConfig: {}, TaskDefaults: {}, EncryptionConfig: { AutoLockManagers: false } },
  AutoLockManagers: false,
  Availability: '',
  DefaultAddrPool: [],
  SubnetSize: 24,
};

const description: NodeDescription = {
  hostname: 'n1',
  dataPathAddress: '10.99.0.1',
  platform: { architecture: 'x86_64', os: 'linux' },
  resources: { nanoCpus: 2_000_000_000, memoryBytes: 25_276_510_208 },
  engine: {
    version: '20.10.24',
    labels: { tier: 'e1' },
    plugins: ['bridge', 'host', 'overlay'].map((name) => ({ type: 'Network', name })).concat([{ type: 'Volume', name: 'local' }]),
  },
};

const PATIENCE_MS = 10_000;
const POLL_MS = 10;

export async function startInProcessApi({ scriptFor, logsOf = () => [], address, stateFolder: given }: InProcessOptions = {}): Promise<InProcessApi> {
  const folder = mkdtempSync(join(tmpdir(), 'skep-api-'));
  const fakeEngine = await startFakeEngine(join(folder, 'engine.sock'));
  const logs = await startFakeLogs(join(folder, 'logs.sock'), (taskId) => logsOf(membership.control().tasks.get(taskId)));
  const stateFolder = given ?? join(folder, 'state');
  mkdirSync(stateFolder, { mode: 0o700, recursive: true });
  const directory = createStateDirectory(stateFolder);
  const common = { clock: systemClock, random: systemRandom, log: silentLogger };
  const createWorker = ({ tls }: { readonly tls?: () => NodeDescription['tls'] }) =>
    Promise.resolve(createWorkerOf(createFakeExecutor({ clock: systemClock, description: describe(tls?.()), ...(scriptFor ? { scriptFor } : {}) }), logs));
  const membership = createMembership({
    engineAnswers: () => Promise.resolve(),
    directory,
    nodes: createNodeFactory({ directory, createWorker, snapshots: { intervalMs: 12 * 3_600_000, keep: 5 }, ...common }),
    interfaces: () => ({ eth0: [{ address: '10.99.0.1', family: 'IPv4', internal: false, netmask: '255.255.255.0', mac: '', cidr: '10.99.0.1/24' }] }),
    // A port of the machine's choice: several of these run side by side.
    defaults: {
      listenAddr: address === undefined ? '127.0.0.1:0' : `${address}:2377`,
      advertiseAddr: `${address ?? '10.99.0.1'}:2377`,
      dataPathAddr: '',
      dataPathPort: 0,
      defaultAddrPools: [],
    },
    ...common,
  });
  const engine = createEngineConnection({ address: fakeEngine.address, clock: systemClock });
  const server = createApiServer({
    membership,
    engine,
    routes: swarmRoutes,
    log: silentLogger,
    clock: systemClock,
    identity: { version: '0.0.0', gitCommit: 'test' },
  });
  const socketPath = join(folder, 'api.sock');
  await server.listen(parseHost(`unix://${socketPath}`));
  await membership.resume();
  const send = sendOver({ socketPath });
  const http: InProcessApi['http'] = (method, path, body, headers = {}) =>
    send(method, path, body === undefined ? headers : { 'Content-Type': 'application/json', ...headers }, body);
  return {
    http,
    socketPath,
    stateFolder,
    engine: fakeEngine,
    async until(path, holds) {
      const deadline = Date.now() + PATIENCE_MS;
      for (;;) {
        const { body } = await http('GET', path);
        if (holds(body as never)) return body as never;
        if (Date.now() > deadline) throw new Error(`${path} never became what was expected; last: ${JSON.stringify(body).slice(0, 2_000)}`);
        await systemClock.sleep(POLL_MS);
      }
    },
    async init() {
      const { status, body } = await http('POST', '/swarm/init', initRequest);
      if (status !== 200) throw new Error(`swarm init: ${JSON.stringify(body)}`);
      return body as string;
    },
    async close() {
      await membership.stop();
      await server.close();
      engine.close();
      await logs.close();
      await fakeEngine.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function describe(tls: NodeDescription['tls']): NodeDescription {
  return { ...description, ...(tls === undefined ? {} : { tls }) };
}

function createWorkerOf(executor: FakeExecutor, logs: FakeLogs): Worker {
  const engine = createEngineConnection({ address: logs.address, clock: systemClock });
  return {
    executor,
    dataPlane: {
      driverName: 'fake',
      dnsAddress: '127.0.0.11',
      encryption: { kind: 'unavailable', reason: 'there is no data plane' },
      applyCluster: () => Promise.resolve(),
      applyLocal: () => Promise.resolve(),
      portsInUse: () => [],
      onPortsInUse: () => {},
      destroy: () => Promise.resolve(),
      close: () => Promise.resolve(),
      attach: () => Promise.reject(new Error('no sandboxes here')),
      detach: () => Promise.resolve(),
    },
    describeAgain: () => {},
    engine,
    keptLogs: engine,
    close: () => Promise.resolve(engine.close()),
    removeAll: () => Promise.resolve(),
  };
}
