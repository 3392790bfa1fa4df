// Changes of the swarm with a fault in the middle: a machine loses its power while roles, keys or roots change, or managers are restarted one after the other
// while services are deployed. Each puts everything back afterwards, as its user would.
import { setTimeout as delay } from 'node:timers/promises';
import type { ClusterNode, TestCluster } from '../../lib/cluster.ts';
import { until } from '../../lib/namespace.ts';
import type { Act, Chance } from './kinds.ts';
import { type ApiNode, get, MANAGERS, powerOff, powerOn, SERVICE } from './machines.ts';

/** A fault with its name. */
export interface NamedAct extends Act {
  readonly name: string;
}

export type Change = (cluster: TestCluster, chance: Chance) => NamedAct;

const PUT_BACK_MS = 90_000;

/** A change begins, a machine loses its power somewhere in it, and `putBack` is tried until it works. */
function interrupted(options: {
  readonly what: string;
  readonly chance: Chance;
  readonly victim: ClusterNode;
  readonly change: () => Promise<unknown>;
  readonly putBack: () => Promise<boolean>;
}): NamedAct {
  const { what, chance, victim, change, putBack } = options;
  const afterMs = chance(1_500);
  let changed: Promise<unknown> = Promise.resolve();
  return {
    name: `${what}, and ${victim.name} loses its power after ${afterMs} ms`,
    async begin() {
      // It may fail, for its machine goes: what comes of it is looked at afterwards.
      changed = change().catch(() => {});
      await delay(afterMs);
      await powerOff(victim);
    },
    async end() {
      await powerOn(victim);
      await changed;
      await until(`after this everything is put back: ${what}`, () => putBack().catch(() => false), PUT_BACK_MS);
    },
  };
}

const managersOf = (cluster: TestCluster) => cluster.nodes.slice(0, MANAGERS);
const pick = <T>(items: readonly T[], chance: Chance): T => items[chance(items.length)] as T;
const done = async (node: ClusterNode, ...args: string[]) => (await node.tryDocker(args, { timeoutMs: 30_000 })).code === 0;

async function isManager(asked: ClusterNode, node: ClusterNode): Promise<boolean | undefined> {
  const nodes = await get<readonly ApiNode[]>(asked, '/nodes');
  return nodes.find(({ Description }) => Description.Hostname === node.name)?.ManagerStatus?.Reachability === 'reachable';
}

const controls = async (node: ClusterNode) =>
  (await get<{ readonly Swarm: { readonly LocalNodeState: string; readonly ControlAvailable: boolean } }>(node, '/info')).Swarm;

const promote: Change = (cluster, chance) => {
  const worker = pick(cluster.nodes.slice(MANAGERS), chance);
  const asked = pick(managersOf(cluster), chance);
  return interrupted({
    what: `${worker.name} is promoted`,
    chance,
    victim: pick([worker, asked, ...managersOf(cluster)], chance),
    change: () => asked.docker('node', 'promote', worker.name),
    async putBack() {
      // One that is still on its way to be a manager must be told, too.
      if (!(await done(asked, 'node', 'demote', worker.name))) return false;
      return !(await isManager(asked, worker)) && !(await controls(worker)).ControlAvailable;
    },
  });
};

const demote: Change = (cluster, chance) => {
  const [manager, asked] = [pick(managersOf(cluster), chance), pick(managersOf(cluster), chance)];
  const other = managersOf(cluster).find((node) => node !== manager) ?? manager;
  return interrupted({
    what: `${manager.name} is demoted`,
    chance,
    victim: pick([manager, ...managersOf(cluster)], chance),
    change: () => asked.docker('node', 'demote', manager.name),
    async putBack() {
      if (!(await done(other, 'node', 'promote', manager.name))) return false;
      return (await isManager(other, manager)) === true && (await controls(manager)).ControlAvailable;
    },
  });
};

const leave: Change = (cluster, chance) => {
  const worker = pick(cluster.nodes.slice(MANAGERS), chance);
  const asked = pick(managersOf(cluster), chance);
  return interrupted({
    what: `${worker.name} leaves`,
    chance,
    victim: pick([worker, ...managersOf(cluster)], chance),
    change: () => worker.docker('swarm', 'leave'),
    putBack: () => joinAgain(worker, asked),
  });
};

const join: Change = (cluster, chance) => {
  const worker = pick(cluster.nodes.slice(MANAGERS), chance);
  const asked = pick(managersOf(cluster), chance);
  return interrupted({
    what: `${worker.name} leaves and joins`,
    chance,
    victim: pick([worker, ...managersOf(cluster)], chance),
    async change() {
      await worker.docker('swarm', 'leave');
      const token = await asked.docker('swarm', 'join-token', '-q', 'worker');
      await worker.docker('swarm', 'join', '--advertise-addr', worker.lanAddress, '--token', token, `${asked.lanAddress}:2377`);
    },
    putBack: () => joinAgain(worker, asked),
  });
};

/** Out of the swarm, its old places forgotten, and in again. */
async function joinAgain(worker: ClusterNode, asked: ClusterNode): Promise<boolean> {
  if ((await controls(worker)).LocalNodeState !== 'active') {
    await done(worker, 'swarm', 'leave', '--force');
    const token = await asked.docker('swarm', 'join-token', '-q', 'worker');
    if (!(await done(worker, 'swarm', 'join', '--advertise-addr', worker.lanAddress, '--token', token, `${asked.lanAddress}:2377`))) return false;
  }
  const own = await worker.docker('info', '--format', '{{.Swarm.NodeID}}');
  const nodes = await get<readonly ApiNode[]>(asked, '/nodes');
  const old = nodes.filter(({ ID, Description }) => ID !== own && Description.Hostname === worker.name);
  for (const { ID } of old) if (!(await done(asked, 'node', 'rm', '--force', ID))) return false;
  return nodes.some(({ ID }) => ID === own) || (await controls(worker)).LocalNodeState !== 'active' ? true : leaveForgotten(worker);
}

/** It was removed, and believes to be a member. */
async function leaveForgotten(worker: ClusterNode): Promise<boolean> {
  await done(worker, 'swarm', 'leave', '--force');
  return false;
}

const rotateRoot: Change = (cluster, chance) => {
  const asked = pick(managersOf(cluster), chance);
  return interrupted({
    what: 'the root is rotated',
    chance,
    victim: pick(cluster.nodes, chance),
    change: () => asked.docker('swarm', 'ca', '--rotate', '--detach', '--quiet'),
    putBack: async () => !(await get<{ readonly RootRotationInProgress: boolean }>(asked, '/swarm')).RootRotationInProgress,
  });
};

const rotateLock: Change = (cluster, chance) => {
  const managers = managersOf(cluster);
  const [asked, victim] = [pick(managers, chance), pick(managers, chance)];
  const other = managers.find((node) => node !== victim) ?? asked;
  const keys: string[] = [];
  return interrupted({
    what: 'the unlock key is rotated',
    chance,
    victim,
    async change() {
      await asked.docker('swarm', 'update', '--autolock=true');
      keys.push(await asked.docker('swarm', 'unlock-key', '-q'));
      keys.push(await asked.docker('swarm', 'unlock-key', '--rotate', '-q'));
    },
    async putBack() {
      if ((await controls(victim)).LocalNodeState === 'locked') {
        keys.push(await other.docker('swarm', 'unlock-key', '-q'));
        for (const key of keys.toReversed()) if ((await victim.http('POST', '/swarm/unlock', { UnlockKey: key })).status === 200) break;
        return false;
      }
      return done(other, 'swarm', 'update', '--autolock=false');
    },
  });
};

/** Managers one after the other, while a service is deployed all the time through the others. */
const rollingRestart: Change = (cluster) => {
  const managers = managersOf(cluster);
  return {
    name: 'managers are restarted one after the other under deploys',
    async begin() {
      let isOver = false;
      const deploys = (async () => {
        for (let count = 0; !isOver; count++) {
          const asked = managers[count % managers.length];
          await asked?.tryDocker(['service', 'update', '--detach', '--force', '--update-parallelism', '2', SERVICE], { timeoutMs: 30_000 }).catch(() => {});
          await delay(500);
        }
      })();
      try {
        for (const manager of managers) {
          await manager.stopDaemon();
          await manager.startDaemon();
          const other = managers.find((node) => node !== manager) ?? manager;
          await until(`${manager.name} is back`, () => isManager(other, manager).then(Boolean, () => false), PUT_BACK_MS);
        }
      } finally {
        isOver = true;
        await deploys;
      }
    },
    end: async () => {},
  };
};

/** Services whose tasks fail at once, with many replicas. */
export const flood: Change = (cluster, chance) => {
  const [asked, other] = [pick(managersOf(cluster), chance), pick(managersOf(cluster), chance)];
  const flags = ['--detach', '--no-resolve-image', '--name', 'flood', '--replicas', '12', '--restart-delay', '200ms', '--stop-grace-period', '0s'];
  return {
    name: 'tasks that fail are started all the time',
    begin: async () => void (await asked.docker('service', 'create', ...flags, 'busybox:1', 'sh', '-c', 'exit 1')),
    async end() {
      const gone = async () => /not found/.test((await other.tryDocker(['service', 'rm', 'flood'], { timeoutMs: 30_000 })).stderr);
      await until('the flood is over', () => gone().catch(() => false), PUT_BACK_MS);
    },
  };
};

export const changes: readonly Change[] = [promote, demote, leave, join, rotateRoot, rotateLock, rollingRestart];
