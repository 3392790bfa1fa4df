// A task's network namespace made before its container, for engines that know no network drivers of ours (Podman): the container is started in it.
// What skepd asks of skep-netd, and what it is told.
import type { PortConfig } from '#domain/spec.ts';

export interface SandboxNetwork {
  readonly networkId: string;
  readonly vxlanId: number;
  readonly mtu?: number;
  readonly encrypted?: true;
  /** In CIDR form; the same on every node. */
  readonly gateways: readonly string[];
  /** The task's own address, in CIDR form. */
  readonly address: string;
  /** Likewise, on networks with IPv6. */
  readonly address6?: string;
}

export interface SandboxSpec {
  readonly taskId: string;
  /** In order: they become eth0, eth1 … The way out comes last. */
  readonly networks: readonly SandboxNetwork[];
  /** Published on this node only, while the agent says that the task runs. 0 as published port: any free one. */
  readonly hostPorts: readonly PortConfig[];
}

export interface SandboxPlace {
  /** Path of the namespace. */
  readonly namespace: string;
  /** As asked for, with the ports that were chosen. */
  readonly hostPorts: readonly PortConfig[];
}

export interface Sandboxes {
  /** Makes a task's namespace with its interfaces; the same one again when it is there already. */
  attach(sandbox: SandboxSpec, signal: AbortSignal): Promise<SandboxPlace>;
  /** Removes it and its addresses. Removing none is no error. */
  detach(taskId: string, signal: AbortSignal): Promise<void>;
}
