// Where tasks may run: resources, ports, preferences, limits per node.
import { base, RUNS, type Scenario, type Spec, type Stage, seconds } from '../stage.ts';

const GIB = 2 ** 30;

async function spreadOf(stage: Stage, name?: string): Promise<string> {
  const live = (await stage.tasks(name)).filter(({ DesiredState, Status }) => DesiredState === 'running' && Status.State === 'running');
  return stage.side.nodeIds.map((id) => live.filter(({ NodeID }) => NodeID === id).length).join(' ');
}

function placed(name: string, replicas: number, change: (spec: Spec) => void, after?: (stage: Stage) => Promise<void>): Scenario {
  return {
    name,
    async run(stage) {
      const spec = base(RUNS, replicas);
      change(spec);
      await stage.create(spec);
      await stage.quiet();
      await after?.(stage);
    },
  };
}

const next = (change: (spec: Spec) => void) => async (stage: Stage) => {
  await stage.update(change);
  await stage.quiet();
};

const HOST_PORT = (port: number) => ({ Ports: [{ Protocol: 'tcp', TargetPort: 80, PublishedPort: port, PublishMode: 'host' }] });

export const placement: readonly Scenario[] = [
  placed(
    'too much memory',
    2,
    (spec) => void (spec.TaskTemplate.Resources = { Reservations: { MemoryBytes: 10_000 * GIB } }),
    next((spec) => void (spec.TaskTemplate.Resources = { Reservations: { MemoryBytes: 16 * 2 ** 20 } })),
  ),
  placed('too many processors', 1, (spec) => void (spec.TaskTemplate.Resources = { Reservations: { NanoCPUs: 1000e9 } })),
  placed('limits', 1, (spec) => void (spec.TaskTemplate.Resources = { Limits: { NanoCPUs: 5e8, MemoryBytes: 64 * 2 ** 20 } })),
  placed(
    'no such label',
    2,
    (spec) => void (spec.TaskTemplate.Placement = { Constraints: ['node.labels.nosuch==yes'] }),
    next((spec) => void (spec.TaskTemplate.Placement = { Constraints: [] })),
  ),
  placed('constraint that excludes', 2, (spec) => void (spec.TaskTemplate.Placement = { Constraints: ['node.role!=manager', 'node.role!=worker'] })),
  placed(
    'narrower constraint',
    3,
    () => {},
    async (stage) => {
      await stage.update((spec) => void (spec.TaskTemplate.Placement = { Constraints: ['node.role==worker'] }));
      await stage.quiet();
      stage.say(`manager runs ${(await spreadOf(stage)).split(' ')[0]}`);
    },
  ),
  placed(
    'replicas per node',
    5,
    (spec) => void (spec.TaskTemplate.Placement = { MaxReplicas: 1 }),
    async (stage) => stage.say(await spreadOf(stage)),
  ),
  placed(
    'replicas per node, start-first',
    3,
    (spec) => {
      spec.TaskTemplate.Placement = { MaxReplicas: 1 };
      spec.UpdateConfig.Order = 'start-first';
    },
    async (stage) => stage.say(await spreadOf(stage)),
  ),
  placed(
    'host port',
    4,
    (spec) => void (spec.EndpointSpec = HOST_PORT(18_080)),
    async (stage) => {
      stage.say(await spreadOf(stage));
      await stage.update((spec) => void (spec.TaskTemplate.ForceUpdate = 1));
      await stage.quiet();
    },
  ),
  {
    name: 'host port of two services',
    async run(stage) {
      const spec = { ...base(RUNS, 3), EndpointSpec: HOST_PORT(18_081) };
      await stage.create(spec, 'a');
      await stage.running(3, 'a');
      await stage.create({ ...base(RUNS, 1), EndpointSpec: HOST_PORT(18_081) }, 'b');
      await stage.quiet();
      await stage.remove('a');
      await stage.running(1, 'b');
    },
  },
  {
    name: 'published port of two services',
    async run(stage) {
      const ports = { Ports: [{ Protocol: 'tcp', TargetPort: 80, PublishedPort: 18_082, PublishMode: 'ingress' }] };
      await stage.create({ ...base(), EndpointSpec: ports }, 'a');
      await stage.running(1, 'a');
      const answer = await stage.create({ ...base(), EndpointSpec: ports }, 'b');
      stage.say(String(answer.status));
    },
  },
  {
    name: 'generic resources',
    async run(stage) {
      const spec = base(RUNS, 7);
      spec.TaskTemplate.Resources = { Reservations: { GenericResources: [{ DiscreteResourceSpec: { Kind: 'gpu', Value: 1 } }] } };
      await stage.create(spec);
      await stage.quiet();
      stage.say(await spreadOf(stage));
    },
  },
  {
    name: 'secrets and configs rotated',
    async run(stage) {
      const ids: Record<string, string> = {};
      for (const name of ['one', 'two']) {
        for (const kind of ['secrets', 'configs']) {
          const { json } = await stage.side.call('POST', `/${kind}/create`, { Name: `${stage.prefix}-${name}`, Data: Buffer.from(name).toString('base64') });
          ids[`${kind} ${name}`] = json.ID;
        }
      }
      const use = (spec: Spec, name: string) => {
        const file = { Name: 'target', UID: '0', GID: '0', Mode: 0o444 };
        spec.TaskTemplate.ContainerSpec.Secrets = [{ SecretID: ids[`secrets ${name}`], SecretName: `${stage.prefix}-${name}`, File: file }];
        spec.TaskTemplate.ContainerSpec.Configs = [{ ConfigID: ids[`configs ${name}`], ConfigName: `${stage.prefix}-${name}`, File: file }];
      };
      const spec = base(RUNS, 2);
      use(spec, 'one');
      await stage.create(spec);
      await stage.running(2);
      await stage.update((changed) => use(changed, 'two'));
      await stage.status('completed');
      for (const kind of ['secrets', 'configs']) {
        const used = await stage.side.call('DELETE', `/${kind}/${ids[`${kind} two`]}`);
        const unused = await stage.side.call('DELETE', `/${kind}/${ids[`${kind} one`]}`);
        stage.say(`${used.status} ${used.json?.message.replaceAll(/'[^']*'/g, 'X')} ${unused.status}`);
      }
      await stage.quiet();
    },
  },
  {
    name: 'update of what waits',
    async run(stage) {
      const spec = base(RUNS, 2);
      spec.TaskTemplate.Placement = { Constraints: ['node.labels.nosuch==yes'] };
      await stage.create(spec);
      await stage.quiet(1_000);
      await stage.update((changed) => void (changed.TaskTemplate.ForceUpdate = 1));
      await stage.quiet();
      await stage.update((changed) => void (changed.Mode.Replicated.Replicas = 1));
      await stage.quiet(seconds(1) / 1e6);
    },
  },
];
