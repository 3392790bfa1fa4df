// One fault at random: what is done to which machines, for how long, and how it ends. All of it from the given chance.
import type { ClusterNode, TestCluster } from '../../lib/cluster.ts';
import { changes, flood } from './changes.ts';
import { type Act, type Chance, machineKinds } from './kinds.ts';
import { MANAGERS } from './machines.ts';

export interface Fault extends Act {
  readonly name: string;
  readonly holdMs: number;
}

/** SKEP_FAULT_HOLD_MS: how long a fault may last, for long runs. */
const MAX_HOLD_MS = Number(process.env['SKEP_FAULT_HOLD_MS'] ?? 4_000);
/** SKEP_FAULT_KINDS: only those whose names contain the text, to look closer at one. */
const WANTED = process.env['SKEP_FAULT_KINDS'] ?? '';

export function randomFault(cluster: TestCluster, chance: Chance): Fault {
  const holdMs = 200 + chance(MAX_HOLD_MS);
  const roll = WANTED === '' ? chance(10) : 0;
  if (roll < 6) return { ...machineFault(victims(cluster.nodes, chance), chance), holdMs };
  if (roll < 8) {
    const change = changes[chance(changes.length)];
    if (change === undefined) throw new Error('there is a change');
    return { ...change(cluster, chance), holdMs };
  }
  if (roll < 9) return both({ ...flood(cluster, chance), holdMs }, { ...machineFault(victims(cluster.nodes, chance), chance), holdMs });
  const [first, second] = victims(cluster.nodes, chance, 2).map((node) => ({ ...machineFault([node], chance), holdMs }));
  if (first === undefined || second === undefined) throw new Error('there are two machines');
  return both(first, second);
}

function machineFault(nodes: readonly ClusterNode[], chance: Chance): Omit<Fault, 'holdMs'> {
  const names = Object.keys(machineKinds).filter((name) => name.includes(WANTED));
  const name = names[chance(names.length)] ?? '';
  const kind = machineKinds[name];
  if (kind === undefined) throw new Error(`there is no kind of fault "${WANTED}"`);
  return { name: `${name}: ${nodes.map((node) => node.name).join(' ')}`, ...kind(nodes, chance) };
}

/** Two at once; the one that began last ends first. */
function both(first: Fault, second: Fault): Fault {
  return {
    name: `${first.name}, and ${second.name}`,
    holdMs: first.holdMs,
    async begin() {
      await first.begin();
      await second.begin();
    },
    async end() {
      await second.end();
      await first.end();
    },
  };
}

/** One machine mostly, sometimes two: then the majority may be lost. */
function victims(all: readonly ClusterNode[], chance: Chance, count = chance(4) === 0 ? 2 : 1): readonly ClusterNode[] {
  const first = chance(all.length);
  // Managers are hit more often than workers.
  const second = (first + 1 + chance(MANAGERS)) % all.length;
  return [first, second].slice(0, count).flatMap((index) => all[index] ?? []);
}
