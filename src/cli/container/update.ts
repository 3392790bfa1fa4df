// `update`: resources and the restart policy of containers that are there. What the swarm asks of a task's container is in its service's spec, and a new task begins with that.
import { AppError } from '#lib/errors.ts';
import type { CommandSpec, FlagSpec } from '../command.ts';
import { nodeFlag } from '../node-flags.ts';
import { forEach, segment } from '../shared/each.ts';
import { containerRef } from './actions.ts';

/** Options and their fields in the body. */
const resources: readonly (FlagSpec & { readonly field: string })[] = [
  { name: 'blkio-weight', field: 'BlkioWeight', type: 'uint', description: 'Block IO (relative weight), between 10 and 1000, or 0 to disable' },
  { name: 'cpu-period', field: 'CpuPeriod', type: 'int', description: 'Limit CPU CFS (Completely Fair Scheduler) period' },
  { name: 'cpu-quota', field: 'CpuQuota', type: 'int', description: 'Limit CPU CFS (Completely Fair Scheduler) quota' },
  { name: 'cpu-rt-period', field: 'CpuRealtimePeriod', type: 'int', description: 'Limit the CPU real-time period in microseconds' },
  { name: 'cpu-rt-runtime', field: 'CpuRealtimeRuntime', type: 'int', description: 'Limit the CPU real-time runtime in microseconds' },
  { name: 'cpu-shares', short: 'c', field: 'CpuShares', type: 'int', description: 'CPU shares (relative weight)' },
  { name: 'cpus', field: 'NanoCpus', type: 'decimal', description: 'Number of CPUs' },
  { name: 'cpuset-cpus', field: 'CpusetCpus', type: 'string', description: 'CPUs in which to allow execution (0-3, 0,1)' },
  { name: 'cpuset-mems', field: 'CpusetMems', type: 'string', description: 'MEMs in which to allow execution (0-3, 0,1)' },
  { name: 'memory', short: 'm', field: 'Memory', type: 'bytes', description: 'Memory limit' },
  { name: 'memory-reservation', field: 'MemoryReservation', type: 'bytes', description: 'Memory soft limit' },
  {
    name: 'memory-swap',
    field: 'MemorySwap',
    type: 'bytes',
    description: 'Swap limit equal to memory plus swap: -1 to enable unlimited swap',
  },
  { name: 'pids-limit', field: 'PidsLimit', type: 'int', description: 'Tune container pids limit (set -1 for unlimited)' },
];

export const command: CommandSpec = {
  usage: '[OPTIONS] CONTAINER [CONTAINER...]',
  arguments: { minimum: 1 },
  flags: [
    ...resources.map(({ field: _field, ...flag }) => flag),
    nodeFlag,
    { name: 'restart', type: 'string', description: 'Restart policy to apply when a container exits' },
  ].toSorted((a, b) => (a.name < b.name ? -1 : 1)),
  completes: 'container',
  async run(invocation) {
    const { flags, context } = invocation;
    const changed = resources.filter(({ name }) => flags.has(name));
    const restart = flags.has('restart') ? { RestartPolicy: restartPolicy(flags.text('restart')) } : {};
    if (changed.length === 0 && !flags.has('restart')) throw new AppError('invalidArgument', 'you must provide one or more flags when using this command');
    const body = { ...Object.fromEntries(changed.map(({ name, field }) => [field, flags.value(name)])), ...restart };
    const client = await invocation.client();
    const warnings: string[] = [];
    try {
      return await forEach(invocation, invocation.args, async (reference) => {
        const path = `/containers/${segment(await containerRef(client, reference))}/update`;
        const { Warnings } = await client.call<{ Warnings: readonly string[] | null }>('POST', path, { body });
        warnings.push(...(Warnings ?? []));
        return reference;
      });
    } finally {
      if (warnings.length > 0) context.stderr.write(`${warnings.join('\n')}\n`);
    }
  },
};

/** `on-failure:3`. */
function restartPolicy(text: string): { readonly Name: string; readonly MaximumRetryCount: number } {
  const [name = '', count, ...more] = text.split(':');
  if (more.length > 0 || (count !== undefined && !/^-?\d+$/.test(count)))
    throw new AppError('invalidArgument', 'invalid restart policy format: maximum retry count must be an integer');
  return { Name: name, MaximumRetryCount: Number(count ?? 0) };
}
