// What the agent needs of the node's data plane. The implementation talks to skep-netd, which does the work and outlives us.
import type { ClusterNetworkState, LocalNetworkState } from '#protocol/network-state.ts';

/** What this node can do for encrypted networks. */
export type EncryptionAbility =
  | { readonly kind: 'ready'; readonly publicKey: string; readonly port: number }
  /** `reason` says what to do about it. */
  | { readonly kind: 'unavailable'; readonly reason: string };

export interface DataPlane {
  /** Hands over the newest state of the swarm; resolves when DNS, VIPs and ingress of this node follow it. Older versions are ignored. */
  applyCluster(state: ClusterNetworkState, signal: AbortSignal): Promise<void>;
  /** Hands over the newest facts about local containers. */
  applyLocal(state: LocalNetworkState, signal: AbortSignal): Promise<void>;
  /** Name of the engine's network driver that serves this node's overlays, and the resolver for containers on them. */
  readonly driverName: string;
  readonly dnsAddress: string;
  readonly encryption: EncryptionAbility;
  /** Published ports (`tcp/8080`) that another program on this node has: they are not served here. */
  portsInUse(): readonly string[];
  /** Removes everything from this node: rules, namespaces, devices, and the process itself. */
  destroy(signal: AbortSignal): Promise<void>;
}
