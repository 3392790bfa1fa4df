// The JSON of tasks.
import type { ObjectMeta, ObjectVersion } from './meta.ts';
import type { SwarmNetwork } from './network.ts';
import type { GenericResource, PortConfig, TaskSpec } from './service-spec.ts';

export interface Task extends ObjectMeta {
  /** Always empty: the labels that filters look at are the service's. */
  readonly Labels: Readonly<Record<string, string>>;
  readonly Spec: TaskSpec;
  readonly ServiceID?: string | undefined;
  readonly Slot?: number | undefined;
  readonly NodeID?: string | undefined;
  readonly Status: {
    readonly Timestamp: string;
    readonly State: string;
    readonly Message?: string | undefined;
    readonly Err?: string | undefined;
    readonly ContainerStatus?: { readonly ContainerID: string; readonly PID: number; readonly ExitCode: number } | undefined;
    readonly PortStatus: { readonly Ports?: readonly PortConfig[] | undefined };
  };
  readonly DesiredState: string;
  readonly NetworksAttachments?: readonly { readonly Network: SwarmNetwork; readonly Addresses?: readonly string[] | undefined }[] | undefined;
  readonly GenericResources?: readonly GenericResource[] | undefined;
  readonly JobIteration?: ObjectVersion | undefined;
  readonly Volumes: null;
}
