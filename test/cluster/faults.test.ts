// What faults cost, and that nothing is lost by them: real daemons, one fault after the other with figures, then rounds of random ones under load.
// SKEP_SEED repeats the random ones, SKEP_FAULT_ROUNDS says how many (DEFAULT_ROUNDS; the long run has 20 or more), SKEP_FAULT_HOLD_MS how long they may last.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { ClusterNode, TestCluster } from '../lib/cluster.ts';
import { until } from '../lib/namespace.ts';
import { createSeededRandom, seedFromEnvironment } from '../crash/seeded-random.ts';
import { assertWhole, containersOn, tasksThatRun, untilSettled } from './faults/checks.ts';
import { type Clients, startClients, type Verdict } from './faults/clients.ts';
import { createHistory, type History, type Load } from './faults/history.ts';
import { firstWrite, leaderOf, MANAGERS, powerOff, powerOn, REPLICAS, startMachines } from './faults/machines.ts';
import { randomFault } from './faults/random.ts';

const DEFAULT_ROUNDS = 5;
const WRITERS = 3;
/** A second where the machine is free for it; a busy one waits for TCP's next try, twice as long each time. Without an end they hang for longer (clients.ts). */
const STALE_MS = 15_000;
const rounds = Number(process.env['SKEP_FAULT_ROUNDS'] ?? DEFAULT_ROUNDS);
const seed = seedFromEnvironment();

describe(`three managers and two workers under fault, seed ${seed}`, () => {
  let cluster: TestCluster;
  let load: Load;
  let replacedAt = 0;
  const chance = createSeededRandom(seed);
  // Of its own: writers take from it as they get along, and the seed must mean the same faults each time.
  const history: History = createHistory(createSeededRandom(seed + 1));
  const managers = () => cluster.nodes.slice(0, MANAGERS);
  const without = (...gone: readonly ClusterNode[]) => cluster.nodes.filter((node) => !gone.includes(node));
  const otherManagers = (node: ClusterNode) => managers().filter((manager) => manager !== node);
  const leader = () => leaderOf(managers(), managers());

  before(async () => {
    cluster = await startMachines();
    await untilSettled(cluster);
    load = history.startLoad(managers(), WRITERS);
  });
  after(async () => {
    await load?.stop();
    await cluster?.stop();
  });

  /** The worker that runs most: what has moved away stays away, so that it is another one after each fault. */
  async function busyWorker(): Promise<ClusterNode> {
    const workers = cluster.nodes.slice(MANAGERS);
    const counts = await Promise.all(workers.map(async (node) => (await containersOn(node)).length));
    const most = Math.max(...counts);
    assert(most > 0, 'a worker runs something');
    return workers[counts.indexOf(most)] ?? assert.fail();
  }

  /** Until all replicas run without these nodes, in milliseconds. */
  async function untilReplaced(...gone: readonly ClusterNode[]): Promise<number> {
    const startedAt = performance.now();
    await untilSettledWithout(gone);
    replacedAt = performance.now();
    return Math.round(replacedAt - startedAt);
  }

  /** What clients see until these nodes are down, and for a while after that. */
  async function seenBy(clients: Clients, ...gone: readonly ClusterNode[]): Promise<Verdict> {
    const asked = managers().find((node) => !gone.includes(node)) ?? assert.fail();
    try {
      return await clients.untilDown(asked, gone);
    } finally {
      clients.stop();
    }
  }

  /** They get no answer of a machine that is down soon after it is, and none of them hangs. */
  function assertNothingStale({ hanging, ...verdict }: Verdict): void {
    figure('clients', JSON.stringify(verdict));
    assert.deepEqual(hanging, []);
    assert(verdict.lastFailureMs < STALE_MS && verdict.lastHeldMs < STALE_MS, `stale answers: ${JSON.stringify(verdict)}`);
  }

  /** All replicas run elsewhere, by the word of a manager that is there and of the engines. */
  async function untilSettledWithout(gone: readonly ClusterNode[]): Promise<void> {
    const up = without(...gone);
    const manager = managers().find((node) => !gone.includes(node)) ?? assert.fail();
    await until(
      'all replicas run elsewhere',
      async () => {
        const tasks = (await tasksThatRun(manager)).map(({ ID }) => ID).sort();
        const containers = tasks.length === REPLICAS ? (await Promise.all(up.map(containersOn))).flat().sort() : [];
        return tasks.length === REPLICAS && containers.join() === tasks.join();
      },
      60_000,
    );
  }

  it('a worker whose power goes is replaced, and comes back', async () => {
    const worker = await busyWorker();
    const clients = await startClients(cluster, without(worker));
    await powerOff(worker);
    const [replacedMs, seen] = await Promise.all([untilReplaced(worker), seenBy(clients, worker)]);
    await assertWhole(cluster, history, without(worker));
    await powerOn(worker);
    const wholeMs = await assertWhole(cluster, history);
    assertNothingStale(seen);
    figure('worker loses power', `replicas elsewhere after ${replacedMs} ms; whole ${wholeMs} ms after it started again`);
  });

  it('a worker that is cut off is replaced, and stops its stale tasks once healed', async () => {
    const worker = await busyWorker();
    await worker.cut();
    const replacedMs = await untilReplaced(worker);
    await assertWhole(cluster, history, without(worker));
    await worker.heal();
    const healedAt = performance.now();
    await until('its stale tasks have stopped', async () => (await containersOn(worker)).length === 0, 60_000);
    const staleMs = Math.round(performance.now() - healedAt);
    const wholeMs = await assertWhole(cluster, history);
    figure('worker cut off', `replicas elsewhere after ${replacedMs} ms; duplicates gone ${staleMs} ms after healing, whole ${wholeMs} ms later`);
  });

  it('a leader that is cut off is succeeded, and what it ran runs elsewhere', async () => {
    const old = await leader();
    const clients = await startClients(cluster, without(old));
    await old.cut();
    const cutAt = performance.now();
    const writeMs = Math.round(await firstWrite(otherManagers(old)));
    const [, seen] = await Promise.all([untilReplaced(old), seenBy(clients, old)]);
    const replacedMs = Math.round(replacedAt - cutAt);
    await assertWhole(cluster, history, without(old));
    await old.heal();
    const wholeMs = await assertWhole(cluster, history);
    assertNothingStale(seen);
    figure('leader cut off', `first write after ${writeMs} ms, replicas elsewhere after ${replacedMs} ms; whole ${wholeMs} ms after healing`);
  });

  it('a partition of the leader and a worker from the rest heals', async () => {
    const [old, worker] = await Promise.all([leader(), busyWorker()]);
    await Promise.all([old.cut(), worker.cut()]);
    const writeMs = Math.round(await firstWrite(otherManagers(old)));
    const replacedMs = await untilReplaced(old, worker);
    await assertWhole(cluster, history, without(old, worker));
    await Promise.all([old.heal(), worker.heal()]);
    const wholeMs = await assertWhole(cluster, history);
    figure('partition', `first write after ${writeMs} ms, replicas elsewhere ${replacedMs} ms later; whole ${wholeMs} ms after healing`);
  });

  it('a leader that is killed is succeeded', async () => {
    const old = await leader();
    const containers = await containersOn(old);
    await old.stopDaemon('SIGKILL');
    const writeMs = Math.round(await firstWrite(otherManagers(old)));
    assert.deepEqual(await containersOn(old), containers, 'its containers go on');
    await old.startDaemon();
    const wholeMs = await assertWhole(cluster, history);
    figure('leader killed', `first write after ${writeMs} ms; whole ${wholeMs} ms after it started again`);
  });

  it('a majority that is lost stops writes and no container, and is regained', async () => {
    const [kept, ...lost] = managers();
    assert(kept);
    const containers = await Promise.all(cluster.nodes.map(containersOn));
    await Promise.all(lost.map((node) => node.stopDaemon('SIGKILL')));
    for (const node of lost) await untilNoEtcd(node);
    const refused = await kept.http('POST', '/configs/create', { Name: 'without-majority', Data: 'eA==' });
    assert.match(refused.text, /The swarm does not have a leader/);
    assert.equal((await tasksThatRun(kept)).length, REPLICAS, 'reads work');
    assert.deepEqual(await Promise.all(cluster.nodes.map(containersOn)), containers);
    await Promise.all(lost.map((node) => node.startDaemon()));
    const writeMs = Math.round(await firstWrite(managers()));
    const wholeMs = await assertWhole(cluster, history);
    figure('majority lost', `first write ${writeMs} ms after the others started again, whole ${wholeMs} ms later`);
  });

  it('all daemons and stores that are killed at once start again without touching a container', async () => {
    const containers = await Promise.all(cluster.nodes.map(containersOn));
    await Promise.all(cluster.nodes.map((node) => node.stopDaemon('SIGKILL')));
    for (const node of cluster.nodes) await untilNoEtcd(node);
    const startedAt = performance.now();
    await Promise.all(cluster.nodes.map((node) => node.startDaemon()));
    const writeMs = Math.round(performance.now() - startedAt + (await firstWrite(managers())));
    const wholeMs = await assertWhole(cluster, history);
    assert.deepEqual(await Promise.all(cluster.nodes.map(containersOn)), containers);
    figure('all killed at once', `first write ${writeMs} ms after the start, whole ${wholeMs} ms later; no container touched`);
  });

  it(`survives ${rounds} rounds of random faults under load`, async () => {
    for (let round = 1; round <= rounds; round++) {
      const fault = randomFault(cluster, chance);
      console.log(`  round ${round}: ${fault.name} for ${fault.holdMs} ms`);
      const happen = async () => {
        await fault.begin();
        await delay(fault.holdMs);
        await fault.end();
        return assertWhole(cluster, history);
      };
      const wholeMs = await happen().catch((error: unknown) => {
        throw new Error(`seed ${seed}, round ${round}, ${fault.name}: ${error instanceof Error ? error.message : String(error)}`);
      });
      console.log(`  round ${round}: whole after ${wholeMs} ms`);
    }
  });

  it('has lost no acknowledged write', async () => {
    await load.stop();
    await assertWhole(cluster, history);
    const counts = history.counts();
    assert(counts.acknowledged > 100, 'there was a load');
    figure('writes', JSON.stringify(counts));
  });
});

/** The kernel ends it with its skepd, a moment later: until then a majority may still be there. */
function untilNoEtcd(node: ClusterNode): Promise<void> {
  return until(`no etcd is left on ${node.name}`, async () => (await node.engine.exec(['pgrep', '-x', 'etcd'])).stdout === '');
}

function figure(what: string, numbers: string): void {
  console.log(`  ${what}: ${numbers}`);
}
