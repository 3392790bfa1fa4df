// skep-netd put together: the node's data plane in a process of its own. It outlives skepd, so that names resolve and ports answer while skepd is away.
import { realpathSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '#lib/clock.ts';
import { errorMessage } from '#lib/errors.ts';
import type { Logger } from '#lib/log.ts';
import { createDnsServer } from '../dns/server.ts';
import { createDriver } from '../driver/driver.ts';
import { servePlugin } from '../driver/plugin-server.ts';
import { createConnections } from '../kernel/connections.ts';
import { closeGatewayBridge, createHostApplier, NOTHING_ON_HOST } from '../kernel/host.ts';
import { observeHostLinks } from '../kernel/observe.ts';
import { createOverlays } from '../kernel/overlays.ts';
import { createPortHolder } from '../kernel/ports.ts';
import { type Names, namesOf, stateKeyOf } from '../names.ts';
import { createHostResolvers } from '../resolv-conf.ts';
import { createZones } from '../zones.ts';
import { createAskers } from './askers.ts';
import { claimSlot, removeAddress } from './claim.ts';
import { serveControl } from './control-server.ts';
import { netdVersion, type NetdSettings, SOCKET_FILE } from './protocol.ts';
import { createReconciler } from './reconciler.ts';
import { load, openState, writeDurably } from './state.ts';
import { createStrayCollector } from './strays.ts';

export interface Netd {
  /** Resolves when it was told to end. */
  readonly ended: Promise<void>;
  /** Removes everything of this state directory from the node. */
  destroy(): Promise<void>;
  /** Lets go of sockets; the kernel goes on as it is. */
  close(): Promise<void>;
}

export interface NetdOptions {
  readonly stateDirectory: string;
  readonly settings: NetdSettings;
  readonly clock: Clock;
  readonly log: Logger;
}

/** The folder below the state directory that is netd's own. */
export const NETD_FOLDER = 'network';

/** The caller holds the lock of the state directory's folder `network`, which exists. */
export async function startNetd({ stateDirectory, settings, clock, log }: NetdOptions): Promise<Netd> {
  const directory = join(stateDirectory, NETD_FOLDER);
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const version = netdVersion();
  const names = await takeNames(stateDirectory, directory, log);
  const state = openState({ directory, log });
  const ports = createPortHolder({ log, onStray: () => void reconciler.verify('host').catch(() => {}) });
  const overlays = createOverlays({ names });
  const host = createHostApplier({ names, ports, log });
  const reconciler = createReconciler({
    names,
    state,
    overlays,
    host,
    clock,
    log,
    dataPathPort: settings.dataPathPort,
    connections: createConnections({ log }),
    strays: createStrayCollector({ names, clock }),
  });
  const turn = { position: 0 };
  const askers = createAskers(clock, createZones(state.cluster, state.local, turn));
  const resolvers = createHostResolvers({ exclude: names.dnsAddress });
  const dns = await createDnsServer({
    address: names.dnsAddress,
    port: 53,
    zoneFor: (source) => askers.zoneFor(source),
    upstreams: () => resolvers.upstreams(),
    log: (level, message, details) => log[level](details, message),
  });
  const plugin = await servePlugin({
    directory: settings.pluginDirectory,
    name: names.driver,
    driver: createDriver({ names, state, reconciler, overlays }),
    log,
  });
  const update = async () => {
    askers.update(createZones(state.cluster, state.local, turn));
    await reconciler.reconcile();
  };
  let end = () => {};
  const ended = new Promise<void>((resolve) => {
    end = resolve;
  });
  const close = async () => {
    await reconciler.close();
    await Promise.all([control.close(), plugin.close(), dns.close(), ports.close()]);
    await state.flush();
  };
  const destroy = async () => {
    await reconciler.close();
    await Promise.all([plugin.close(), dns.close()]);
    await removeEverything({ names, host, overlays });
    await state.flush();
    await rm(directory, { recursive: true, force: true });
  };
  const control = await serveControl({
    path: join(stateDirectory, SOCKET_FILE),
    log,
    handlers: {
      status: () => ({
        version,
        pid: process.pid,
        settings,
        driverName: names.driver,
        dnsAddress: names.dnsAddress,
        clusterVersion: state.cluster.version,
        localVersion: state.local.version,
      }),
      applyCluster: (cluster) => {
        state.setCluster(cluster);
        return update();
      },
      applyLocal: (local) => {
        state.setLocal(local);
        return update();
      },
      destroy,
      exit: () => end(),
    },
  });
  log.info({ driver: names.driver, dns: names.dnsAddress, version }, 'data plane runs');
  reconciler.verify('everything').catch((error: unknown) => log.warn({ error: errorMessage(error) }, 'the last good state is not in place yet'));
  return { ended, destroy, close };
}

async function takeNames(stateDirectory: string, directory: string, log: Logger): Promise<Names> {
  const path = join(directory, 'instance.json');
  const stateKey = stateKeyOf(realpathSync(stateDirectory));
  const previous = load<{ readonly slot: number }>(path, log)?.slot;
  const slot = await claimSlot({ stateKey, previous });
  if (previous !== undefined && previous !== slot)
    log.warn({ previous, slot }, 'another skepd has taken this one’s names; networks of the engine must be made anew');
  writeDurably(path, JSON.stringify({ slot }));
  return namesOf(slot, stateKey);
}

interface Removable {
  readonly names: Names;
  readonly host: ReturnType<typeof createHostApplier>;
  readonly overlays: ReturnType<typeof createOverlays>;
}

/** The opposite of everything, in the opposite order; the claimed address last, because it says that the rest may be ours. */
async function removeEverything({ names, host, overlays }: Removable): Promise<void> {
  const links = await observeHostLinks();
  await host.apply(NOTHING_ON_HOST, links, true);
  await closeGatewayBridge(links);
  await overlays.removeOthers(new Set());
  await removeAddress(names.dnsAddress);
}
