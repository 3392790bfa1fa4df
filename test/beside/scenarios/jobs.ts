// Services that run to completion.
import { base, command, type Scenario, type Spec, seconds } from '../stage.ts';

function job(text: string, mode: Spec = { ReplicatedJob: { MaxConcurrent: 2, TotalCompletions: 3 } }): Spec {
  const { UpdateConfig: _update, RollbackConfig: _rollback, ...spec } = base(text);
  spec.TaskTemplate.RestartPolicy = { Condition: 'on-failure', Delay: seconds(0.2), MaxAttempts: 2 };
  return { ...spec, Mode: mode };
}

function running(name: string, first: Spec, ...changes: readonly ((spec: Spec) => void)[]): Scenario {
  return {
    name,
    async run(stage) {
      await stage.create(first);
      await stage.quiet();
      for (const change of changes) {
        await stage.update(change);
        await stage.quiet();
      }
      const services = (await stage.side.call('GET', '/services?status=true')).json as readonly Spec[];
      const { JobStatus, ServiceStatus } = services.find(({ Spec: { Name } }) => Name === stage.prefix);
      stage.say(`iteration ${JobStatus?.JobIteration?.Index}, ${JSON.stringify(ServiceStatus)}`);
    },
  };
}

export const jobs: readonly Scenario[] = [
  running('job', job('sleep 0.3')),
  running('job that fails', job('sleep 0.3; exit 2')),
  running('job that is not restarted', { ...job('exit 2'), TaskTemplate: { ...job('sleep 0.3; exit 2').TaskTemplate, RestartPolicy: { Condition: 'none' } } }),
  running('job updated', job('sleep 0.3'), (spec) => command(spec, 'sleep 0.2')),
  running('job forced', job('sleep 0.3'), (spec) => void (spec.TaskTemplate.ForceUpdate = 1)),
  running('job with labels', job('sleep 0.3'), (spec) => void (spec.Labels = { a: 'b' })),
  running('job enlarged', job('sleep 0.3'), (spec) => void (spec.Mode.ReplicatedJob.TotalCompletions = 5)),
  running('job forced after failure', job('sleep 0.3; exit 2'), (spec) => void (spec.TaskTemplate.ForceUpdate = 1)),
  running('job without numbers', job('sleep 0.3', { ReplicatedJob: {} })),
  running('global job', job('sleep 0.3', { GlobalJob: {} })),
  running('global job that fails', job('sleep 0.3; exit 2', { GlobalJob: {} })),
  running('global job forced', job('sleep 0.3', { GlobalJob: {} }), (spec) => void (spec.TaskTemplate.ForceUpdate = 1)),
  {
    name: 'job updated while it runs',
    async run(stage) {
      await stage.create(job('trap "exit 1" TERM; sleep 1000 & wait'));
      await stage.quiet(1_000);
      await stage.update((spec) => command(spec, 'sleep 0.3'));
      await stage.quiet();
    },
  },
  {
    name: 'job rolled back',
    async run(stage) {
      await stage.create(job('sleep 0.3'));
      await stage.quiet(1_000);
      await stage.update((spec) => command(spec, 'sleep 0.2'));
      await stage.quiet();
      await stage.update(() => {}, { query: '&rollback=previous' });
      await stage.quiet();
    },
  },
  {
    name: 'job with updates',
    async run(stage) {
      await stage.create({ ...job('sleep 0.3'), UpdateConfig: { Parallelism: 1 } });
    },
  },
];
