// Nodes that change, go and come back. Nothing else runs meanwhile.
import { until } from '../../lib/engine.ts';
import { base, RUNS, type Scenario, type Spec, type Stage } from '../stage.ts';

const onWorkers = (spec: Spec) => ({ ...spec, TaskTemplate: { ...spec.TaskTemplate, Placement: { Constraints: ['node.role==worker'] } } });
const onWorker = (spec: Spec, index: number, stage: Stage) => ({
  ...spec,
  TaskTemplate: {
    ...spec.TaskTemplate,
    Placement: { Constraints: [`node.id!=${stage.side.nodeIds[0]}`, `node.id!=${stage.side.nodeIds[index === 1 ? 2 : 1]}`] },
  },
});
const global = (): Spec => ({ ...base(), Mode: { Global: {} } });
const availability = (value: string) => (spec: Spec) => void (spec.Availability = value);
const label = (value?: string) => (spec: Spec) => void (spec.Labels = value === undefined ? {} : { tier: value });

export const nodes: readonly Scenario[] = [
  {
    name: 'global service and a drained node',
    alone: true,
    async run(stage) {
      await stage.create(global());
      await stage.running(3);
      await stage.updateNode(1, availability('drain'));
      await stage.running(2);
      await stage.quiet();
      await stage.update((spec) => void (spec.TaskTemplate.ForceUpdate = 1));
      await stage.status('completed');
      await stage.updateNode(1, availability('active'));
      await stage.running(3);
      await stage.quiet();
    },
  },
  {
    name: 'global service and a paused node',
    alone: true,
    async run(stage) {
      await stage.create(global());
      await stage.running(3);
      await stage.updateNode(1, availability('pause'));
      await stage.quiet();
      await stage.update((spec) => void (spec.TaskTemplate.ForceUpdate = 1));
      await stage.quiet();
      await stage.updateNode(1, availability('active'));
      await stage.quiet();
    },
  },
  {
    name: 'global service and labels',
    alone: true,
    async run(stage) {
      await stage.updateNode(1, label('front'));
      await stage.updateNode(2, label('front'));
      const spec = global();
      spec.TaskTemplate.Placement = { Constraints: ['node.labels.tier==front'] };
      await stage.create(spec);
      await stage.running(2);
      await stage.updateNode(1, label());
      await stage.quiet();
      await stage.updateNode(1, label('front'));
      await stage.running(2);
      await stage.quiet();
      await stage.updateNode(1, label());
      await stage.updateNode(2, label());
      await stage.quiet();
    },
  },
  {
    name: 'replicas and labels',
    alone: true,
    async run(stage) {
      await stage.updateNode(1, label('front'));
      const spec = base(RUNS, 1);
      spec.TaskTemplate.Placement = { Constraints: ['node.labels.tier==front'] };
      await stage.create(spec);
      await stage.running(1);
      await stage.updateNode(2, label('front'));
      await stage.updateNode(1, label());
      await stage.quiet();
      await stage.updateNode(2, label());
      await stage.quiet();
    },
  },
  {
    name: 'replicas and a drained node',
    alone: true,
    async run(stage) {
      await stage.updateNode(2, availability('pause'));
      await stage.create(onWorkers(base(RUNS, 2)));
      await stage.running(2);
      await stage.updateNode(2, availability('active'));
      await stage.updateNode(1, availability('drain'));
      await stage.running(2);
      await stage.quiet();
      await stage.updateNode(1, availability('active'));
      await stage.quiet();
    },
  },
  {
    name: 'replicas with nowhere to go',
    alone: true,
    async run(stage) {
      await stage.create(onWorker(base(RUNS, 1), 1, stage));
      await stage.running(1);
      await stage.updateNode(1, availability('drain'));
      await stage.quiet();
      await stage.updateNode(1, availability('active'));
      await stage.running(1);
      await stage.quiet();
    },
  },
  {
    name: 'preferences',
    alone: true,
    async run(stage) {
      await stage.updateNode(0, label('a'));
      await stage.updateNode(1, label('a'));
      await stage.updateNode(2, label('b'));
      const spec = base(RUNS, 4);
      spec.TaskTemplate.Placement = { Preferences: [{ Spread: { SpreadDescriptor: 'node.labels.tier' } }] };
      await stage.create(spec);
      await stage.running(4);
      const live = await stage.tasks();
      stage.say(`on b: ${live.filter(({ NodeID }) => NodeID === stage.side.nodeIds[2]).length}`);
      for (const index of [0, 1, 2]) await stage.updateNode(index, label());
    },
  },
  {
    name: 'node down and back',
    alone: true,
    async run(stage) {
      await stage.updateNode(2, availability('pause'));
      await stage.create(onWorkers(base(RUNS, 2)));
      await stage.create(global(), 'global');
      await stage.running(2);
      await stage.running(2, 'global');
      await stage.updateNode(2, availability('active'));
      await stage.running(3, 'global');
      await stage.side.nodes[1]?.cut();
      await until('the node is down', async () => (await stage.side.call('GET', `/nodes/${stage.side.nodeIds[1]}`)).json.Status.State === 'down', 60_000);
      await stage.quiet();
      await stage.side.nodes[1]?.heal();
      await until('the node is back', async () => (await stage.side.call('GET', `/nodes/${stage.side.nodeIds[1]}`)).json.Status.State === 'ready', 60_000);
      await stage.running(3, 'global');
      await stage.quiet(4_000);
    },
  },
];
