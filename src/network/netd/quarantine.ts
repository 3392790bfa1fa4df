// Containers on internal networks that have been started and not yet been told of: their address on the gateway bridge, which the rules need, is not
// known before the agent reports it. Until then no unknown address on that bridge may begin anything.
import type { Clock } from '#lib/clock.ts';
import type { ClusterNetworkState, LocalNetworkState } from '#protocol/network-state.ts';

export interface Quarantine {
  /** The engine makes an endpoint with an address, before it joins a container to it. */
  note(endpointId: string, address: string | undefined): void;
  /** The container is about to start. */
  enter(endpointId: string, networkId: string): void;
  leave(endpointId: string): void;
  /** Whether there are such containers now. */
  isActive(cluster: ClusterNetworkState, local: LocalNetworkState): boolean;
}

/** An agent reports a start within a second. One that does not is away, and others on the bridge must not suffer for it. */
const PATIENCE_MS = 60_000;
/** Endpoints that were made and never removed (the engine crashed) are forgotten beyond this number, the oldest first. */
const MAX_NOTED = 10_000;

export function createQuarantine(clock: Clock): Quarantine {
  const addresses = new Map<string, string>();
  const waiting = new Map<string, { readonly networkId: string; readonly since: number }>();
  return {
    note(endpointId, address) {
      if (address === undefined) return;
      addresses.set(endpointId, address);
      const [oldest] = addresses.keys();
      if (addresses.size > MAX_NOTED && oldest !== undefined) addresses.delete(oldest);
    },
    enter(endpointId, networkId) {
      waiting.set(endpointId, { networkId, since: clock.elapsed() });
    },
    leave(endpointId) {
      addresses.delete(endpointId);
      waiting.delete(endpointId);
    },
    isActive(cluster, local) {
      for (const [endpointId, { networkId, since }] of waiting) {
        const isKnown = isReported(networkId, addresses.get(endpointId), cluster, local);
        if (isKnown || clock.elapsed() - since > PATIENCE_MS) waiting.delete(endpointId);
      }
      return waiting.size > 0;
    },
  };
}

function isReported(networkId: string, address: string | undefined, cluster: ClusterNetworkState, local: LocalNetworkState): boolean {
  const network = cluster.networks.find((candidate) => candidate.networkId === networkId);
  const task = network?.endpoints.find((endpoint) => endpoint.address === address);
  return task !== undefined && local.endpoints.some(({ taskId, gatewayAddress }) => taskId === task.taskId && gatewayAddress !== undefined);
}
