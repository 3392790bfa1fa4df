// What netd has been told, kept in the state directory: after a crash or a reboot it goes on with the last good state until somebody tells it a newer one.
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { errorMessage } from '#lib/errors.ts';
import type { Logger } from '#lib/log.ts';
import type { ClusterNetworkState, LocalNetworkState } from '#protocol/network-state.ts';
import type { PublishedPort } from '../desired-host.ts';
import type { DriverNetwork, Sandbox } from '../desired.ts';

export interface NetdState {
  readonly cluster: ClusterNetworkState;
  /** What the agent has told, and where the sandboxes are, which only we know. */
  readonly local: LocalNetworkState;
  readonly sandboxes: readonly Sandbox[];
  /** Ports of sandboxes whose task runs. */
  readonly hostPorts: readonly PublishedPort[];
  readonly driverNetworks: readonly DriverNetwork[];
  setCluster(state: ClusterNetworkState): void;
  setLocal(state: LocalNetworkState): void;
  /** Durable when it returns: the engine never tells of a network twice. */
  setDriverNetworks(networks: readonly DriverNetwork[]): void;
  /** Durable when it returns. */
  setSandboxes(sandboxes: readonly Sandbox[]): void;
  /** Resolves when everything is written. */
  flush(): Promise<void>;
}

const EMPTY_CLUSTER: ClusterNetworkState = { version: 0, nodes: [], networks: [], services: [], ingress: [] };
const EMPTY_LOCAL: LocalNetworkState = { version: 0, endpoints: [] };

/** `directory` exists. A file that cannot be read counts as absent: whoever wrote it will say it again, and the engine's networks are said in the log. */
export function openState({ directory, log }: { readonly directory: string; readonly log: Logger }): NetdState {
  let cluster = load<ClusterNetworkState>(join(directory, 'cluster.json'), log) ?? EMPTY_CLUSTER;
  let local = load<LocalNetworkState>(join(directory, 'local.json'), log) ?? EMPTY_LOCAL;
  let driverNetworks = load<readonly DriverNetwork[]>(join(directory, 'driver.json'), log) ?? [];
  let sandboxes = load<readonly Sandbox[]>(join(directory, 'sandboxes.json'), log) ?? [];
  const writeCluster = createWriter(join(directory, 'cluster.json'), log);
  const writeLocal = createWriter(join(directory, 'local.json'), log);
  return {
    get cluster() {
      return cluster;
    },
    get local() {
      return withSandboxes(local, sandboxes);
    },
    get sandboxes() {
      return sandboxes;
    },
    get hostPorts() {
      const running = new Set(local.endpoints.map(({ taskId }) => taskId));
      return hostPortsOf(sandboxes.filter(({ taskId }) => running.has(taskId)));
    },
    get driverNetworks() {
      return driverNetworks;
    },
    setCluster(state) {
      cluster = state;
      writeCluster.write(() => JSON.stringify(cluster));
    },
    setLocal(state) {
      local = state;
      writeLocal.write(() => JSON.stringify(local));
    },
    setDriverNetworks(networks) {
      writeDurably(join(directory, 'driver.json'), JSON.stringify(networks));
      driverNetworks = networks;
    },
    setSandboxes(next) {
      writeDurably(join(directory, 'sandboxes.json'), JSON.stringify(next));
      sandboxes = next;
    },
    async flush() {
      await Promise.all([writeCluster.idle(), writeLocal.idle()]);
    },
  };
}

/** A sandbox is known before its container runs: names resolve for its first process, and one on internal networks is never let out. */
function withSandboxes(local: LocalNetworkState, sandboxes: readonly Sandbox[]): LocalNetworkState {
  if (sandboxes.length === 0) return local;
  const told = new Map(local.endpoints.map((endpoint) => [endpoint.taskId, endpoint]));
  const made = sandboxes.map(({ taskId, gatewayAddress, gatewayAddress6, networks }) => ({
    ...(told.get(taskId) ?? { taskId, containerId: '', pid: 0, networkIds: networks.map(({ networkId }) => networkId) }),
    gatewayAddress: bare(gatewayAddress),
    ...(gatewayAddress6 === undefined ? {} : { gatewayAddress6: bare(gatewayAddress6) }),
  }));
  const ours = new Set(made.map(({ taskId }) => taskId));
  return { version: local.version, endpoints: [...local.endpoints.filter(({ taskId }) => !ours.has(taskId)), ...made] };
}

function hostPortsOf(sandboxes: readonly Sandbox[]): readonly PublishedPort[] {
  return sandboxes.flatMap(({ hostPorts, gatewayAddress, gatewayAddress6 }) =>
    hostPorts.map(({ protocol, targetPort, publishedPort = 0 }) => ({
      protocol,
      publishedPort,
      local: [{ address: bare(gatewayAddress), port: targetPort }],
      remote: [],
      ...(gatewayAddress6 === undefined ? {} : { six: { local: [{ address: bare(gatewayAddress6), port: targetPort }], remote: [] } }),
    })),
  );
}

function bare(address: string): string {
  return address.split('/', 1)[0] ?? address;
}

export function load<T>(path: string, log: Logger): T | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as T;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') log.error({ path, error: errorMessage(error) }, 'state file cannot be read');
    return undefined;
  }
}

/** Whole or absent, and on the disk when it returns. */
export function writeDurably(path: string, text: string): void {
  const temporary = `${path}.new`;
  const file = openSync(temporary, 'w', 0o600);
  try {
    const bytes = Buffer.from(text);
    for (let offset = 0; offset < bytes.length; ) offset += writeSync(file, bytes, offset);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(temporary, path);
}

/**
 * Writes the newest value, one write at a time, without waiting for the disk: names are resolved in this process, and a lost write costs nothing but
 * an older state after a power failure.
 */
function createWriter(path: string, log: Logger): { write(text: () => string): void; idle(): Promise<void> } {
  let next: (() => string) | undefined;
  let running: Promise<void> | undefined;
  async function run(): Promise<void> {
    while (next !== undefined) {
      const text = next();
      next = undefined;
      try {
        await writeFile(`${path}.new`, text, { mode: 0o600 });
        await rename(`${path}.new`, path);
      } catch (error) {
        log.warn({ path, error: errorMessage(error) }, 'state file cannot be written');
      }
    }
    running = undefined;
  }
  return {
    write(text) {
      next = text;
      running ??= run();
    },
    async idle() {
      await running;
    },
  };
}
