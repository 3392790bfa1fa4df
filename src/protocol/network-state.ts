// The state of the swarm's networks as one node must program it: derived by the dispatcher from one version of the store.
// Level, not edge: each message is whole, and a node keeps the last one while no manager answers.

export interface ClusterNetworkState {
  /** Revision of the store that this was derived from; only grows. */
  readonly version: number;
  readonly nodes: readonly NetworkNode[];
  /** Networks that this node has (or is about to have) endpoints on. */
  readonly networks: readonly OverlayNetwork[];
  /** Services that are reachable by name on those networks. */
  readonly services: readonly NetworkService[];
  /** Ports published through the ingress of the whole swarm. */
  readonly ingress: readonly IngressPort[];
}

export interface NetworkNode {
  readonly nodeId: string;
  /** A small number (1 … 65535) that no other node of the swarm has: mesh address, marks and zones follow from it. */
  readonly index: number;
  /** The address that VXLAN packets go to. */
  readonly dataPathAddress: string;
  /** The node's end of the WireGuard mesh; absent while it cannot encrypt. `endpoint` is address:port. */
  readonly encryption?: { readonly publicKey: string; readonly endpoint: string };
  /** The node is taken for lost, and what runs there with it: connections to it are ended. */
  readonly down?: true;
  /** The node's containers have addresses of IPv6 for published ports. */
  readonly publishes6?: true;
}

export interface OverlayNetwork {
  readonly networkId: string;
  readonly name: string;
  readonly vxlanId: number;
  readonly subnets: readonly { readonly subnet: string; readonly gateway: string }[];
  readonly internal: boolean;
  readonly attachable: boolean;
  readonly mtu?: number;
  readonly encrypted: boolean;
  /** Everybody with an address on the network, on any node, serving or not: forwarding entries follow from it. */
  readonly endpoints: readonly NetworkEndpoint[];
}

export interface NetworkEndpoint {
  readonly taskId: string;
  readonly nodeId: string;
  /** Bare address. */
  readonly address: string;
  /** Likewise, on networks with IPv6. */
  readonly address6?: string;
  /** The task's container name and hostname, for name resolution. */
  readonly names: readonly string[];
}

export interface NetworkService {
  readonly serviceId: string;
  readonly networkId: string;
  readonly name: string;
  readonly aliases: readonly string[];
  /** Absent for dnsrr. */
  readonly virtualIp?: string;
  readonly virtualIp6?: string;
  /** Addresses of tasks that may get traffic now: running, healthy, serving, not on their way out. */
  readonly backends: readonly { readonly taskId: string; readonly nodeId: string; readonly address: string; readonly address6?: string }[];
}

export interface IngressPort {
  readonly serviceId: string;
  readonly protocol: 'tcp' | 'udp' | 'sctp';
  readonly publishedPort: number;
  readonly targetPort: number;
  readonly backends: readonly { readonly taskId: string; readonly nodeId: string }[];
}

/** What the node's own agent adds: facts about local containers that no manager needs to know. */
export interface LocalNetworkState {
  readonly version: number;
  readonly endpoints: readonly LocalEndpoint[];
}

export interface LocalEndpoint {
  /** The task, or the attachment task of a plain container. */
  readonly taskId: string;
  readonly containerId: string;
  /** The container's address on the gateway bridge: its DNS queries come from there, and ingress traffic goes there. */
  readonly gatewayAddress?: string;
  /** Likewise, where the gateway bridge has IPv6: only published ports and the way out use it. */
  readonly gatewayAddress6?: string;
  /** The container's first process on this node, to look into its network namespace; 0 when unknown. */
  readonly pid: number;
  readonly networkIds: readonly string[];
  /** Name servers that the user gave the task: what the swarm does not know is asked of them instead of the host's. */
  readonly nameservers?: readonly string[];
}
