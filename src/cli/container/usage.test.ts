import assert from 'node:assert/strict';
import { test } from 'node:test';
import { usageOf } from './usage.ts';

test('two busy processors of four are 200 %, and memory is without the cache of either version of cgroups', () => {
  const usage = usageOf({
    cpu_stats: { cpu_usage: { total_usage: 3_000 }, system_cpu_usage: 8_000, online_cpus: 4 },
    precpu_stats: { cpu_usage: { total_usage: 1_000 }, system_cpu_usage: 4_000 },
    memory_stats: { usage: 1_000, limit: 4_000, stats: { inactive_file: 300 } },
    networks: { eth0: { rx_bytes: 1, tx_bytes: 2 }, eth1: { rx_bytes: 10, tx_bytes: 20 } },
    blkio_stats: {
      io_service_bytes_recursive: [
        { op: 'Read', value: 5 },
        { op: 'write', value: 7 },
        { op: 'Total', value: 12 },
      ],
    },
    pids_stats: { current: 3 },
  });
  assert.deepEqual(usage, { cpuPercent: 200, memory: 700, memoryLimit: 4_000, received: 11, sent: 22, read: 5, written: 7, pids: 3 });
  assert.equal(usageOf({ memory_stats: { usage: 1_000, stats: { total_inactive_file: 100, inactive_file: 300 } } }).memory, 900);
});

test('a container that does not run uses nothing', () => {
  assert.deepEqual(usageOf({ memory_stats: {}, networks: null, blkio_stats: { io_service_bytes_recursive: null } }), {
    cpuPercent: 0,
    memory: 0,
    memoryLimit: 0,
    received: 0,
    sent: 0,
    read: 0,
    written: 0,
    pids: 0,
  });
});
