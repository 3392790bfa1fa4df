// What the proxy must know of swarm networks to attach plain containers to them. main/ implements it with the control's use cases and the
// node's network driver; without it, only the engine's own networks can be named.
//
// An attachment belongs to an owner. For a container that joins at creation the owner is a random value that the container carries as the label
// OWNER_LABEL, because its id is not known before; for one that joins later it is the container's id. When the container is gone,
// attachments.ts releases the attachments of both.

export const OWNER_LABEL = 'com.docker.skep.attachment.owner';

export interface SwarmNetworkRef {
  readonly id: string;
  readonly name: string;
}

export interface ContainerAttachment {
  /** The attachment task. */
  readonly id: string;
  /**
   * The engine's network that carries the swarm network on this node; it exists. On an engine without network drivers (Podman) `ns:` and the path of
   * the namespace that was made for the container: its network mode.
   */
  readonly engineNetwork: string;
  /** Without prefix length; what the endpoint must be given. */
  readonly ipv4Address?: string;
  readonly ipv6Address?: string;
  /** Addresses of name servers for containers on this network. */
  readonly dns?: readonly string[];
}

/** Whether the container is to join a namespace that has everything already. */
export function isNamespace({ engineNetwork }: ContainerAttachment): boolean {
  return engineNetwork.startsWith('ns:');
}

export interface ContainerNetworks {
  /** The swarm network that a user means by a name, id or id prefix; undefined when it is for the engine to find. */
  resolve(nameOrId: string): Promise<SwarmNetworkRef | undefined>;
  /**
   * Reserves addresses for one endpoint and makes sure of the engine's network. Rejects with an AppError in SwarmKit's words when the network
   * is not attachable or has no address left.
   */
  attach(network: SwarmNetworkRef, owner: string, addresses: readonly string[], signal: AbortSignal): Promise<ContainerAttachment>;
  /** Releasing what is released is no error. */
  detach(attachmentId: string): Promise<void>;
  /** Attachments of plain containers on this node. */
  attachments(): Promise<readonly { readonly id: string; readonly owner: string; readonly networkId: string }[]>;
}
