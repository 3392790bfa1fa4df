// skep-netd put together: the node's data plane in a process of its own. It outlives skepd, so that names resolve and ports answer while skepd is away.
import { realpathSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '#lib/clock.ts';
import { errorMessage } from '#lib/errors.ts';
import type { Logger } from '#lib/log.ts';
import { createDnsServer } from '../dns/server.ts';
import type { EncryptionAbility } from '../data-plane.ts';
import type { DnsServer, DnsServerOptions } from '../dns/zone.ts';
import { createDriver } from '../driver/driver.ts';
import { servePlugin } from '../driver/plugin-server.ts';
import { createConnections } from '../kernel/connections.ts';
import { closeGatewayBridge, createHostApplier, NOTHING_ON_HOST } from '../kernel/host.ts';
import { observeHostLinks } from '../kernel/observe.ts';
import { createEncryptionApplier, findWireGuard } from '../kernel/encryption.ts';
import { createOverlays } from '../kernel/overlays.ts';
import { createPortHolder } from '../kernel/ports.ts';
import { type Names, namesOf, stateKeyOf } from '../names.ts';
import { createHostResolvers } from '../resolv-conf.ts';
import { createZones } from '../zones.ts';
import { type Askers, createAskers } from './askers.ts';
import { claimSlot, removeAddress } from './claim.ts';
import { serveControl } from './control-server.ts';
import { loadKeys } from './keys.ts';
import { NETD_FOLDER, netdVersion, type NetdSettings, PID_FILE, SOCKET_FILE } from './protocol.ts';
import { createQuarantine } from './quarantine.ts';
import { createReconciler, type Reconciler } from './reconciler.ts';
import { load, type NetdState, openState, writeDurably } from './state.ts';
import { createSandboxKeeper, type SandboxKeeper } from './sandboxes.ts';
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

const DNS_PORT = 53;

/** The caller holds the lock of the state directory's folder `network`, which exists. */
export async function startNetd(options: NetdOptions): Promise<Netd> {
  const { stateDirectory, settings, log } = options;
  const directory = join(stateDirectory, NETD_FOLDER);
  const version = netdVersion();
  notePid(join(directory, PID_FILE), log);
  const names = await takeNames(stateDirectory, directory, settings, log);
  const parts = await createParts(options, names, directory);
  const { state, reconciler } = parts;
  const { promise: ended, resolve: end } = Promise.withResolvers<void>();
  const apply = async () => {
    parts.updateNames();
    await reconciler.reconcile();
  };
  const destroy = async () => {
    await parts.removeEverything();
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
        encryption: parts.encryption,
        clusterVersion: state.cluster.version,
        localVersion: state.local.version,
      }),
      applyCluster: (cluster) => {
        state.setCluster(cluster);
        return apply();
      },
      applyLocal: (local) => {
        state.setLocal(local);
        return apply();
      },
      news: () => ({ portsInUse: parts.portsInUse() }),
      attach: (sandbox) => parts.sandboxes.attach(sandbox),
      detach: (taskId) => parts.sandboxes.detach(taskId),
      destroy,
      exit: () => end(),
    },
  });
  parts.onPortsInUse(() => control.tell());
  log.info({ driver: names.driver, dns: names.dnsAddress, version }, 'data plane runs');
  reconciler.verify('everything').catch((error: unknown) => log.warn({ error: errorMessage(error) }, 'the last good state is not in place yet'));
  return {
    ended,
    destroy,
    async close() {
      await Promise.all([control.close(), parts.close()]);
    },
  };
}

interface Parts {
  readonly state: NetdState;
  readonly reconciler: Reconciler;
  readonly sandboxes: SandboxKeeper;
  readonly encryption: EncryptionAbility;
  /** Answers names by the newest state from now on. */
  updateNames(): void;
  portsInUse(): readonly string[];
  onPortsInUse(listener: () => void): void;
  /** Stops everything but the control socket and takes all of it off the node. */
  removeEverything(): Promise<void>;
  close(): Promise<void>;
}

/** What does the work: the resolver, the driver, and what keeps the kernel as it must be. */
async function createParts({ settings, clock, log }: NetdOptions, names: Names, directory: string): Promise<Parts> {
  const state = openState({ directory, log });
  const turn = { position: 0 };
  const askers = createAskers(clock, createZones(state.cluster, state.local, turn));
  const dns = await serveNames(names, askers, log);
  const listeners = new Set<() => void>();
  const ports = createPortHolder({
    log,
    isOwn: (port) => port === dns.port,
    onStray: () => void reconciler.verify('host').catch(() => {}),
    onInUse: () => {
      for (const listener of listeners) listener();
    },
  });
  const overlays = createOverlays({ names });
  const host = createHostApplier({ names, ports, log });
  const wireGuard = await findWireGuard(names);
  const keys = wireGuard.kind === 'unavailable' ? undefined : loadKeys(join(directory, 'wireguard.key'), log);
  const encryption = createEncryptionApplier({
    names,
    wireGuard,
    privateKey: keys?.privateKey ?? '',
    logFile: join(directory, 'wireguard-go.log'),
    clock,
    log,
    onEnd: () => void reconciler.verify('host').catch(() => {}),
  });
  const encryptionPort = keys && (settings.encryptionPort ?? names.encryptionPort);
  const quarantine = createQuarantine(clock);
  const reconciler = createReconciler({
    names,
    state,
    overlays,
    host,
    encryption,
    ...(encryptionPort === undefined ? {} : { encryptionPort }),
    clock,
    log,
    dataPathPort: settings.dataPathPort,
    dnsPort: () => (dns.port === DNS_PORT ? undefined : dns.port),
    connections: createConnections({ log }),
    strays: createStrayCollector({ names, clock }),
    quarantine,
  });
  const driver = createDriver({ names, state, reconciler, overlays, quarantine });
  const plugin = await servePlugin({ directory: settings.pluginDirectory, name: names.driver, driver, log });
  const updateNames = () => askers.update(createZones(state.cluster, state.local, turn));
  const sandboxes = createSandboxKeeper({ names, state, reconciler, overlays, updateNames });
  return {
    state,
    reconciler,
    sandboxes,
    encryption: wireGuard.kind === 'unavailable' ? wireGuard : { kind: 'ready', publicKey: keys?.publicKey ?? '', port: encryptionPort ?? 0 },
    updateNames,
    portsInUse: () => ports.inUse(),
    onPortsInUse: (listener) => void listeners.add(listener),
    async removeEverything() {
      await reconciler.close();
      await Promise.all([plugin.close(), dns.close()]);
      await sandboxes.removeAll();
      const links = await observeHostLinks(names.gatewayBridge);
      await host.apply(NOTHING_ON_HOST, links, true);
      await closeGatewayBridge(links, names.gatewayBridge);
      await overlays.removeOthers(new Set());
      await encryption.apply(undefined, links, true);
      // Last, because it says that the rest may be ours.
      await removeAddress(names.dnsAddress);
      await state.flush();
    },
    async close() {
      await reconciler.close();
      await Promise.all([plugin.close(), dns.close(), ports.close()]);
      await state.flush();
    },
  };
}

/** On port 53; when another program has that on every address, on a port of its own to which the host's rules lead. */
async function serveNames(names: Names, askers: Askers, log: Logger): Promise<DnsServer> {
  const resolvers = createHostResolvers({ exclude: names.dnsAddress });
  const options: Omit<DnsServerOptions, 'port'> = {
    address: names.dnsAddress,
    zoneFor: (source) => askers.zoneFor(source),
    upstreams: () => resolvers.upstreams(),
    log: (level, message, details) => log[level](details, message),
  };
  try {
    return await createDnsServer({ ...options, port: DNS_PORT });
  } catch (error) {
    const server = await createDnsServer({ ...options, port: 0 });
    log.warn({ error: errorMessage(error), port: server.port }, 'port 53 is used by another program; the resolver listens on another port behind it');
    return server;
  }
}

async function takeNames(stateDirectory: string, directory: string, settings: NetdSettings, log: Logger): Promise<Names> {
  const path = join(directory, 'instance.json');
  const stateKey = stateKeyOf(realpathSync(stateDirectory));
  const previous = load<{ readonly slot: number }>(path, log)?.slot;
  const slot = await claimSlot({ stateKey, previous, pluginDirectory: settings.pluginDirectory });
  if (previous !== undefined && previous !== slot)
    log.warn({ previous, slot }, 'another skepd has taken this one’s names; networks of the engine must be made anew');
  // As it was: then a disk that is full keeps nobody from starting.
  if (previous !== slot) writeDurably(path, JSON.stringify({ slot }));
  return namesOf(slot, stateKey, settings.ownGateway ?? false);
}

/** For a skepd that has to end a netd that hangs. The names of containers must resolve on a full disk, too. */
function notePid(path: string, log: Logger): void {
  try {
    writeDurably(path, String(process.pid));
  } catch (error) {
    log.warn({ path, error: errorMessage(error) }, 'the process id could not be written down');
  }
}
