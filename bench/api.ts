// What the API costs: creating services, listing many, ten thousand tasks that nobody can run, and memory; skepd against dockerd's own swarm mode.
// Both run at the same time and are asked in turns, so that a busy machine is as busy for one as for the other; the load is printed because times by
// the clock mean little on a machine that does something else. Needs root and dockerd. Usage: node bench/api.ts [--json] [--check]
import { loadavg } from 'node:os';
import { createReport, quantile } from './lib.ts';
import { ok, startTarget, type Target, until } from './targets.ts';

const WARM_UP = 50;
const SEQUENTIAL = { services: 200, workers: 1, turns: 10 };
const CONCURRENT = { services: 750, workers: 16, turns: 5 };
const UNPLACEABLE = 10_000;
const LISTS = 12;

type Side = Target['name'];
type Sides = Readonly<Record<Side, number>>;

/** A service whose tasks no node can take: nothing is started. */
const unplaceable = (name: string, replicas: number) => ({
  Name: name,
  TaskTemplate: { ContainerSpec: { Image: 'busybox:latest' }, Placement: { Constraints: ['node.labels.nowhere==true'] } },
  Mode: { Replicated: { Replicas: replicas } },
});

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const report = createReport('API: skepd against dockerd 20.10 in swarm mode');
const startLoad = loadavg()[0] ?? 0;
const targets = [await startTarget('swarm'), await startTarget('skep')] as const;

/** Asks both, one after the other. */
async function both(measure: (target: Target) => Promise<number>): Promise<Sides> {
  const sides = { skep: Number.NaN, swarm: Number.NaN };
  for (const target of targets) sides[target.name] = await measure(target);
  return sides;
}

interface Created {
  readonly rates: number[];
  readonly times: number[];
}

async function create(target: Target, { prefix, count, workers }: { prefix: string; count: number; workers: number }, into: Created): Promise<void> {
  let next = 0;
  const start = performance.now();
  const work = async () => {
    for (let index = next++; index < count; index = next++) {
      into.times.push((await ok(target.http('POST', '/v1.41/services/create', unplaceable(`${prefix}x${index}`, 1)))).ms);
    }
  };
  await Promise.all(Array.from({ length: workers }, work));
  into.rates.push(count / ((performance.now() - start) / 1_000));
}

async function measureCreates(
  name: string,
  { services, workers, turns }: typeof SEQUENTIAL,
  goals: { readonly rate: number; readonly p99: number },
): Promise<void> {
  const created: Readonly<Record<Side, Created>> = { skep: { rates: [], times: [] }, swarm: { rates: [], times: [] } };
  const cpuBefore = await both((target) => target.cpuMs());
  for (let turn = 0; turn < turns; turn++) {
    for (const target of targets) await create(target, { prefix: `w${workers}t${turn}`, count: services / turns, workers }, created[target.name]);
  }
  // What a create makes the loops do belongs to it.
  await pause(1_000);
  const cpuAfter = await both((target) => target.cpuMs());
  const perTurn = (pick: (side: Created) => number): Sides => ({ skep: pick(created.skep), swarm: pick(created.swarm) });
  compare(
    `service create, ${name}`,
    '/s',
    perTurn(({ rates }) => quantile(rates, 0.5)),
    { goal: goals.rate, better: 'higher' },
  );
  compare(
    `service create, ${name}, p99`,
    'ms',
    perTurn(({ times }) => quantile(times, 0.99)),
    { goal: goals.p99 },
  );
  compare(`service create, ${name}, CPU time each`, 'ms', {
    skep: (cpuAfter.skep - cpuBefore.skep) / services,
    swarm: (cpuAfter.swarm - cpuBefore.swarm) / services,
  });
}

/** From the request to the moment when every task says why it waits. Both sides are asked in the same way, and pay for the answers. */
async function measurePending(target: Target): Promise<number> {
  const filters = encodeURIComponent(JSON.stringify({ service: ['big'] }));
  const start = performance.now();
  await ok(target.http('POST', '/v1.41/services/create', unplaceable('big', UNPLACEABLE)));
  await until(
    'all tasks are pending',
    async () => {
      const { text } = await ok(target.http('GET', `/v1.41/tasks?filters=${filters}`));
      const tasks = JSON.parse(text) as { readonly Status: { readonly State: string; readonly Err?: string } }[];
      return tasks.length === UNPLACEABLE && tasks.every(({ Status }) => Status.State === 'pending' && Status.Err?.startsWith('no suitable node'));
    },
    120_000,
  );
  return performance.now() - start;
}

async function measureList(path: string, expected: number): Promise<Sides> {
  const times: Record<Side, number[]> = { skep: [], swarm: [] };
  for (let round = 0; round < LISTS; round++) {
    for (const target of targets) {
      const { ms, text } = await ok(target.http('GET', `/v1.41${path}`));
      if (round === 0 && (JSON.parse(text) as unknown[]).length !== expected) throw new Error(`${target.name}: ${path} does not list ${expected}`);
      if (round > 1) times[target.name].push(ms);
    }
  }
  return { skep: quantile(times.skep, 0.5), swarm: quantile(times.swarm, 0.5) };
}

function compare(
  name: string,
  unit: string,
  { skep, swarm }: Sides,
  { goal, better = 'lower' }: { readonly goal?: number; readonly better?: 'higher' | 'lower' } = {},
): void {
  report.add({ name, unit, skep, other: swarm, otherName: 'swarm', from: 'this run', better, ...(goal === undefined ? {} : { goal }) });
}

try {
  await pause(3_000);
  const services = WARM_UP + SEQUENTIAL.services + CONCURRENT.services + 1;
  compare('resident memory, idle (dockerd: engine included)', 'MB', await both((target) => target.residentMegabytes()), { goal: 130 });
  for (const target of targets) await create(target, { prefix: 'warm', count: WARM_UP, workers: 1 }, { rates: [], times: [] });
  await measureCreates('one at a time', SEQUENTIAL, { rate: 500, p99: 50 });
  await measureCreates(`${CONCURRENT.workers} at a time`, CONCURRENT, { rate: 1_000, p99: 50 });
  compare('10,000 unplaceable tasks until all are pending', 'ms', await both(measurePending), { goal: 1_500 });
  compare(`GET /services, ${services} services`, 'ms', await measureList('/services', services), { goal: 10 });
  compare(`GET /tasks, ${UNPLACEABLE + services - 1} tasks`, 'ms', await measureList('/tasks', UNPLACEABLE + services - 1), { goal: 100 });
  compare('resident memory with all these', 'MB', await both((target) => target.residentMegabytes()), { goal: 250 });
} finally {
  await Promise.all(targets.map((target) => target.stop()));
}
report.note('load of the machine before (1 min)', startLoad, '');
report.note('load of the machine after (1 min)', loadavg()[0] ?? 0, '');
report.print();
process.exit();
