// What the name server needs to know and what it offers: interfaces only. Building zones out of the network state is the caller's business.

/** The names that one container may see. A server asks it anew for every query, so it may change at any time. */
export interface Zone {
  /**
   * Bare addresses (IPv4 or IPv6) of a name. `name` is in lower case and has no trailing dot: "web", "tasks.web", an alias, a container's name.
   * Empty: the name exists and has no address now (answered NOERROR without records). Undefined: not ours (asked of the host's resolvers).
   */
  lookup(name: string): readonly string[] | undefined;
  /** The name of the task or container at a bare address, without a trailing dot. Undefined: not ours. */
  reverse(address: string): string | undefined;
}

export interface DnsServerOptions {
  /** Where to listen, UDP and TCP alike. Port 0 takes a free one (tests). */
  readonly address: string;
  readonly port: number;
  /**
   * The zone of the container that asks, told by its bare source address. Undefined: the asker is not known (yet); names that could be ours then
   * get SERVFAIL, so that the client asks again, and the rest is asked of the host's resolvers. A promise may wait shortly for the facts to arrive.
   */
  readonly zoneFor: (sourceAddress: string) => Zone | undefined | Promise<Zone | undefined>;
  /** The host's resolvers in order of preference, "address" or "address:port" ("[v6]:port"). Asked for each query, so it may follow /etc/resolv.conf. */
  readonly upstreams: () => readonly string[];
  readonly log: (level: 'debug' | 'warn' | 'error', message: string, details: Readonly<Record<string, unknown>>) => void;
  /** How long one upstream may take before the next one is asked too. Default 1,500 ms. */
  readonly upstreamTimeoutMs?: number;
}

export interface DnsServer {
  readonly address: string;
  readonly port: number;
  close(): Promise<void>;
}
