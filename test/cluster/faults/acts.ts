// What can be done to one machine's processes, network, clock and disk, and undone.
import { errorMessage } from '#lib/errors.ts';
import type { ClusterNode } from '../../lib/cluster.ts';
import { runOrThrow, until } from '../../lib/namespace.ts';

/** Texts in the command lines of what runs on a node. */
export const PROGRAMS = { skepd: 'main/skepd.ts', etcd: '/etcd ', netd: 'main/skep-netd.ts' } as const;

/** To the processes of the machine whose command lines contain a text; there may be none. */
export async function signal(node: ClusterNode, name: 'KILL' | 'STOP' | 'CONT', text: string): Promise<void> {
  const { stdout } = await node.engine.exec(['ps', '-eo', 'pid=,args=']);
  const pids = stdout.split('\n').flatMap((line) => (line.includes(text) ? (line.trim().split(' ')[0] ?? []) : []));
  if (pids.length > 0) await node.engine.exec(['kill', `-${name}`, ...pids]);
}

/** The nsenter in front of skepd stopped with it, and must go on too or its end is never seen. */
export async function thaw(node: ClusterNode, text: string): Promise<void> {
  await signal(node, 'CONT', text);
  if (text !== PROGRAMS.skepd) return;
  const processes = await runOrThrow(['ps', '-eo', 'pid=,args=']);
  for (const line of processes.split('\n')) {
    const [pid, command] = line.trim().split(' ');
    if (command === 'nsenter' && line.includes(`unix://${node.socket} `)) process.kill(Number(pid), 'SIGCONT');
  }
}

const TABLE = 'skep_test_faults';

/** Packets of the swarm's link are dropped: those that arrive, those that leave, or both; `percent` of them by chance. */
export async function dropPackets(node: ClusterNode, directions: readonly ('in' | 'out')[], percent = 100): Promise<void> {
  const by = percent === 100 ? '' : `numgen random mod 100 < ${percent} `;
  const hooks = { in: ['prerouting', 'iifname'], out: ['postrouting', 'oifname'] } as const;
  const chains = directions.map((direction) => {
    const [hook, device] = hooks[direction];
    return `chain ${direction} { type filter hook ${hook} priority -310; ${device} "lan0" ${by}drop; }`;
  });
  await node.engine.exec(['nft', `table inet ${TABLE} { ${chains.join(' ')} }`]);
}

export async function passPackets(node: ClusterNode): Promise<void> {
  await node.engine.exec(['nft', 'delete', 'table', 'inet', TABLE]);
}

/** Starts skepd with a clock that is wrong by `seconds` from one moment to the next. Its etcd keeps the machine's. */
export async function withWrongClock(node: ClusterNode, seconds: number): Promise<void> {
  await node.stopDaemon();
  const file = `${node.engine.folder}/clock`;
  await node.engine.exec(['sh', '-c', `echo +0 > ${file}`]);
  const [library] = (await node.engine.exec(['sh', '-c', 'ls /usr/lib/*/faketime/libfaketime.so.1'])).stdout.split('\n');
  const env = { LD_PRELOAD: library ?? '', FAKETIME_TIMESTAMP_FILE: file, FAKETIME_NO_CACHE: '1', FAKETIME_DONT_FAKE_MONOTONIC: '1' };
  await node.startDaemon([], { env });
  await node.engine.exec(['sh', '-c', `echo ${seconds < 0 ? '' : '+'}${seconds} > ${file}.new && mv ${file}.new ${file}`]);
}

/** The state directory of these machines is a file system of its own (machines.ts), which can be full. */
export async function fillDisk({ engine, stateDirectory }: ClusterNode): Promise<void> {
  await engine.exec([
    'sh',
    '-c',
    `dd if=/dev/zero of=${stateDirectory}/filler bs=64k 2>/dev/null; dd if=/dev/zero of=${stateDirectory}/filler2 bs=1 2>/dev/null`,
  ]);
}

export async function freeDisk({ engine, stateDirectory }: ClusterNode): Promise<void> {
  await engine.exec(['rm', '-f', `${stateDirectory}/filler`, `${stateDirectory}/filler2`]);
}

/** skepd and its helpers are killed and find their files read-only: it cannot start, and says why. */
export async function makeReadOnly(node: ClusterNode): Promise<void> {
  await node.stopDaemon('SIGKILL');
  await signal(node, 'KILL', PROGRAMS.netd);
  const remount = ['mount', '-o', 'remount,ro', node.stateDirectory];
  await until('the file system is read-only', async () => (await node.engine.exec(remount)).code === 0);
  // A worker may do without writing.
  await node.startDaemon().catch((error: unknown) => {
    if (!/read-only file system|EROFS/i.test(errorMessage(error))) throw error;
  });
}

export async function makeWritable(node: ClusterNode): Promise<void> {
  await node.stopDaemon('SIGKILL');
  await node.engine.exec(['mount', '-o', 'remount,rw', node.stateDirectory]);
  await node.startDaemon();
}
