// The JSON of services and of what is answered to their creation and update.
import type { ObjectMeta, ObjectVersion } from './meta.ts';
import type { PortConfig, ServiceSpec } from './service-spec.ts';

export interface ServiceStatus {
  readonly RunningTasks: number;
  readonly DesiredTasks: number;
  readonly CompletedTasks: number;
}

export interface Service extends ObjectMeta {
  readonly Spec: ServiceSpec;
  readonly PreviousSpec?: ServiceSpec | undefined;
  readonly Endpoint: {
    readonly Spec: { readonly Mode?: string | undefined; readonly Ports?: readonly PortConfig[] | undefined };
    readonly Ports?: readonly PortConfig[] | undefined;
    /** One per network: clients look an address up by its network. `AddrIPv6` is ours. */
    readonly VirtualIPs?:
      | readonly { readonly NetworkID?: string | undefined; readonly Addr?: string | undefined; readonly AddrIPv6?: string | undefined }[]
      | undefined;
  };
  readonly UpdateStatus?:
    | {
        readonly State?: string | undefined;
        readonly StartedAt?: string | undefined;
        readonly CompletedAt?: string | undefined;
        readonly Message?: string | undefined;
      }
    | undefined;
  readonly ServiceStatus?: ServiceStatus | undefined;
  readonly JobStatus?: { readonly JobIteration: ObjectVersion; readonly LastExecution: string } | undefined;
}

export interface ServiceCreateResponse {
  readonly ID: string;
  readonly Warnings: readonly string[] | null;
}

export interface ServiceUpdateResponse {
  readonly Warnings: readonly string[] | null;
}
