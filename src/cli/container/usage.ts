// Numbers of the engine's stats as users read them: shares and sums. Pure. The rules are the docker CLI's.

/** What the engine says, as far as it is needed; a container that does not run has nearly nothing of it. */
export interface Sample {
  readonly name?: string;
  readonly cpu_stats?: Cpu;
  readonly precpu_stats?: Cpu;
  readonly memory_stats?: { readonly usage?: number; readonly limit?: number; readonly stats?: Readonly<Record<string, number>> | null };
  readonly networks?: Readonly<Record<string, { readonly rx_bytes: number; readonly tx_bytes: number }>> | null;
  readonly blkio_stats?: { readonly io_service_bytes_recursive?: readonly { readonly op: string; readonly value: number }[] | null };
  readonly pids_stats?: { readonly current?: number };
}

interface Cpu {
  readonly cpu_usage?: { readonly total_usage?: number; readonly percpu_usage?: readonly number[] | null };
  readonly system_cpu_usage?: number;
  readonly online_cpus?: number;
}

export interface Usage {
  /** Of one processor: two busy ones are 200. */
  readonly cpuPercent: number;
  /** Bytes, as are all others. */
  readonly memory: number;
  readonly memoryLimit: number;
  readonly received: number;
  readonly sent: number;
  readonly read: number;
  readonly written: number;
  readonly pids: number;
}

export function usageOf({
  cpu_stats: cpu = {},
  precpu_stats: before = {},
  memory_stats: memory = {},
  networks,
  blkio_stats: blocks,
  pids_stats: pids,
}: Sample): Usage {
  const links = Object.values(networks ?? {});
  const transfers = blocks?.io_service_bytes_recursive ?? [];
  const sumOf = (op: string) => sum(transfers.filter((one) => one.op.toLowerCase() === op).map(({ value }) => value));
  return {
    cpuPercent: cpuPercent(cpu, before),
    memory: memoryOf(memory),
    memoryLimit: memory.limit ?? 0,
    received: sum(links.map(({ rx_bytes: bytes }) => bytes)),
    sent: sum(links.map(({ tx_bytes: bytes }) => bytes)),
    read: sumOf('read'),
    written: sumOf('write'),
    pids: pids?.current ?? 0,
  };
}

function cpuPercent(now: Cpu, before: Cpu): number {
  const used = (now.cpu_usage?.total_usage ?? 0) - (before.cpu_usage?.total_usage ?? 0);
  const available = (now.system_cpu_usage ?? 0) - (before.system_cpu_usage ?? 0);
  const processors = now.online_cpus || (now.cpu_usage?.percpu_usage?.length ?? 0);
  return used > 0 && available > 0 ? (used / available) * processors * 100 : 0;
}

/** What could be given back at once, the cache of files that nobody reads, is not counted: its name tells the version of cgroups. */
function memoryOf({ usage = 0, stats }: NonNullable<Sample['memory_stats']>): number {
  const cache = stats?.['total_inactive_file'] ?? stats?.['inactive_file'] ?? 0;
  return cache < usage ? usage - cache : usage;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
