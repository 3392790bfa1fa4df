// What the API costs: creating services, listing many, ten thousand tasks that nobody can run, and memory; skepd against dockerd's own swarm mode.
// Needs root and dockerd. Usage: node bench/api.ts [--json] [--check]
import { createReport, quantile } from './lib.ts';
import { ok, onBoth, type Target, until } from './targets.ts';

const SEQUENTIAL = 200;
const CONCURRENT = 800;
const WORKERS = 16;
const UNPLACEABLE = 10_000;

interface Result {
  readonly idleMegabytes: number;
  readonly sequentialRate: number;
  readonly sequentialP99: number;
  readonly concurrentRate: number;
  readonly concurrentP99: number;
  readonly pendingMs: number;
  readonly listServicesMs: number;
  readonly listTasksMs: number;
  readonly fullMegabytes: number;
}

/** A service whose tasks no node can take: nothing is started. */
const unplaceable = (name: string, replicas: number) => ({
  Name: name,
  TaskTemplate: { ContainerSpec: { Image: 'busybox:latest' }, Placement: { Constraints: ['node.labels.nowhere==true'] } },
  Mode: { Replicated: { Replicas: replicas } },
});

/** Where the run stands, on standard error. */
const progress = (target: Target, step: string) => console.error(`${(performance.now() / 1_000).toFixed(0)} s ${target.name}: ${step}`);

async function measure(target: Target): Promise<Result> {
  progress(target, 'ready');
  await pause(3_000);
  const idleMegabytes = await target.residentMegabytes();
  await create(target, 'warm', 50, 1);
  progress(target, 'creating services');
  const sequential = await create(target, 'seq', SEQUENTIAL, 1);
  const concurrent = await create(target, 'con', CONCURRENT - 50, WORKERS);
  progress(target, 'creating tasks that nobody can run');
  const pendingMs = await measurePending(target);
  progress(target, 'listing');
  return {
    idleMegabytes,
    sequentialRate: sequential.rate,
    sequentialP99: sequential.p99,
    concurrentRate: concurrent.rate,
    concurrentP99: concurrent.p99,
    pendingMs,
    listServicesMs: await medianOf(target, '/services', SEQUENTIAL + CONCURRENT + 1),
    listTasksMs: await medianOf(target, '/tasks', UNPLACEABLE + SEQUENTIAL + CONCURRENT),
    fullMegabytes: await target.residentMegabytes(),
  };
}

async function create(target: Target, prefix: string, count: number, workers: number): Promise<{ readonly rate: number; readonly p99: number }> {
  const times: number[] = [];
  let next = 0;
  const start = performance.now();
  await Promise.all(
    Array.from({ length: workers }, async () => {
      for (let index = next++; index < count; index = next++) {
        const { ms } = await ok(target.http('POST', '/v1.41/services/create', unplaceable(`${prefix}${index}`, 1)));
        times.push(ms);
      }
    }),
  );
  return { rate: count / ((performance.now() - start) / 1_000), p99: quantile(times, 0.99) };
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

async function medianOf(target: Target, path: string, count: number): Promise<number> {
  const times: number[] = [];
  for (let run = 0; run < 12; run++) {
    const { ms, text } = await ok(target.http('GET', `/v1.41${path}`));
    if (run === 0) {
      const { length } = JSON.parse(text) as unknown[];
      if (length !== count) throw new Error(`${path} lists ${length}, not ${count}`);
    } else if (run > 1) times.push(ms);
  }
  return quantile(times, 0.5);
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

const { skep, swarm } = await onBoth(measure);
const report = createReport('API: skepd against dockerd 20.10 in swarm mode');
const rows: readonly (readonly [string, string, keyof Result, number | undefined, 'higher' | 'lower'])[] = [
  ['service create, one at a time', '/s', 'sequentialRate', 500, 'higher'],
  ['service create, one at a time, p99', 'ms', 'sequentialP99', 50, 'lower'],
  [`service create, ${WORKERS} at a time`, '/s', 'concurrentRate', 1_000, 'higher'],
  [`service create, ${WORKERS} at a time, p99`, 'ms', 'concurrentP99', 50, 'lower'],
  ['10,000 unplaceable tasks until all are pending', 'ms', 'pendingMs', 1_500, 'lower'],
  ['GET /services, 1,001 services', 'ms', 'listServicesMs', 10, 'lower'],
  ['GET /tasks, 11,000 tasks', 'ms', 'listTasksMs', 100, 'lower'],
  ['resident memory, idle (dockerd: engine included)', 'MB', 'idleMegabytes', 130, 'lower'],
  ['resident memory, 1,001 services and 11,000 tasks', 'MB', 'fullMegabytes', 250, 'lower'],
];
for (const [name, unit, key, goal, better] of rows) {
  report.add({ name, unit, skep: skep[key], other: swarm[key], otherName: 'swarm', from: 'this run', better, ...(goal === undefined ? {} : { goal }) });
}
report.print();
process.exit();
