// The kinds of faults that happen to machines. What happens to the swarm meanwhile (roles that change, nodes that come and go) is in changes.ts.
import { setTimeout as delay } from 'node:timers/promises';
import type { ClusterNode } from '../../lib/cluster.ts';
import * as acts from './acts.ts';
import { powerOff, powerOn } from './machines.ts';

export type Chance = (bound: number) => number;

export interface Act {
  begin(): Promise<void>;
  end(): Promise<void>;
}

export type Kind = (nodes: readonly ClusterNode[], chance: Chance) => Act;

type Does = (node: ClusterNode) => Promise<unknown>;
const nothing: Does = async () => {};

function each(begin: Does, end: Does): Kind {
  return (nodes) => ({
    begin: async () => void (await Promise.all(nodes.map(begin))),
    end: async () => void (await Promise.all(nodes.map(end))),
  });
}

/** Again and again until it ends. */
function looped(pauseMs: number, again: Does, last: Does): Kind {
  return (nodes) => {
    let isOver = false;
    let loop: Promise<unknown> = Promise.resolve();
    const one = async (node: ClusterNode) => {
      while (!isOver) {
        await again(node);
        await delay(pauseMs);
      }
      await last(node);
    };
    return {
      async begin() {
        loop = Promise.all(nodes.map(one));
        // It is awaited, and its failure thrown, when it ends.
        loop.catch(() => {});
      },
      async end() {
        isOver = true;
        await loop;
      },
    };
  };
}

const frozen = (program: string) =>
  each(
    (node) => acts.signal(node, 'STOP', program),
    (node) => acts.thaw(node, program),
  );

function frozenEngine(nodes: readonly ClusterNode[]): Act {
  let thaws: readonly (() => void)[] = [];
  return {
    async begin() {
      thaws = nodes.map((node) => node.engine.freezeDaemon());
    },
    async end() {
      for (const thaw of thaws) thaw();
    },
  };
}

async function killEngine(node: ClusterNode): Promise<void> {
  await node.engine.stopDaemon('SIGKILL');
  await node.engine.startDaemon();
}

const hours = [-26, -3, 1, 30] as const;

export const machineKinds: Readonly<Record<string, Kind>> = {
  'cut off': each(
    (node) => node.cut(),
    (node) => node.heal(),
  ),
  'skepd killed': each(
    (node) => node.stopDaemon('SIGKILL'),
    (node) => node.startDaemon(),
  ),
  'skepd stopped': each(
    (node) => node.stopDaemon('SIGTERM'),
    (node) => node.startDaemon(),
  ),
  'skepd frozen': frozen(acts.PROGRAMS.skepd),
  'etcd frozen': frozen(acts.PROGRAMS.etcd),
  'netd frozen': frozen(acts.PROGRAMS.netd),
  'engine frozen': frozenEngine,
  'etcd killed': each((node) => acts.signal(node, 'KILL', acts.PROGRAMS.etcd), nothing),
  'etcd killed again and again': looped(300, (node) => acts.signal(node, 'KILL', acts.PROGRAMS.etcd), nothing),
  'netd killed': each((node) => acts.signal(node, 'KILL', acts.PROGRAMS.netd), nothing),
  'engine killed again and again': looped(200, killEngine, nothing),
  'packets to it lost': each((node) => acts.dropPackets(node, ['in']), acts.passPackets),
  'packets from it lost': each((node) => acts.dropPackets(node, ['out']), acts.passPackets),
  'a third of its packets lost': each((node) => acts.dropPackets(node, ['in', 'out'], 30), acts.passPackets),
  'power lost': each(powerOff, powerOn),
  'disk full': each(acts.fillDisk, acts.freeDisk),
  'disk read-only': each(acts.makeReadOnly, acts.makeWritable),
  'clock wrong': (nodes, chance) => {
    const seconds = (hours[chance(hours.length)] ?? 1) * 3_600;
    const restart: Does = async (node) => {
      await node.stopDaemon();
      await node.startDaemon();
    };
    return each((node) => acts.withWrongClock(node, seconds), restart)(nodes, chance);
  },
};
