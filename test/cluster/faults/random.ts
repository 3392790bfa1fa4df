// One fault at random: what is done to which machines, for how long, and how it ends. All of it from the given chance.
import type { ClusterNode, TestCluster } from '../../lib/cluster.ts';
import { runOrThrow } from '../../lib/namespace.ts';
import { MANAGERS, powerOff, powerOn } from './machines.ts';

export interface Fault {
  readonly name: string;
  readonly holdMs: number;
  begin(): Promise<void>;
  end(): Promise<void>;
}

const MAX_HOLD_MS = 4_000;

type Kind = (nodes: readonly ClusterNode[]) => Pick<Fault, 'begin' | 'end'>;

const each = (nodes: readonly ClusterNode[], act: (node: ClusterNode) => Promise<unknown>) => async () => {
  await Promise.all(nodes.map(act));
};

const kinds: Readonly<Record<string, Kind>> = {
  'cut off': (nodes) => ({ begin: each(nodes, (node) => node.cut()), end: each(nodes, (node) => node.heal()) }),
  'skepd killed': (nodes) => ({ begin: each(nodes, (node) => node.stopDaemon('SIGKILL')), end: each(nodes, (node) => node.startDaemon()) }),
  'skepd stopped': (nodes) => ({ begin: each(nodes, (node) => node.stopDaemon('SIGTERM')), end: each(nodes, (node) => node.startDaemon()) }),
  'skepd frozen': (nodes) => ({ begin: each(nodes, (node) => signal(node, 'STOP', SKEPD)), end: each(nodes, thaw) }),
  'etcd killed': (nodes) => ({ begin: each(nodes, (node) => signal(node, 'KILL', '/etcd ')), end: async () => {} }),
  'netd killed': (nodes) => ({ begin: each(nodes, (node) => signal(node, 'KILL', 'main/skep-netd.ts')), end: async () => {} }),
  'packets to it lost': (nodes) => ({ begin: each(nodes, (node) => oneWay(node, '-A')), end: each(nodes, (node) => oneWay(node, '-D')) }),
  'power lost': (nodes) => ({ begin: each(nodes, powerOff), end: each(nodes, powerOn) }),
};

const SKEPD = 'main/skepd.ts';

/** To the processes of the machine whose command lines contain a text; there may be none. */
async function signal(node: ClusterNode, name: 'KILL' | 'STOP' | 'CONT', text: string): Promise<void> {
  const { stdout } = await node.engine.exec(['ps', '-eo', 'pid=,args=']);
  const pids = stdout.split('\n').flatMap((line) => (line.includes(text) ? (line.trim().split(' ')[0] ?? []) : []));
  if (pids.length > 0) await node.engine.exec(['kill', `-${name}`, ...pids]);
}

/** The nsenter in front of skepd stopped with it, and must go on too or its end is never seen. */
async function thaw(node: ClusterNode): Promise<void> {
  await signal(node, 'CONT', SKEPD);
  const processes = await runOrThrow(['ps', '-eo', 'pid=,args=']);
  for (const line of processes.split('\n')) {
    const [pid, command] = line.trim().split(' ');
    if (command === 'nsenter' && line.includes(`unix://${node.socket} `)) process.kill(Number(pid), 'SIGCONT');
  }
}

async function oneWay(node: ClusterNode, action: string): Promise<void> {
  await node.engine.exec(['iptables', '-t', 'raw', action, 'PREROUTING', '-i', 'lan0', '-j', 'DROP']);
}

export function randomFault(cluster: TestCluster, chance: (bound: number) => number): Fault {
  const names = Object.keys(kinds);
  const name = names[chance(names.length)] ?? '';
  const kind = kinds[name];
  if (kind === undefined) throw new Error('there is a kind of fault');
  const nodes = victims(cluster.nodes, chance);
  return { name: `${name}: ${nodes.map((node) => node.name).join(' ')}`, holdMs: 200 + chance(MAX_HOLD_MS), ...kind(nodes) };
}

/** One machine mostly, sometimes two: then the majority may be lost. */
function victims(all: readonly ClusterNode[], chance: (bound: number) => number): readonly ClusterNode[] {
  const count = chance(4) === 0 ? 2 : 1;
  const first = chance(all.length);
  // Managers are hit more often than workers.
  const second = (first + 1 + chance(MANAGERS)) % all.length;
  return [first, second].slice(0, count).flatMap((index) => all[index] ?? []);
}
