// What netd has been told, kept in the state directory: after a crash or a reboot it goes on with the last good state until somebody tells it a newer one.
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { errorMessage } from '#lib/errors.ts';
import type { Logger } from '#lib/log.ts';
import type { ClusterNetworkState, LocalNetworkState } from '#protocol/network-state.ts';
import type { DriverNetwork } from '../desired.ts';

export interface NetdState {
  readonly cluster: ClusterNetworkState;
  readonly local: LocalNetworkState;
  readonly driverNetworks: readonly DriverNetwork[];
  setCluster(state: ClusterNetworkState): void;
  setLocal(state: LocalNetworkState): void;
  /** Durable when it returns: the engine never tells of a network twice. */
  setDriverNetworks(networks: readonly DriverNetwork[]): void;
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
  const writeCluster = createWriter(join(directory, 'cluster.json'), log);
  const writeLocal = createWriter(join(directory, 'local.json'), log);
  return {
    get cluster() {
      return cluster;
    },
    get local() {
      return local;
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
    async flush() {
      await Promise.all([writeCluster.idle(), writeLocal.idle()]);
    },
  };
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
