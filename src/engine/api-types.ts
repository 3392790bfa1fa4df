// The parts of the Engine API's answers that are read here. The engine may add to them; what is optional here may be missing or null.

export interface EngineInfo {
  readonly Name: string;
  readonly OSType: string;
  readonly Architecture: string;
  readonly NCPU: number;
  readonly MemTotal: number;
  readonly ServerVersion: string;
  readonly Labels?: readonly string[] | null;
  readonly Plugins: {
    readonly Log?: readonly string[] | null;
    readonly Network?: readonly string[] | null;
    readonly Volume?: readonly string[] | null;
    readonly Authorization?: readonly string[] | null;
  };
  readonly GenericResources?:
    | readonly {
        readonly NamedResourceSpec?: { readonly Kind: string; readonly Value: string };
        readonly DiscreteResourceSpec?: { readonly Kind: string; readonly Value: number };
      }[]
    | null;
}

export interface ContainerInspect {
  readonly Id: string;
  readonly Name: string;
  /** RFC 3339. */
  readonly Created?: string;
  readonly State: {
    readonly Status: string;
    readonly Running: boolean;
    readonly OOMKilled: boolean;
    readonly Pid: number;
    readonly ExitCode: number;
    readonly Error: string;
    readonly StartedAt: string;
    readonly Health?: { readonly Status: string } | null;
  };
  readonly Config: { readonly Labels: Readonly<Record<string, string>> | null; readonly Tty: boolean; readonly Image?: string };
  readonly HostConfig: { readonly NetworkMode: string };
  readonly NetworkSettings: {
    readonly Ports: Readonly<Record<string, readonly { readonly HostIp: string; readonly HostPort: string }[] | null>> | null;
    readonly Networks: Readonly<
      Record<string, { readonly NetworkID: string; readonly IPAddress: string; readonly IPAMConfig?: { readonly IPv4Address?: string } | null }>
    > | null;
  };
}

export interface ContainerSummary {
  readonly Id: string;
  readonly Labels: Readonly<Record<string, string>> | null;
}

export interface NetworkInspect {
  readonly Id: string;
  readonly Name: string;
  readonly Driver: string;
  readonly EnableIPv6?: boolean;
  readonly Labels: Readonly<Record<string, string>> | null;
  readonly Options?: Readonly<Record<string, string>> | null;
  readonly IPAM?: { readonly Config?: readonly { readonly Subnet?: string }[] | null };
  readonly Containers?: Readonly<Record<string, { readonly IPv4Address: string; readonly IPv6Address?: string }>> | null;
}

/** One event of `GET /events`. */
export interface EngineEvent {
  readonly Type: string;
  readonly Action: string;
  readonly Actor: { readonly ID: string; readonly Attributes: Readonly<Record<string, string>> };
}
