// A Compose project after loading: files merged, variables replaced, every short form written out. The keys are Compose's own, because people
// read them again in `stack config`. What cannot be said in the types here: durations are Go's ("1m30s"), sizes are decimal bytes in text.

/** Anything YAML can say. */
export type Plain = string | number | boolean | null | readonly Plain[] | { readonly [key: string]: Plain };
export type TextMap = Readonly<Record<string, string>>;
/** Keys that begin with `x-` stay where they were found. */
export type Extensions = Readonly<Record<`x-${string}`, Plain>>;

export interface Project extends Extensions {
  readonly version?: string;
  readonly name?: string;
  readonly services: Readonly<Record<string, Service>>;
  readonly networks?: Readonly<Record<string, Network>>;
  readonly volumes?: Readonly<Record<string, Volume>>;
  readonly secrets?: Readonly<Record<string, FileObject>>;
  readonly configs?: Readonly<Record<string, FileObject>>;
  readonly models?: Readonly<Record<string, Plain>>;
}

export interface Service extends Extensions, EngineOptions {
  readonly annotations?: TextMap;
  readonly attach?: boolean;
  readonly build?: Plain;
  readonly cap_add?: readonly string[];
  readonly cap_drop?: readonly string[];
  readonly command?: readonly string[] | null;
  readonly configs?: readonly FileReference[];
  readonly container_name?: string;
  readonly credential_spec?: { readonly config?: string; readonly file?: string; readonly registry?: string };
  readonly depends_on?: Readonly<Record<string, DependsOn>>;
  readonly deploy?: Deploy;
  readonly develop?: Plain;
  readonly dns?: readonly string[];
  readonly dns_opt?: readonly string[];
  readonly dns_search?: readonly string[];
  readonly entrypoint?: readonly string[] | null;
  readonly environment?: Readonly<Record<string, string | null>>;
  readonly env_file?: readonly { readonly path: string; readonly required?: boolean; readonly format?: string }[];
  readonly expose?: readonly string[];
  readonly external_links?: readonly string[];
  /** "host:address" */
  readonly extra_hosts?: readonly string[];
  readonly group_add?: readonly string[];
  readonly healthcheck?: Healthcheck;
  readonly hostname?: string;
  readonly image?: string;
  readonly init?: boolean;
  readonly isolation?: string;
  readonly label_file?: readonly string[];
  readonly labels?: TextMap;
  readonly links?: readonly string[];
  readonly logging?: { readonly driver?: string; readonly options?: TextMap };
  readonly models?: Plain;
  readonly networks?: Readonly<Record<string, ServiceNetwork | null>>;
  readonly oom_score_adj?: number;
  readonly platform?: string;
  readonly ports?: readonly Port[];
  readonly post_start?: readonly Plain[];
  readonly pre_stop?: readonly Plain[];
  readonly profiles?: readonly string[];
  readonly provider?: Plain;
  readonly pull_policy?: string;
  readonly pull_refresh_after?: string;
  readonly read_only?: boolean;
  readonly restart?: string;
  readonly scale?: number;
  readonly secrets?: readonly FileReference[];
  readonly stdin_open?: boolean;
  readonly stop_grace_period?: string;
  readonly stop_signal?: string;
  readonly sysctls?: TextMap;
  readonly tmpfs?: readonly string[];
  readonly tty?: boolean;
  readonly ulimits?: Readonly<Record<string, number | { readonly soft: number; readonly hard: number }>>;
  readonly use_api_socket?: boolean;
  readonly user?: string;
  readonly volumes?: readonly ServiceVolume[];
  readonly volumes_from?: readonly string[];
  readonly working_dir?: string;
}

/** Keys of a service that Swarm has no words for, but an engine has, and old ones that `deploy` says better. */
export interface EngineOptions {
  readonly blkio_config?: Plain;
  readonly cgroup?: string;
  readonly cgroup_parent?: string;
  readonly cgroupns_mode?: string;
  readonly cpu_count?: number;
  readonly cpu_percent?: number;
  readonly cpu_period?: string;
  readonly cpu_quota?: string;
  readonly cpu_rt_period?: string;
  readonly cpu_rt_runtime?: string;
  readonly cpu_shares?: number;
  readonly cpus?: string;
  readonly cpuset?: string;
  readonly device_cgroup_rules?: readonly string[];
  readonly devices?: readonly (string | { readonly source: string; readonly target?: string; readonly permissions?: string })[];
  readonly domainname?: string;
  readonly gpus?: 'all' | readonly DeviceReservation[];
  readonly ipc?: string;
  readonly mac_address?: string;
  readonly mem_limit?: string;
  readonly mem_reservation?: string;
  readonly mem_swappiness?: number;
  readonly memswap_limit?: string;
  readonly network_mode?: string;
  readonly oom_kill_disable?: boolean;
  readonly pid?: string | null;
  readonly pids_limit?: number;
  readonly privileged?: boolean;
  readonly runtime?: string;
  readonly security_opt?: readonly string[];
  readonly shm_size?: string;
  readonly storage_opt?: TextMap;
  readonly userns_mode?: string;
  readonly uts?: string;
  readonly volume_driver?: string;
}

export interface DependsOn extends Extensions {
  readonly condition: 'service_started' | 'service_healthy' | 'service_completed_successfully';
  readonly required?: boolean;
  readonly restart?: boolean;
}

export interface Healthcheck extends Extensions {
  readonly test?: readonly string[];
  readonly timeout?: string;
  readonly interval?: string;
  readonly retries?: number;
  readonly start_period?: string;
  readonly start_interval?: string;
  readonly disable?: boolean;
}

export interface ServiceNetwork extends Extensions {
  readonly aliases?: readonly string[];
  readonly driver_opts?: TextMap;
  readonly ipv4_address?: string;
  readonly ipv6_address?: string;
  readonly link_local_ips?: readonly string[];
  readonly mac_address?: string;
  readonly interface_name?: string;
  readonly priority?: number;
  readonly gw_priority?: number;
}

export interface Port extends Extensions {
  readonly name?: string;
  readonly mode?: string;
  readonly host_ip?: string;
  readonly target?: number;
  /** A number, or a range "8000-8010" that leaves the choice. */
  readonly published?: number | string;
  readonly protocol?: string;
  readonly app_protocol?: string;
}

export interface FileReference extends Extensions {
  readonly source: string;
  readonly target?: string;
  readonly uid?: string;
  readonly gid?: string;
  readonly mode?: number;
}

export interface ServiceVolume extends Extensions {
  readonly type: string;
  readonly source?: string;
  readonly target?: string;
  readonly read_only?: boolean;
  readonly consistency?: string;
  readonly bind?: { readonly propagation?: string; readonly create_host_path?: boolean; readonly recursive?: string; readonly selinux?: string };
  readonly volume?: { readonly nocopy?: boolean; readonly subpath?: string; readonly labels?: TextMap };
  readonly tmpfs?: { readonly size?: number; readonly mode?: number };
  readonly image?: { readonly subpath?: string };
}

export interface Deploy extends Extensions {
  readonly mode?: string;
  readonly replicas?: number;
  readonly labels?: TextMap;
  readonly update_config?: UpdateSettings;
  readonly rollback_config?: UpdateSettings;
  readonly resources?: {
    readonly limits?: { readonly cpus?: string; readonly memory?: string; readonly pids?: number };
    readonly reservations?: {
      readonly cpus?: string;
      readonly memory?: string;
      readonly generic_resources?: readonly { readonly discrete_resource_spec?: { readonly kind: string; readonly value: number } }[];
      readonly devices?: readonly DeviceReservation[];
    };
  };
  readonly restart_policy?: { readonly condition?: string; readonly delay?: string; readonly max_attempts?: number; readonly window?: string };
  readonly placement?: {
    readonly constraints?: readonly string[];
    readonly preferences?: readonly { readonly spread?: string }[];
    readonly max_replicas_per_node?: number;
  };
  readonly endpoint_mode?: string;
}

export interface UpdateSettings extends Extensions {
  readonly parallelism?: number;
  readonly delay?: string;
  readonly failure_action?: string;
  readonly monitor?: string;
  readonly max_failure_ratio?: number;
  readonly order?: string;
}

export interface DeviceReservation extends Extensions {
  readonly capabilities?: readonly string[];
  readonly count?: number | 'all';
  readonly device_ids?: readonly string[];
  readonly driver?: string;
  readonly options?: TextMap;
}

export interface Network extends Extensions {
  readonly name?: string;
  readonly driver?: string;
  readonly driver_opts?: TextMap;
  readonly ipam?: {
    readonly driver?: string;
    readonly config?: readonly { readonly subnet?: string; readonly ip_range?: string; readonly gateway?: string; readonly aux_addresses?: TextMap }[];
    readonly options?: TextMap;
  };
  readonly external?: boolean;
  readonly internal?: boolean;
  readonly attachable?: boolean;
  readonly enable_ipv4?: boolean;
  readonly enable_ipv6?: boolean;
  readonly labels?: TextMap;
}

export interface Volume extends Extensions {
  readonly name?: string;
  readonly driver?: string;
  readonly driver_opts?: TextMap;
  readonly external?: boolean;
  readonly labels?: TextMap;
}

/** A secret or a config. */
export interface FileObject extends Extensions {
  readonly name?: string;
  readonly file?: string;
  readonly environment?: string;
  readonly content?: string;
  readonly external?: boolean;
  readonly labels?: TextMap;
  readonly driver?: string;
  readonly driver_opts?: TextMap;
  readonly template_driver?: string;
}
