// How many tasks the pure scheduler places in a second, and how long it takes to say why 10,000 tasks cannot be placed. The other side is SwarmKit's
// scheduler as measured on the same kind of machine; it is a Go library and cannot run here.
// Usage: node bench/scheduler.ts [--json] [--check]
import { createScheduler } from '#scheduler/scheduler.ts';
import type { Node, Task } from '#domain/objects.ts';
import type { TaskSpec } from '#domain/spec.ts';
import { createSwarm, makeNode, makeTask, type Swarm } from '../test/lib/swarm.ts';
import { createReport, timePrepared } from './lib.ts';

const NOW = 1_000_000;
const ZONES = 8;

interface Shape {
  readonly nodes: number;
  readonly tasks: number;
  readonly tasksPerService: number;
  readonly task?: Partial<TaskSpec>;
}

function nodesOf(count: number): Node[] {
  return Array.from({ length: count }, (_, index) => {
    const node = makeNode(index + 1);
    const spec = { ...node.spec, labels: { zone: `z${index % ZONES}`, disk: index % 2 === 0 ? 'ssd' : 'hdd' } };
    return { ...node, spec, ...(node.description ? { description: { ...node.description, resources: { nanoCpus: 1e12, memoryBytes: 2 ** 42 } } } : {}) };
  });
}

function tasksOf({ tasks, tasksPerService, task }: Shape): Task[] {
  const spec: TaskSpec = { runtime: { kind: 'container', container: { image: 'busybox' } }, forceUpdate: 0, ...task };
  return Array.from({ length: tasks }, (_, index) =>
    makeTask(`t${String(index).padStart(7, '0')}`, {
      serviceId: `s${String(Math.floor(index / tasksPerService)).padStart(6, '0')}`,
      slot: (index % tasksPerService) + 1,
      spec,
    }),
  );
}

/** Decisions until nothing is left to do, with the commits between them; only the decisions and the keys of the events are timed. */
function settle(swarm: Swarm, maxChanges: number): { readonly decidingMs: number; readonly placed: number } {
  const scheduler = createScheduler({ maxChanges });
  let decidingMs = 0;
  let placed = 0;
  const timed = <T>(run: () => T): T => {
    const start = performance.now();
    const result = run();
    decidingMs += performance.now() - start;
    return result;
  };
  let dirty = new Set(timed(() => scheduler.allKeys(swarm.view)));
  while (dirty.size > 0) {
    const { changes, postponed } = timed(() => scheduler.decide(swarm.view, dirty, NOW));
    const events = swarm.commit(changes);
    placed += changes.filter(({ object }) => object.kind === 'task' && object.nodeId !== undefined).length;
    dirty = new Set(postponed);
    timed(() => {
      for (const event of events) for (const key of scheduler.keysOf(event, swarm.view)) dirty.add(key);
    });
  }
  return { decidingMs, placed };
}

/** Placements per second of the median run. */
async function placements(shape: Shape, maxChanges: number): Promise<number> {
  const objects = [...nodesOf(shape.nodes), ...tasksOf(shape)];
  const rates: number[] = [];
  for (let run = 0; run < 4; run++) {
    const { decidingMs, placed } = settle(createSwarm(objects.map((object) => ({ ...object }))), maxChanges);
    if (placed !== shape.tasks) throw new Error(`${placed} of ${shape.tasks} tasks were placed`);
    if (run > 0) rates.push(placed / (decidingMs / 1_000));
  }
  return rates.sort((a, b) => a - b)[1] ?? Number.NaN;
}

const constrained: Partial<TaskSpec> = {
  placement: { constraints: ['node.labels.disk==ssd', 'node.role==worker', 'node.platform.os==linux'] },
  resources: { reservations: { nanoCpus: 10_000_000, memoryBytes: 2 ** 24 } },
};

const report = createReport('Scheduler: pure decisions');
const cases: readonly (readonly [string, Shape, number, number])[] = [
  ['1k nodes, 10k tasks in 100 services', { nodes: 1_000, tasks: 10_000, tasksPerService: 100 }, 11_400, 100_000],
  ['1k nodes, 100k tasks in 1k services', { nodes: 1_000, tasks: 100_000, tasksPerService: 100 }, 10_400, 100_000],
  [
    '5k nodes, 100k tasks in 1k services, constraints and reservations',
    { nodes: 5_000, tasks: 100_000, tasksPerService: 100, task: constrained },
    3_100,
    50_000,
  ],
  [
    '1k nodes, 10k tasks of one service, spread over zones',
    { nodes: 1_000, tasks: 10_000, tasksPerService: 10_000, task: { placement: { preferences: [{ spread: 'node.labels.zone' }] } } },
    11_400,
    100_000,
  ],
  ['1k nodes, 10k services of one task', { nodes: 1_000, tasks: 10_000, tasksPerService: 1 }, 11_400, 100_000],
  ['5k nodes, 20k services of one task with constraints', { nodes: 5_000, tasks: 20_000, tasksPerService: 1, task: constrained }, 3_100, 50_000],
];
for (const [name, shape, swarmkit, goal] of cases) {
  const skep = await placements(shape, 2_000);
  report.add({ name, unit: 'placements/s', skep, other: swarmkit, otherName: 'swarmkit', from: 'recorded', goal, better: 'higher' });
}

for (const tasksPerService of [10_000, 1]) {
  const shape: Shape = { nodes: 1_000, tasks: 10_000, tasksPerService, task: { placement: { constraints: ['node.labels.disk==tape'] } } };
  const objects = [...nodesOf(shape.nodes), ...tasksOf(shape)];
  const { medianMs } = await timePrepared(
    () => {
      const swarm = createSwarm(objects.map((object) => ({ ...object })));
      return () => settle(swarm, 2_000);
    },
    { warmUps: 1, repetitions: 3 },
  );
  report.note(`10k unplaceable tasks in ${10_000 / tasksPerService} services on 1k nodes, explained, commits in memory included`, medianMs, 'ms');
}
report.print();
