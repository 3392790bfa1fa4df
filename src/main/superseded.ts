// A swarm that was restored, or forced to begin anew, on one manager, and the managers of before: that one tells them, and whoever of them hears of a later
// epoch gives its part up, so that a swarm never goes on twice. What tells is the certificate that each side shows (ca/epoch.ts).
import { epochOf } from '#ca/epoch.ts';
import type { Clock } from '#lib/clock.ts';
import { epochAt, whyNotTrusted } from '#transport/dial.ts';
import type { Peer, TlsMaterial } from '#transport/server.ts';
import { joinHostPort, splitHostPort } from './addresses.ts';
import type { ManagerParts } from './manager-parts.ts';
import type { ManagerStart } from './node-runtime.ts';
import type { KnownManager } from './remote-managers.ts';

const TELL_EVERY_MS = 5_000;

/** Until the signal aborts. A manager of before sees the certificate that it is shown, and needs no more. */
export async function tellFormerManagers(
  { cluster, keeper, store, self, clock, log }: Pick<ManagerParts, 'cluster' | 'keeper' | 'store' | 'self' | 'log'> & { readonly clock: Clock },
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    const { epoch = 0, formerManagers = [] } = cluster();
    for (const { nodeId, address } of formerManagers) {
      const isBack = store.view.get('node', nodeId)?.status.state === 'ready' && nodeId !== self.nodeId;
      const identity = keeper.identity();
      if (isBack || signal.aborted || epochOf(identity.certificate) < epoch) continue;
      const answer = await whyNotTrusted(address, identity, clock, AbortSignal.any([signal, AbortSignal.timeout(TELL_EVERY_MS)])).catch(() => undefined);
      if (answer !== undefined) log.warn({ address, answer }, 'a manager of before the swarm was restored still answers; it was told');
    }
    await clock.sleep(TELL_EVERY_MS, signal).catch(() => {});
  }
}

/** Whether a node with such a certificate belongs to the swarm as this manager knows it; if not, this manager is one of before. */
export function admitsEpoch({ cluster, managers, log }: Pick<ManagerParts, 'cluster' | 'managers' | 'log'>, { swarm, onSuperseded }: ManagerStart) {
  let isOver = false;
  return (peer: Peer): boolean => {
    if (peer.clusterId !== cluster().id || peer.epoch <= (cluster().epoch ?? 0)) return true;
    if (!isOver) {
      isOver = true;
      log.error({ node: peer.nodeId, address: peer.address }, 'the swarm was restored, or forced to begin anew, without this manager, which gives its part up');
      const { port = '2377' } = splitHostPort(swarm.advertiseAddr);
      const caller = { nodeId: peer.nodeId, address: joinHostPort(peer.address, port) };
      onSuperseded([...managers().filter(({ nodeId }) => nodeId === peer.nodeId), caller, ...managers().filter(({ nodeId }) => nodeId !== peer.nodeId)]);
    }
    return false;
  };
}

const LOOK_TIMEOUT_MS = 5_000;

/** Those of the managers that are of a later epoch than this node's certificate. */
export async function successors(candidates: readonly KnownManager[], { roots, certificate }: TlsMaterial, clock: Clock): Promise<readonly KnownManager[]> {
  const own = epochOf(certificate);
  const epochs = await Promise.all(candidates.map(({ address }) => epochAt(address, roots, clock, AbortSignal.timeout(LOOK_TIMEOUT_MS))));
  return candidates.filter((_manager, index) => (epochs[index] ?? 0) > own);
}
