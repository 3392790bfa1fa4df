// Keeps the kernel as the states want it. There is one way to get there, whatever happened before: look at the newest states, derive what must be,
// bring every part to it. A part that fails does not keep others from being done; it is tried again until it works.
import { createBackoff } from '#lib/backoff.ts';
import type { Clock } from '#lib/clock.ts';
import { AppError, errorMessage } from '#lib/errors.ts';
import type { Logger } from '#lib/log.ts';
import { deriveHost } from '../desired-host.ts';
import { deriveEncryption, deriveOverlays, type NetworkInputs, type Overlay } from '../desired.ts';
import type { Connections } from '../kernel/connections.ts';
import type { EncryptionApplier } from '../kernel/encryption.ts';
import type { HostApplier } from '../kernel/host.ts';
import { observeHostLinks, type HostLinks } from '../kernel/observe.ts';
import type { Overlays } from '../kernel/overlays.ts';
import type { Names } from '../names.ts';
import { addAddress } from './claim.ts';
import type { Quarantine } from './quarantine.ts';
import { createSerial, type Serial } from './serial.ts';
import { findStale, type Facts, factsOf } from './stale.ts';
import type { NetdState } from './state.ts';
import type { StrayCollector } from './strays.ts';

export interface Reconciler {
  /** Resolves when the kernel follows the states as they are now, or newer ones; rejects with AppError `internal` and what did not work. */
  reconcile(): Promise<void>;
  /** Does something with an overlay network that is in place, while nothing else changes it. `undefined` when there is no such network. */
  withOverlay<T>(vxlanId: number, work: (overlay: Overlay | undefined) => Promise<T>): Promise<T>;
  /** Looks at the kernel even where nothing has changed. */
  verify(scope: 'host' | 'everything'): Promise<void>;
  close(): Promise<void>;
}

export interface ReconcilerDependencies {
  readonly names: Names;
  readonly state: NetdState;
  readonly dataPathPort: number;
  /** Where the resolver listens when that is not port 53. */
  readonly dnsPort: () => number | undefined;
  readonly overlays: Overlays;
  readonly host: HostApplier;
  readonly encryption: EncryptionApplier;
  /** Absent while this node cannot encrypt. */
  readonly encryptionPort?: number;
  readonly connections: Connections;
  readonly strays: StrayCollector;
  readonly quarantine: Quarantine;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Others may flush rules (a firewall's reload) or delete devices; so long may it take until that is noticed. */
const VERIFY_HOST_MS = 10_000;
/** Every so many checks of the host, the overlay namespaces are looked at too: nobody but us has business there. */
const VERIFY_OVERLAYS_EVERY = 6;

type Scope = 'changes' | 'host' | 'everything';

export function createReconciler(dependencies: ReconcilerDependencies): Reconciler {
  const { clock, log } = dependencies;
  const runs = createSerial();
  const exclusive = createSerial();
  const backoff = createBackoff({ initialMs: 200, maximumMs: VERIFY_HOST_MS });
  let waiting: { scope: Scope; readonly done: Promise<void> } | undefined;
  let facts: Facts | undefined;
  let cancelRetry = () => {};
  let cancelVerify = () => {};
  let checks = 0;
  let closed = false;

  function request(scope: Scope): Promise<void> {
    if (closed) return Promise.reject(new AppError('unavailable', 'the data plane is being closed'));
    if (waiting === undefined) {
      const entry: { scope: Scope; done: Promise<void> } = { scope, done: Promise.resolve() };
      entry.done = runs(async () => {
        waiting = undefined;
        await runOnce(entry.scope);
      });
      waiting = entry;
    } else if (rank(scope) > rank(waiting.scope)) waiting.scope = scope;
    return waiting.done;
  }

  async function runOnce(scope: Scope): Promise<void> {
    cancelRetry();
    try {
      facts = await applyAll(dependencies, exclusive, scope, facts);
      backoff.reset();
    } catch (error) {
      const pauseMs = backoff.nextMs();
      log.error({ error: errorMessage(error), pauseMs }, 'the kernel does not follow yet; it will be tried again');
      if (!closed) cancelRetry = clock.schedule(pauseMs, () => void request(scope).catch(() => {}));
      throw error;
    }
  }

  function scheduleVerify(): void {
    cancelVerify = clock.schedule(VERIFY_HOST_MS, () => {
      checks++;
      void request(checks % VERIFY_OVERLAYS_EVERY === 0 ? 'everything' : 'host')
        .catch(() => {})
        .finally(() => {
          if (!closed) scheduleVerify();
        });
    });
  }
  scheduleVerify();

  return {
    reconcile: () => request('changes'),
    verify: (scope) => request(scope),
    withOverlay: (vxlanId, work) =>
      exclusive(async () => {
        const links = await observeHostLinks(dependencies.names.gatewayBridge);
        const inputs = inputsOf(dependencies, links);
        const overlay = deriveOverlays(inputs).find((candidate) => candidate.vxlanId === vxlanId);
        // Its tunnel cannot be made without the device. The rules, and other tunnels that went with an earlier device, are the reconciler's.
        if (overlay?.tunnel?.encrypted && (await dependencies.encryption.apply(deriveEncryption(inputs), links, false))) {
          void request('everything').catch(() => {});
        }
        return work(overlay);
      }),
    async close() {
      closed = true;
      cancelRetry();
      cancelVerify();
      await runs(() => Promise.resolve());
      cancelRetry();
    },
  };
}

function rank(scope: Scope): number {
  return ['changes', 'host', 'everything'].indexOf(scope);
}

/** Brings every part to what it must be; returns what was in place, to see next time what is gone. */
async function applyAll(dependencies: ReconcilerDependencies, exclusive: Serial, scope: Scope, before: Facts | undefined): Promise<Facts> {
  const { names, overlays, host, state, connections } = dependencies;
  const failures: string[] = [];
  const attempt = (work: () => Promise<void>) => exclusive(work).catch((error: unknown) => failures.push(errorMessage(error)));
  const links = await observeHostLinks(names.gatewayBridge);
  const inputs = inputsOf(dependencies, links);
  const after = factsOf(inputs, names);
  if (!links.labelled.some(({ label, address }) => label === names.dnsLabel && address === names.dnsAddress)) {
    await attempt(async () => void (await addAddress(names.dnsAddress, names.dnsLabel)));
  }
  const dnsPort = dependencies.dnsPort();
  const wanted = { ...deriveHost(inputs, dependencies.quarantine.isActive(inputs.cluster, inputs.local)), ...(dnsPort === undefined ? {} : { dnsPort }) };
  // The rules that keep encrypted networks from the open come before their tunnels.
  await attempt(() => host.apply(wanted, links, scope !== 'changes'));
  let isMade = false;
  const encryption = deriveEncryption(inputs);
  await attempt(async () => {
    // A container that started since the links were looked at may have brought the device.
    const isThere = links.links.some(({ name }) => name === names.encryptionDevice);
    const now = encryption === undefined || isThere ? links : await observeHostLinks(names.gatewayBridge);
    isMade = await dependencies.encryption.apply(encryption, now, scope !== 'changes');
  });
  for (const overlay of deriveOverlays(inputs)) {
    // Tunnels have gone with the device that they were bound to.
    await attempt(() => overlays.apply(overlay, scope === 'everything' || (isMade && overlay.tunnel?.encrypted === true)));
  }
  await attempt(() => overlays.removeOthers(new Set(state.driverNetworks.map(({ vxlanId }) => vxlanId))));
  if (scope !== 'changes') await attempt(() => dependencies.strays.collect(links));
  const stale = findStale(before, after);
  for (const { namespace, addresses } of stale.answeredBy) await connections.forgetAnsweredBy(addresses, namespace);
  await connections.forgetUdpTo(stale.udpPorts);
  if (failures.length > 0) throw new AppError('internal', failures.join('; '));
  return after;
}

function inputsOf({ state, dataPathPort, encryptionPort }: ReconcilerDependencies, links: HostLinks): NetworkInputs {
  return {
    cluster: state.cluster,
    local: state.local,
    driverNetworks: state.driverNetworks,
    hostAddresses: links.addresses,
    gatewaySubnets: links.gatewaySubnets,
    gatewaySubnets6: links.gatewaySubnets6,
    dataPathPort,
    ...(encryptionPort === undefined ? {} : { encryptionPort }),
    hostPorts: state.hostPorts,
  };
}
