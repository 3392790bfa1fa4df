// How long a service takes from its creation until all its tasks run: skepd against dockerd's own swarm mode, each on an engine of its own, in turns so that
// both see the same machine. Needs root and dockerd. Usage: node bench/service-start.ts [--json] [--check]
import { createReport, timingOf } from './lib.ts';
import { ok, startTarget, type Target, until } from './targets.ts';

const IMAGE = 'bench:1';
const REPETITIONS = 5;
const POLL_MS = 10;

interface Case {
  readonly name: string;
  readonly replicas: number;
  readonly overlay: boolean;
}

const cases: readonly Case[] = [
  { name: '1 task', replicas: 1, overlay: false },
  { name: '8 tasks', replicas: 8, overlay: false },
  { name: '1 task on an overlay network with a published port', replicas: 1, overlay: true },
  { name: '8 tasks on an overlay network with a published port', replicas: 8, overlay: true },
];

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Milliseconds from the request until the last task runs; the service is gone with all its containers afterwards. */
async function startOnce(target: Target, { replicas, overlay }: Case): Promise<number> {
  const name = `start${replicas}${overlay ? 'o' : ''}`;
  const filters = encodeURIComponent(JSON.stringify({ service: [name], 'desired-state': ['running'] }));
  const start = performance.now();
  await ok(
    target.http('POST', '/v1.41/services/create', {
      Name: name,
      TaskTemplate: { ContainerSpec: { Image: IMAGE, Init: false, StopGracePeriod: 1e9 }, ...(overlay ? { Networks: [{ Target: 'bench' }] } : {}) },
      Mode: { Replicated: { Replicas: replicas } },
      ...(overlay ? { EndpointSpec: { Ports: [{ Protocol: 'tcp', TargetPort: 80, PublishedPort: 8_080 }] } } : {}),
    }),
  );
  for (;;) {
    const tasks = JSON.parse((await ok(target.http('GET', `/v1.41/tasks?filters=${filters}`))).text) as {
      readonly Status: { readonly State: string; readonly Err?: string };
    }[];
    if (tasks.filter(({ Status }) => Status.State === 'running').length === replicas) break;
    const failed = tasks.find(({ Status }) => Status.Err);
    if (failed !== undefined) throw new Error(`${target.name}: ${failed.Status.Err}`);
    if (performance.now() - start > 60_000) throw new Error(`${target.name}: ${JSON.stringify(tasks.map(({ Status }) => Status.State))} after a minute`);
    await pause(POLL_MS);
  }
  const elapsedMs = performance.now() - start;
  await ok(target.http('DELETE', `/v1.41/services/${name}`));
  await until(`${target.name} has removed its containers`, async () => (await target.engine.docker('ps', '-aq')) === '', 60_000);
  return elapsedMs;
}

async function prepare(target: Target): Promise<void> {
  await target.engine.importBusybox(IMAGE, 'CMD ["sleep","100000"]');
  await ok(target.http('POST', '/v1.41/networks/create', { Name: 'bench', Driver: 'overlay' }));
}

const targets = [await startTarget('swarm'), await startTarget('skep')] as const;
const report = createReport('Service start: create until all tasks run');
try {
  for (const target of targets) await prepare(target);
  for (const one of cases) {
    const times: Record<Target['name'], number[]> = { skep: [], swarm: [] };
    // The first round makes what a network needs on a node, and does not count.
    for (let round = 0; round <= REPETITIONS; round++) {
      for (const target of targets) {
        const elapsedMs = await startOnce(target, one);
        if (round > 0) times[target.name].push(elapsedMs);
      }
    }
    const [skep, swarm] = [timingOf(times.skep).medianMs, timingOf(times.swarm).medianMs];
    report.add({ name: one.name, unit: 'ms', skep, other: swarm, otherName: 'swarm', from: 'this run', goal: swarm, better: 'lower' });
    console.error(`${one.name}: skep ${skep.toFixed(0)} ms, swarm ${swarm.toFixed(0)} ms`);
  }
} finally {
  await Promise.all(targets.map((target) => target.stop()));
}
report.print();
process.exit();
